"""What CLIP's text encoders say about token numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.errors import DiffusionError
from backend.diffusion.schedule import number
from backend.models.texts import longest
from backend.values import Params

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 77
"""Places that CLIP has for tokens, with the one for the beginning and the one for the end."""

TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast", "PreTrainedTokenizerFast")


def places(folder: ModelFolder, ends: Iterable[str]) -> int:
    """How many tokens a model's texts have; ``ends`` are those of the names of its encoders.

    Raises:
        CatalogError: a tokenizer makes more than its encoder takes.
    """
    lengths = []
    for end in ends:
        tokens = longest(folder.component(f"tokenizer{end}").config, MAX_TOKENS)
        config = folder.component(f"text_encoder{end}").config
        takes = int(config.get("max_position_embeddings", MAX_TOKENS))
        if tokens > takes:
            raise CatalogError(
                f"{folder.path}: the tokenizer makes {tokens} tokens, but its text encoder has "
                f"places for {takes}. These components are of different models."
            )
        lengths.append(tokens)
    return min(lengths)


def states(net: Any, ids: Tensor, back: int, normed: bool) -> tuple[Tensor, Tensor]:
    """Hidden states ``[b, tokens, width]`` and the pooled vector ``[b, width]`` of one chunk.

    ``ids`` ``[b, tokens]`` have their beginning and end and as many tokens as CLIP has places for,
    or fewer. The states are those ``back`` layers before the last, with the final norm if
    ``normed``; the pooled vector is of the last layer, and projected where the model has a
    projection.
    """
    said = net(ids, output_hidden_states=True)
    chosen: Tensor = said.hidden_states[-1 - back]
    if normed:
        # The plain model carries its norm itself, the one with a projection in a model inside.
        chosen = getattr(net, "text_model", net).final_layer_norm(chosen)
    pooled: Tensor = said.text_embeds if hasattr(said, "text_embeds") else said.pooler_output
    return chosen, pooled


def skipped(options: Params, layers: int) -> int:
    """The option ``clip_skip``: how many more layers before the end the states come from.

    Raises:
        DiffusionError: it is out of 0 to ``layers``.
    """
    skip = number(options, "clip_skip", 0)
    if skip != int(skip) or not 0 <= skip <= layers:
        raise DiffusionError(f"clip_skip of this model is 0 to {layers}, not {skip:g}.")
    return int(skip)
