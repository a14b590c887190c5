"""What a folder says of a language model before anything is loaded. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import NETWORK, ModelFolder
from backend.models.family import identity
from backend.values import LanguageModel

FAMILY_NAME = "language"
_TEXT_CONFIGS = ("text_config", "language_config", "llm_config", "thinker_config")
_ENDINGS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "Text2Text", "Model")


@dataclass(frozen=True, slots=True)
class LanguageFacts:
    """What a config and the headers tell: bytes of the weights on disk, the bytes that one token
    keeps in the key-value cache at 16 bits (0 if the config does not say), how many tokens the
    model reads and writes together (0: no limit told), and whether it sees pictures."""

    nbytes: int
    token_bytes: int
    context: int
    sees: bool


def reference(folder: ModelFolder) -> LanguageModel:
    """The link to a language model in a folder of the transformers layout.

    Raises:
        CatalogError: it is none, has no tokenizer, or its config holds something senseless.
    """
    check(folder)
    parts = tuple(folder.components)
    return LanguageModel(FAMILY_NAME, NETWORK, identity(folder, parts), str(folder.path))


def check(folder: ModelFolder) -> None:
    """Refuse a folder that cannot be a language model, as far as config and headers tell.

    Whether transformers knows its class is asked when it is loaded.

    Raises:
        CatalogError: see above.
    """
    if NETWORK not in folder.components:
        raise CatalogError(
            f"{folder.path} is a {folder.pipeline or 'diffusers model'}, not a language model. "
            "Choose a folder as transformers saves it, with config.json, the weights and the "
            "tokenizer side by side; for this one there is the node Load model."
        )
    network = folder.component(NETWORK)
    if not network.kind.endswith(_ENDINGS):
        raise CatalogError(
            f"{folder.path} holds a {network.kind}, which does not write text. Choose a causal "
            "language model or an image-text model."
        )
    if "tokenizer" not in folder.components:
        raise CatalogError(
            f"{folder.path} has no tokenizer (tokenizer.json or tokenizer.model). Get the "
            "tokenizer files of this model and put them beside its config.json."
        )
    quantised = network.config.get("quantization_config")
    if quantised:
        kind = quantised.get("quant_method", "") if isinstance(quantised, dict) else ""
        raise CatalogError(
            f"{folder.path} holds weights quantised in the way {kind!r}, which is not read here. "
            "Get the model in 16 or 32 bits."
        )
    config = _text_config(network.config)
    layers, width = _whole(config, "num_hidden_layers", "n_layer"), _whole(config, "hidden_size")
    if layers * max(width, 1) > network.parameters:
        raise CatalogError(
            f"{folder.path / 'config.json'} tells of {layers} layers, more than its weights of "
            f"{network.parameters} numbers can hold. Get config and weights from the same source."
        )


def language_facts(folder: ModelFolder) -> LanguageFacts:
    """What is known of a checked folder; see ``LanguageFacts``."""
    network = folder.component(NETWORK)
    config = _text_config(network.config)
    return LanguageFacts(
        network.nbytes,
        cache_bytes(config),
        max(_whole(config, "max_position_embeddings", "n_positions", "seq_length"), 0),
        "processor" in folder.components,
    )


def cache_bytes(config: Mapping[str, Any], item: int = 2) -> int:
    """Bytes that a token keeps in the key-value cache: a key and a value per layer and head.

    ``2 * layers * key-value heads * head width * item``, with ``item`` bytes per number. Layers
    with a sliding window or without attention keep less, so this is an upper bound. 0 where the
    config does not say.
    """
    layers = _whole(config, "num_hidden_layers", "n_layer", "num_layers")
    heads = _whole(config, "num_attention_heads", "n_head")
    kept = _whole(config, "num_key_value_heads") or heads
    width = _whole(config, "head_dim")
    if not width and heads:
        width = _whole(config, "hidden_size", "n_embd", "d_model") // heads
    return 2 * layers * kept * width * item


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a config that is about text; of a plain language model the whole."""
    for name in _TEXT_CONFIGS:
        inner = config.get(name)
        if isinstance(inner, Mapping):
            return _text_config(inner)
    return config


def _whole(config: Mapping[str, Any], *names: str) -> int:
    found = [config[name] for name in names if isinstance(config.get(name), int)]
    return max(int(found[0]), 0) if found else 0
