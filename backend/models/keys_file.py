"""The file of a model that was tuned for compressed keys: how its tensors are named. Light.

It is an adapter of whole differences (``transformer.MODULE.diff``) with two convolutions more for
each compressed attention, and says in its metadata for which ratio and layers it was tuned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header

CONVOLUTION = "compressed_keys.{n}.{what}"
"""The name of the convolution of the ``key`` or the ``value`` of attention number ``n``."""

RATIO, LAYERS, FAMILY = "weft.keys.ratio", "weft.keys.layers", "weft.keys.family"
"""Names in the metadata: ratio, numbers of layers with commas between, and the family."""


@dataclass(frozen=True)
class TunedFor:
    """What a file was tuned for."""

    ratio: int
    layers: tuple[int, ...]
    family: str


def tuned_for(path: Path) -> TunedFor:
    """What a file says that it was tuned for, from its header.

    Raises:
        CatalogError: it is no sound safetensors file, or none that was tuned for compressed keys.
    """
    said = read_header(path).metadata
    try:
        layers = tuple(int(n) for n in said[LAYERS].split(","))
        return TunedFor(int(said[RATIO]), layers, said[FAMILY])
    except (KeyError, ValueError) as error:
        raise CatalogError(
            f"{path.name} does not say that it was tuned for compressed keys. Choose a file that "
            "`python -m backend.train keys` wrote."
        ) from error
