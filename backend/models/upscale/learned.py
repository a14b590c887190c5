"""Learned upscalers: a file names one, Spandrel builds it. Light until it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.catalog.disguise import LOOKED_AT, is_pickle, pickle_sentence
from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header
from backend.models.lora.adapter import identity
from backend.values import Float32, Upscaler, Weights

if TYPE_CHECKING:
    from torch import Tensor

FAMILY_NAME = "upscaler"
PART = "network"
_ENDINGS = (".pth", ".pt", ".ckpt", ".bin")


@dataclass(frozen=True, eq=False)
class Learned:
    """A network that enlarges, ready to be called, and what it takes and gives.

    ``scale`` is how much larger a side becomes. ``network`` maps ``[1, channels, h, w]``, 0..1, to
    ``[1, channels, h * scale, w * scale]``. ``whole`` says that it looks at a picture as a whole.
    """

    network: Any
    scale: int
    channels: int
    whole: bool
    title: str
    device: str

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        model = getattr(self.network, "model", self.network)
        return sum(p.numel() * p.element_size() for p in model.parameters())

    def __call__(self, pixels: Float32) -> Float32:
        """One piece ``[h, w, channels]`` enlarged, ``[h * scale, w * scale, channels]``, 0..1.

        Raises:
            CatalogError: the network gives another size than it says.
        """
        import torch

        height, width = pixels.shape[:2]
        given = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).to(self.device)
        with torch.no_grad():
            made: Tensor = self.network(given)
        shape = (1, self.channels, height * self.scale, width * self.scale)
        if tuple(made.shape) != shape:
            raise CatalogError(
                f"The {self.title} network made {list(made.shape)} of a piece, not {list(shape)}. "
                "The file does not hold what its header says; choose another upscaler."
            )
        found: Float32 = made[0].clamp(0, 1).permute(1, 2, 0).float().cpu().numpy()
        return found


def reference(path: Path) -> Upscaler:
    """The link to an upscaler in a safetensors file; its header is read, nothing else.

    Raises:
        CatalogError: it is missing, a pickle, or no sound safetensors file.
    """
    check_file(path)
    return Upscaler(FAMILY_NAME, PART, identity(path), str(path))


def float_bytes(path: Path) -> int:
    """Bytes of a file's weights once they are loaded, which is in float32 whatever they are.

    Raises:
        CatalogError: it is no sound safetensors file.
    """
    return sum(4 * prod(info.shape) for info in read_header(path).tensors.values())


def check_file(path: Path) -> None:
    """Refuse what is no sound safetensors file, by its beginning.

    Raises:
        CatalogError: see above.
    """
    try:
        with path.open("rb") as file:
            start = file.read(LOOKED_AT)
    except OSError as error:
        raise CatalogError(
            f"{path} cannot be read ({error.strerror}). Check that the file exists and may be read."
        ) from error
    if is_pickle(start) or path.suffix.lower() in _ENDINGS:
        raise CatalogError(pickle_sentence(path))
    if not read_header(path).tensors:
        raise CatalogError(f"{path} holds no weights. Get the file again.")


@dataclass(frozen=True)
class UpscalerLoader:
    """Loads upscalers (see ``backend.models.loaders``), in float32."""

    family: str = FAMILY_NAME

    def load(self, weights: Weights, device: str) -> Learned:
        """The network of a file on a device.

        Raises:
            CatalogError: the file is gone or broken, Spandrel is not installed, or knows no such
                upscaler.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from backend.models.upscale.guarded import spandrel

        path = Path(weights.source)
        check_file(path)
        library = spandrel()
        try:
            tensors = load_file(path)
        except (OSError, SafetensorError, RuntimeError) as error:
            raise CatalogError(f"{path} cannot be read ({error}). Get the file again.") from error
        return _built(library, path, tensors, device)


def _built(library: Any, path: Path, tensors: dict[str, Tensor], device: str) -> Learned:
    try:
        known = library.ModelLoader(device=device).load_from_state_dict(tensors)
    except library.UnsupportedModelError as error:
        raise CatalogError(
            f"Spandrel knows no upscaler with the tensors of {path.name} (the first is "
            f"{min(tensors)[:80]}). Choose a file of an upscaler, such as an ESRGAN or a SPAN."
        ) from error
    except CatalogError:
        raise
    except Exception as error:  # each architecture fails in its own way on a broken file
        raise CatalogError(
            f"{path.name} looks like an upscaler, but does not fit together "
            f"({type(error).__name__}: {str(error)[:120]}). Get the file again."
        ) from error
    title = str(known.architecture.name)
    purpose = getattr(known, "purpose", "")
    if not isinstance(known, library.ImageModelDescriptor) or purpose not in ("SR", "Restoration"):
        raise CatalogError(
            f"{path.name} is a {title}, which does not enlarge whole pictures ({purpose}). Choose "
            "an upscaler or a restorer, such as an ESRGAN or a SPAN."
        )
    if known.input_channels not in (1, 3) or known.output_channels != known.input_channels:
        raise CatalogError(
            f"{path.name} takes {known.input_channels} and gives {known.output_channels} channels; "
            "grey and RGB are enlarged here. Choose another upscaler."
        )
    known.model.eval().requires_grad_(False).float()
    whole = known.tiling is not library.ModelTiling.SUPPORTED
    return Learned(known, known.scale, known.input_channels, whole, title, device)
