"""Writing a network to a safetensors file, with the adapters that lie over it merged in."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.catalog.header import read_header
from backend.catalog.identify import identify_folder, shipped_knowledge
from backend.catalog.source import read_source
from backend.diffusion.schedule import number
from backend.models.family import Load, family_of
from backend.models.lora.adapter import FAMILY, reference
from backend.models.patch import patch_kinds
from backend.values import Model, Patch

if TYPE_CHECKING:
    from torch import Tensor

    from backend.models.lora.resolve import Delta

PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
STORED = {
    "float32": "F32", "bfloat16": "BF16", "float16": "F16", "float64": "F64", "int64": "I64",
    "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
"""Types of torch by the names that a safetensors header has for them."""

ARCHITECTURES = {
    "sd15": "stable-diffusion-v1",
    "sdxl-base": "stable-diffusion-xl-v1-base",
    "sdxl-refiner": "stable-diffusion-xl-v1-refiner",
    "flux-dev": "flux-1-dev",
    "flux-schnell": "flux-1-schnell",
}
"""What the Stability AI model metadata standard calls a model, by the name of its pack."""

Changes = Mapping[str, Sequence[tuple[float, "Delta"]]]
"""By the name of a weight: the differences that are added to it, each with its strength."""


@dataclass(frozen=True)
class Merged:
    """A network, what is added to its weights, and the patches that this comes from."""

    net: Any
    changes: Changes
    patches: tuple[Patch, ...]


def merge(model: Model, load: Load) -> Merged:
    """The network of a model with what its LoRA patches add to the weights (nothing is added yet).

    Raises:
        CatalogError: a patch is no part of the weights, or its file does not fit.
    """
    laid = tuple(patch for patch in model.patches if patch.strength)
    for patch in laid:
        _check_merges(patch)
    net, card = load(model), family_of(model).card
    changes: dict[str, list[tuple[float, Delta]]] = {}
    for patch in laid:
        from backend.models.lora.resolve import resolve

        for delta in resolve(load(reference(patch)), net, "", card.title):
            changes.setdefault(f"{delta.name}.{delta.part}", []).append((patch.strength, delta))
    return Merged(net, changes, laid)


def _check_merges(patch: Patch) -> None:
    known = patch_kinds().get(patch.kind)
    if patch.kind != FAMILY:
        raise CatalogError(
            f"The patch {known.title if known else patch.kind!r} changes how the model is run and "
            "not its weights, so it cannot be saved with them. Take it out, or put it behind the "
            "node that saves."
        )
    begin, end = number(patch.params, "begin", 0.0), number(patch.params, "end", 1.0)
    if (begin, end) != (0.0, 1.0):
        raise CatalogError(
            f"{Path(patch.source).name} is laid on for a part of the steps ({begin:g} to {end:g}); "
            "weights are the same at all steps. Set its range to 0 to 1, or take it out."
        )


def metadata_of(model: Model, merged: Merged, title: str, provenance: str) -> dict[str, str]:
    """What the file says of itself: ``modelspec.*`` where it is known, what was merged, and how it
    was made, unless ``provenance`` is empty."""
    folder = read_source(model.source)
    loras = [
        {"name": Path(p.source).name, "strength": p.strength, "identity": p.identity}
        for p in merged.patches
    ]
    name = title or " with ".join([folder.path.stem, *(str(each["name"]) for each in loras)])
    found = {"format": "pt", "modelspec.title": name}
    if provenance:
        found["weft"] = provenance
    architecture = _architecture(folder, model.part)
    if architecture:
        found |= {
            "modelspec.sai_model_spec": "1.0.1",
            "modelspec.architecture": architecture,
            "modelspec.implementation": "diffusers",
        }
    if loras:
        found["weft.merged"] = json.dumps(loras)
    return found


def _architecture(folder: ModelFolder, part: str) -> str:
    """The model's name in the metadata standard: what its own file says, or that of its pack."""
    bare = folder.component(part).bare
    if bare is not None and bare.file.suffix == ".safetensors":
        said = read_header(bare.file).metadata.get("modelspec.architecture", "")
        if said:
            return said
    if folder.source.startswith("{"):
        return ARCHITECTURES.get(Path(json.loads(folder.source)["pack"]).name, "")
    return ARCHITECTURES.get(identify_folder(folder, shipped_knowledge()).pack, "")


def write_network(
    path: Path,
    merged: Merged,
    precision: str,
    metadata: Mapping[str, str],
    step: Callable[[int, int], None],
) -> None:
    """Write all tensors under diffusers' names, numbers with a point in ``precision`` (``fp32``,
    ``bf16``, ``fp16``). One is in memory at a time; ``step`` hears how many of all are written.

    Raises:
        CatalogError: a weight is too large for the precision.
        OSError: the file cannot be written.
    """
    import torch

    wanted = getattr(torch, PRECISIONS[precision])
    held = merged.net.state_dict(keep_vars=True)
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    place = 0
    for name, value in held.items():
        dtype = wanted if _is_number(value) else value.dtype
        shape = getattr(value, "quant_shape", value.shape)
        end = place + math.prod(shape) * dtype.itemsize
        kind = STORED[str(dtype).removeprefix("torch.")]
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for done, (name, value) in enumerate(held.items()):
            step(done, len(held))
            file.write(_bytes(_weight(name, value, merged.changes, wanted)))
        step(len(held), len(held))


def _is_number(value: Tensor) -> bool:
    return value.is_floating_point() or hasattr(value, "quant_type")


def _weight(name: str, value: Tensor, changes: Changes, wanted: Any) -> Tensor:
    if not _is_number(value):
        return value.detach().cpu()
    plain = _plain(value.detach() if not hasattr(value, "quant_type") else value)
    for strength, delta in changes.get(name, ()):
        plain = plain + strength * delta.weight().float().view(plain.shape)
    found = plain.to(wanted).cpu()
    if not found.isfinite().all() and plain.isfinite().all():
        raise CatalogError(
            f"{name} has values that are too large for this precision. Save in bf16 or fp32."
        )
    return found


def _plain(value: Tensor) -> Tensor:
    """A weight in float32, whatever it is stored in."""
    if hasattr(value, "quant_type"):
        from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

        value = dequantize_gguf_tensor(value)
    return value.float()


def _bytes(value: Tensor) -> memoryview:
    import torch

    return value.contiguous().reshape(-1).view(torch.uint8).numpy().data
