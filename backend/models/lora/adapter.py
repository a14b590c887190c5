"""An adapter file in memory, and how it is named on links. Light until it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import blake3

from backend.catalog.controlnets import is_controlnet
from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header
from backend.models.lora.names import Parsed, parse
from backend.values import Float32, Patch, Weights

if TYPE_CHECKING:
    from torch import Tensor

FAMILY = "lora"
CONTROL = "control_tokens"
"""The kind of patch by which a model follows a picture."""
LAYOUT = "layout_tokens"
"""The kind of patch by which a model puts things into boxes."""
FORM = "weft.form"
"""What kind of adapter a file says that it is, in its metadata; one that says none is a LoRA."""
ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "control": "a control: it follows a picture. Lay it on with the node Control LoRA",
        "layout": "a layout adapter: it puts things into boxes. Lay it on with the node Layout "
        "adapter",
        "enlarge": "an upscale adapter. Lay it on with the node Upscale adapter, or use it in "
        "Enlarge by model",
        "layers": "a Layers LoRA: it takes pictures apart. Use it in Decompose into layers",
    }
)
"""Forms of adapters that more is laid on with than factors: what they are, and their node."""

GIVES = "weft.gives"
"""What a file says in its metadata that it teaches a model, such as to heed references."""


@dataclass(frozen=True)
class Adapter:
    """All tensors of an adapter file, by their names in it, on one device."""

    path: Path
    tensors: Mapping[str, Tensor]

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(t.numel() * t.element_size() for t in self.tensors.values())


def lora_patch(path: Path, family: str, strength: float, begin: float, end: float) -> Patch:
    """The patch that lays a file over the denoiser of a family's model, from its header.

    Raises:
        CatalogError: it is broken, no LoRA, for another family, or for text encoders alone.
    """
    check_lora(path, family, on_text=False)
    if other := ELSEWHERE.get(form_of(path)):
        raise CatalogError(f"{path.name} is {other}.")
    patch = plain_patch(path, strength, begin, end)
    gives = read_header(path).metadata.get(GIVES, "")
    return replace(patch, params={**patch.params, "gives": gives}) if gives else patch


def control_patch(
    path: Path,
    family: str,
    strength: float,
    span: tuple[float, float],
    picture: Float32,
    cache: bool = True,
) -> Patch:
    """The patch by which a family's model follows a picture, whose clean latent ``picture`` is
    ``[1 or count, c, h, w]``; ``span`` is the range of steps as fractions.

    Raises:
        CatalogError: the file is broken, for another family, or no control.
    """
    check_lora(path, family, on_text=False)
    if form_of(path) != "control":
        raise CatalogError(
            f"{path.name} does not say that it is a control. Lay it on with the node LoRA, or "
            "choose a file that Train adapter made with the form control."
        )
    params = {"begin": span[0], "end": span[1], "cache": int(cache)}
    return Patch(CONTROL, strength, params, identity(path), str(path), {"picture": picture})


def layout_patch(
    path: Path,
    family: str,
    strength: float,
    span: tuple[float, float],
    boxes: Float32,
    words: Float32,
) -> Patch:
    """The patch by which a family's model puts things into ``boxes`` ``[1 or count, n, 4]`` with
    the vectors of their captions ``[1 or count, n, width]``; ``span`` is the range of steps.

    Raises:
        CatalogError: the file is broken, for another family, or no layout adapter.
    """
    check_lora(path, family, on_text=False)
    if form_of(path) != "layout":
        raise CatalogError(
            f"{path.name} does not say that it is a layout adapter. Lay it on with the node LoRA, "
            "or choose a file that Train adapter made with the form layout."
        )
    tensors = {"boxes": boxes, "words": words}
    params = {"begin": span[0], "end": span[1]}
    return Patch(LAYOUT, strength, params, identity(path), str(path), tensors)


def layers_patch(path: Path, family: str) -> Patch:
    """The patch that lays a Layers LoRA over a family's model.

    Raises:
        CatalogError: the file is broken, for another family, or no Layers LoRA.
    """
    check_lora(path, family, on_text=False)
    if form_of(path) != "layers":
        raise CatalogError(
            f"{path.name} does not say that it takes pictures apart. Choose a file that Train "
            "adapter made with the form layers."
        )
    return replace(plain_patch(path, 1.0, 0.0, 1.0), params={"gives": "references"})


def form_of(path: Path) -> str:
    """What kind of adapter a file says that it is: ``text``, ``reference``, ``control``,
    ``layout`` or "".

    Raises:
        CatalogError: it is no sound safetensors file.
    """
    return read_header(path).metadata.get(FORM, "")


def plain_patch(path: Path, strength: float, begin: float, end: float) -> Patch:
    """The patch that lays a file over a denoiser, without a look at what it is for."""
    return Patch(FAMILY, strength, {"begin": begin, "end": end}, identity(path), str(path))


def text_patch(path: Path, family: str, strength: float) -> Patch:
    """The patch that lays a file over the text encoders of a family's model, from its header.

    Raises:
        CatalogError: it is broken, no LoRA, for another family, or has nothing for text encoders.
    """
    check_lora(path, family, on_text=True)
    return Patch(FAMILY, strength, {}, identity(path), str(path))


def check_lora(path: Path, family: str, on_text: bool) -> None:
    """See from its header that a file is a LoRA for a family's denoiser or text encoders.

    Raises:
        CatalogError: it is not.
    """
    found = check_file(path)
    _check_family(path, family)
    if on_text and not any(entry.part for entry in found.entries):
        raise CatalogError(
            f"{path.name} has nothing for text encoders. Take this node out, the LoRA node is "
            "enough."
        )
    if not on_text and not any(entry.part == "" for entry in found.entries):
        raise CatalogError(
            f"{path.name} changes text encoders alone. Lay it on with the node LoRA on text."
        )


def unused(path: Path) -> str:
    """A sentence on what of an adapter file has no effect, or "" if there is no such thing.

    Raises:
        CatalogError: it is no sound safetensors file.
    """
    return parse(read_header(path).tensors).unused


def _check_family(path: Path, family: str) -> None:
    from backend.catalog.identify import identify_file, shipped_knowledge

    known, _ = identify_file(path, shipped_knowledge())
    if known.families and family not in known.families:
        title = known.title or f"LoRA for {known.family}"
        raise CatalogError(
            f"{path.name} is a {title}, and this model is of the "
            f"family {family}. Choose a LoRA for this family."
        )


def identity(path: Path) -> str:
    """``blake3:`` over the contents of an adapter file; they are small."""
    hasher = blake3.blake3(max_threads=blake3.blake3.AUTO)
    hasher.update_mmap(path)
    return "blake3:" + hasher.hexdigest()


def check_file(path: Path) -> Parsed:
    """What an adapter's header says.

    Raises:
        CatalogError: it is no sound safetensors file, or no LoRA that can be laid on.
    """
    found = parse(read_header(path).tensors)
    if found.form:
        raise CatalogError(
            f"{path} holds an adapter of the form {found.form}, which cannot be laid on here; "
            "LoRA, LoHa and LoKr can. Get the LoRA version of it, or convert it with the tool that "
            "made it."
        )
    if found.torn:
        raise CatalogError(
            f"{path} is not whole: {len(found.torn)} of its modules lack a factor, the first is "
            f"{found.torn[0]}. Get the file again."
        )
    if not found.entries:
        if is_controlnet(path):
            raise CatalogError(
                f"{path.name} is a ControlNet, not a LoRA. Name it in the node Load ControlNet, "
                "and lay it on with Apply ControlNet."
            )
        raise CatalogError(
            f"{path} is no LoRA: it has no pair of low-rank factors and no difference of a weight. "
            "Choose a LoRA file."
        )
    return found


def reference(patch: Patch) -> Weights:
    """The reference to a patch's file, for the loader."""
    return Weights(FAMILY, "adapter", patch.identity, patch.source)


@dataclass(frozen=True)
class AdapterLoader:
    """Reads adapter files."""

    family: str = FAMILY

    def load(self, weights: Weights, device: str) -> Any:
        """The ``Adapter`` of a file, in float32 on the CPU, in bfloat16 on other devices.

        Raises:
            CatalogError: the file is gone or broken.
        """
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = Path(weights.source)
        check_file(path)
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        try:
            found = load_file(path, device=device)
        except (OSError, SafetensorError, RuntimeError) as error:
            raise CatalogError(f"{path} cannot be read ({error}). Get the file again.") from error
        return Adapter(  # an alpha is one number, and stays exact
            path, {n: t.to(dtype) if t.numel() > 1 else t.float() for n, t in found.items()}
        )


LOADER = AdapterLoader()
