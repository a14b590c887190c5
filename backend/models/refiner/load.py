"""Loading a refiner's file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.catalog.errors import CatalogError
from backend.models.lora.adapter import identity
from backend.models.refiner.file import Settings, read_settings
from backend.values import Weights

if TYPE_CHECKING:
    from backend.models.refiner.network import Refiner

NAME = "refiner"


def reference(path: Path) -> Weights:
    """The reference to a refiner, for the loader.

    Raises:
        CatalogError: the file is gone or no refiner.
    """
    read_settings(path)
    return Weights(NAME, NAME, identity(path), str(path))


def save(refiner: Refiner, path: Path) -> None:
    """Write a refiner in 16 bits, whole or not at all."""
    import torch
    from safetensors.torch import save_file

    found = {n: t.detach().to(torch.float16).contiguous() for n, t in refiner.state_dict().items()}
    temporary = path.with_suffix(".part")
    save_file(found, temporary, metadata=refiner.settings.as_metadata())
    temporary.replace(path)


@dataclass(frozen=True)
class RefinerLoader:
    """Reads refiners (see ``backend.models.loaders``)."""

    family: str = NAME

    def load(self, weights: Weights, device: str) -> Refiner:
        """The network in float32: it is small, and what it makes is a conditioning.

        Raises:
            CatalogError: the file is gone or broken, or not what its header says.
        """
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from backend.models.refiner.network import Refiner

        path = Path(weights.source)
        settings: Settings = read_settings(path)
        try:
            with torch.device("meta"):
                refiner = Refiner(settings)
            found = {name: tensor.float() for name, tensor in load_file(path).items()}
            refiner.load_state_dict(found, assign=True)
        except (OSError, SafetensorError, RuntimeError, ValueError, TypeError) as error:
            said = " ".join(str(error).split())[:200]
            raise CatalogError(
                f"{path.name} does not load as a refiner ({said}). Get the file again."
            ) from error
        if not all(torch.isfinite(tensor).all() for tensor in found.values()):
            raise CatalogError(f"{path.name} has numbers that are none. Get the file again.")
        return refiner.requires_grad_(False).to(device).eval()


LOADER = RefinerLoader()
