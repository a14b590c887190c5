"""Loading a language model's network, tokenizer and processor with transformers' own classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.catalog.components import read_json
from backend.catalog.errors import CatalogError
from backend.catalog.folder import NETWORK, ModelFolder, read_folder
from backend.models.language.reference import FAMILY_NAME, check
from backend.models.loading import load_module, stay_offline
from backend.values import Weights

if TYPE_CHECKING:
    from backend.models.language.tokens import TokenTable

_FAULTS = (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError, RuntimeError)


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer of transformers, and the table of its tokens once somebody needs it."""

    hf: Any

    @cached_property
    def table(self) -> TokenTable:
        """The bytes of each token; takes about a second for a large vocabulary."""
        from backend.models.language.tokens import TokenTable

        return TokenTable.of(self.hf)


@dataclass(frozen=True)
class LanguageLoader:
    """Loads the parts of a language model (see ``backend.models.loaders``)."""

    family: str = FAMILY_NAME

    def load(self, weights: Weights, device: str) -> Any:
        """The network on ``device`` (float32 on the CPU, else bfloat16), the ``Tokenizer``, or the
        processor, as ``weights.part`` says.

        No code of the folder is run: ``auto_map`` is not followed, and the class must be one of
        transformers' own.

        Raises:
            CatalogError: a class or file is missing, unknown or broken.
        """
        folder = read_folder(Path(weights.source))
        check(folder)
        stay_offline()
        if weights.part == "processor" and weights.part not in folder.components:
            raise CatalogError(
                f"{folder.path} cannot see pictures: it has no processor (preprocessor_config.json)"
                ". Choose an image-text model, or get the missing file."
            )
        component = folder.component(weights.part)
        if weights.part == "tokenizer":
            return _tokenizer(folder.path)
        if weights.part == "processor":
            return _processor(folder)
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
        kind = _network_class(folder.path, component.kind, "auto_map" in component.config)
        module = load_module("transformers", kind, folder.path, device, dtype, component.variant)
        module.generation_config = _plain_generation(module.generation_config)
        return module


LOADER = LanguageLoader()


def _network_class(path: Path, kind: str, own_code: bool) -> Any:
    """The class of transformers called ``kind``, if it writes text."""
    import transformers
    from transformers.models.auto import modeling_auto

    known: set[str] = set()
    for table in (
        modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    ):
        for names in table.values():
            known.update([names] if isinstance(names, str) else names)
    if kind in known and hasattr(transformers, kind):
        return getattr(transformers, kind)
    why = (
        "it comes with code of its own (auto_map), which is never run here"
        if own_code
        else "transformers has no such model that writes text"
    )
    raise CatalogError(
        f"{path} asks for the class {kind!r}, but {why}. Choose a causal language model or an "
        "image-text model that transformers knows itself."
    )


def _plain_generation(found: Any) -> Any:
    """Only the special tokens of a folder's generation settings: how to choose tokens is the
    node's affair, and a setting that it does not show would be a hidden one."""
    from transformers import GenerationConfig

    names = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    return GenerationConfig(**{name: getattr(found, name, None) for name in names})


def _tokenizer(path: Path) -> Tokenizer:
    import transformers

    load = transformers.AutoTokenizer.from_pretrained
    found = _tried(path, "tokenizer", lambda: load(str(path), **_LOCAL))
    template = path / "chat_template.json"
    if not getattr(found, "chat_template", None) and template.is_file():
        found.chat_template = read_json(template).get("chat_template")
    return Tokenizer(found)


_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def _processor(folder: ModelFolder) -> Any:
    """The processor, without its part for videos: that one needs torchvision."""
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

    model_type = str(folder.component(NETWORK).config.get("model_type", ""))
    named = folder.component("processor").kind
    name = named if named.endswith("Processor") and named != "Processor" else None
    name = name or PROCESSOR_MAPPING_NAMES.get(model_type)
    base = getattr(transformers, str(name), None) if name else None
    if not isinstance(base, type) or not issubclass(base, transformers.ProcessorMixin):
        raise CatalogError(
            f"{folder.path} asks for the processor class {named!r}, which transformers does not "
            "have. Choose an image-text model that transformers knows itself."
        )
    load = _without_videos(base).from_pretrained
    return _tried(folder.path, "processor", lambda: load(str(folder.path), **_LOCAL))


def _without_videos(base: Any) -> Any:
    attributes = [name for name in base.get_attributes() if "video" not in name]
    own = {"get_attributes": classmethod(lambda cls: attributes), "__module__": base.__module__}
    # Under its own name, because transformers asks for some processors by it.
    return type(base.__name__, (base,), own)


def _tried(path: Path, what: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except _FAULTS as error:
        said = " ".join(str(error).split())[:200]
        raise CatalogError(
            f"The {what} in {path} cannot be read ({said}). Get the {what} files again."
        ) from error
