"""Networks of the libraries' classes whose weights are yet to be read: what is where in which file.

The libraries turn the names and shapes in files into those of their networks. They are handed
weights that hold nothing yet (``HeldTensor``), which keep account of what is done to them; so this
costs no reading, and whatever a library does is done.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, dtype

    from backend.memory.source import Source

# transformers patches torch for the moment in which it makes a network.
_MAKING = threading.Lock()


@dataclass(frozen=True)
class Network:
    """A network without its weights, what reads them, and the names of those that its files lack.

    Without a source the weights are there already: the library's own way was taken.
    """

    module: Any
    source: Source | None
    lacking: tuple[str, ...] = ()


def diffusers_network(kind: Any, path: Path, files: list[Path], wanted: dtype) -> Network | None:
    """A network of diffusers as its ``from_pretrained`` would make it.

    None where that does more than to put the files' weights in their places: classes with a way of
    their own, and quantised configs.

    Raises:
        ValueError, CatalogError: the weights do not fit the config, or cannot be read.
    """
    import torch

    from backend.memory.skeleton import absent, assign, hollow
    from backend.memory.source import Source, faces_of
    from backend.memory.stored import stored_in

    config = kind.load_config(str(path), local_files_only=True)
    chosen = _own_class(kind, config)
    if chosen is None or config.get("quantization_config") is not None:
        return None
    source = Source(faces_of(files))
    stored = {name: each for file in files for name, each in stored_in(file).items()}
    with hollow(wanted):
        module = chosen.from_config(config)
    if any(buffer.is_meta for buffer in module.buffers()):
        return None
    state = absent(stored, source, wanted)
    module._fix_state_dict_keys_on_load(state)  # noqa: SLF001
    whole = chosen._keep_in_fp32_modules or ()  # noqa: SLF001
    kept = {whole} if isinstance(whole, str) else set(whole)

    def dtype_of(name: str) -> dtype:
        return torch.float32 if kept & set(name.split(".")) else wanted

    lacking = assign(module, state, dtype_of)
    module.register_to_config(_name_or_path=str(path))
    return Network(module, source, tuple(sorted(lacking)))


def _own_class(kind: Any, config: Any) -> Any:
    """The class that ``from_pretrained`` makes, if it is the general one that does it."""
    from diffusers.models.modeling_utils import LegacyModelMixin, ModelMixin

    if kind.from_pretrained.__func__ is ModelMixin.from_pretrained.__func__:
        return kind
    if kind.from_pretrained.__func__ is LegacyModelMixin.from_pretrained.__func__:
        from diffusers.models.model_loading_utils import _fetch_remapped_cls_from_config

        return _fetch_remapped_cls_from_config(config, kind)
    return None


def transformers_network(kind: Any, path: Path, files: list[Path], wanted: dtype) -> Network | None:
    """A network of transformers as its ``from_pretrained`` makes it, with its rules for the names
    and shapes in files. None for quantised configs.

    Raises:
        ValueError, CatalogError: the weights do not fit the config, or cannot be read.
    """
    from backend.memory.skeleton import absent
    from backend.memory.source import Source, faces_of
    from backend.memory.stored import stored_in

    settings = kind.config_class.from_pretrained(str(path), local_files_only=True)
    if getattr(settings, "quantization_config", None) is not None:
        return None
    source = Source(faces_of(files))
    stored = {name: each for file in files for name, each in stored_in(file).items()}
    module, lacking = transformers_state(kind, settings, absent(stored, source, wanted), wanted)
    module.config.name_or_path = str(path)
    if module.can_generate():
        module.generation_config = _generation(path)
    return Network(module, source, lacking)


def transformers_state(
    kind: Any, settings: Any, state: dict[str, Tensor], wanted: dtype
) -> tuple[Any, tuple[str, ...]]:
    """A network with these weights, and the names of those that are lacking or do not fit."""
    with _MAKING:
        module, info = kind.from_pretrained(
            None, config=settings, state_dict=state, dtype=wanted, output_loading_info=True
        )
    wrong = [str(each) for each in info["mismatched_keys"]]
    return module, tuple(sorted(info["missing_keys"]) + sorted(wrong))


def _generation(path: Path) -> Any:
    from transformers import GenerationConfig

    if (path / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(str(path), local_files_only=True)
    return GenerationConfig.from_pretrained(
        str(path), config_file_name="config.json", _from_model_config=True, local_files_only=True
    )


def finished(network: Network, device: str, hold: bool = True) -> Any:
    """The module of a network, in eval mode, without gradients, its buffers on ``device``; with a
    sheet (``backend.memory.sheet``) that its weights can be read by."""
    import torch

    from backend.memory.sheet import Sheet, give_sheet, sheet_of

    module = network.module
    module.requires_grad_(False)
    if network.source is None:
        return module.to(device).eval()
    give_sheet(module, Sheet(module, network.source, torch.device(device), hold))
    sheet = sheet_of(module)
    known = set() if sheet is None else set(sheet.stored)
    whole = [name for name, _ in module.named_parameters() if name not in known]
    _place_plain(module, device)
    if whole:
        _tell_whole(type(module).__name__, whole)
    return module.eval()


def _place_plain(module: Any, device: str) -> None:
    """Bring to a device what stands in no sheet: buffers, and weights that were made already."""
    from backend.memory.held import HeldTensor

    for each in module.modules():
        for own, buffer in list(each.named_buffers(recurse=False)):
            setattr(each, own, buffer.to(device))
        for value in each.parameters(recurse=False):
            if not isinstance(value, HeldTensor):
                value.data = value.data.to(device)


def _tell_whole(kind: str, names: Iterable[str]) -> None:
    """Say which weights had to be read at once, since the library computes with them."""
    said = list(names)
    shown = ", ".join(said[:3])
    logging.getLogger(__name__).info(
        "%s: %d weights were read at once, since they are not in the file as they are needed (%s)",
        kind, len(said), shown,
    )  # fmt: skip
