"""A weight as it lies in a file: where its bytes are and how they are to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from types import MappingProxyType

from backend.catalog.gguf import BLOCKS, read_gguf
from backend.catalog.header import ITEM_BITS, read_header

_GROUPS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {name: (weights, nbytes) for name, weights, nbytes in BLOCKS.values()}
)


@dataclass(frozen=True)
class Stored:
    """One weight in a file.

    ``form`` is the safetensors name of a type (``F16``, ``F8_E4M3``) or a GGUF type of blocks
    (``Q4_K``); ``shape`` is that of the weight, in torch's order; ``ranges`` are the places of its
    bytes in the file, offset and length, one after the other by the weight's rows: one range,
    unless rows from several places make up the weight. ``scale`` is what the stored numbers are to
    be multiplied by, a weight of its own beside it.
    """

    file: Path
    form: str
    shape: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]
    scale: Stored | None = None

    @property
    def nbytes(self) -> int:
        """Bytes in the file, without the scale's."""
        return sum(length for _, length in self.ranges)

    @property
    def numel(self) -> int:
        """How many numbers it is."""
        return prod(self.shape)

    @property
    def quantised(self) -> bool:
        """Whether its numbers lie in blocks with factors of their own, as only GGUF has them."""
        return self.form not in ITEM_BITS

    def reshaped(self, shape: Sequence[int]) -> Stored | None:
        """The same numbers in another shape, if that is how they lie in the file.

        None where a scale goes along the rows and the rows would become others.
        """
        shape = tuple(shape)
        if prod(shape) != self.numel:
            return None
        if self.scale is not None and self.scale.numel != 1:
            here = len(self.scale.shape)
            same = shape[:here] == self.shape[:here] and len(shape) == len(self.shape)
            if not same:
                return None
        return replace(self, shape=shape)

    def rows(self, start: int, stop: int) -> Stored | None:
        """The rows from ``start`` up to ``stop``; None if a row is no whole number of bytes."""
        if not self.shape or not 0 <= start <= stop <= self.shape[0]:
            return None
        per, rest = divmod(self.nbytes, self.shape[0]) if self.shape[0] else (0, 0)
        group = _GROUPS.get(self.form, (1, 0))[0] if self.quantised else 1
        if rest or prod(self.shape[1:]) % group:
            return None
        scale = self.scale
        if scale is not None and scale.numel != 1:
            by_row = (len(scale.shape), scale.shape[0]) == (len(self.shape), self.shape[0])
            scale = scale.rows(start, stop) if by_row else None
            if scale is None:
                return None
        ranges = _cut(self.ranges, start * per, stop * per)
        return replace(self, shape=(stop - start, *self.shape[1:]), ranges=ranges, scale=scale)


def joined(parts: Sequence[Stored]) -> Stored | None:
    """The rows of several weights as one; None where they lie in several files or in forms that
    differ."""
    first = parts[0]
    same = (first.file, first.form, first.scale, first.shape[1:])
    if not first.shape or any((p.file, p.form, p.scale, p.shape[1:]) != same for p in parts):
        return None
    if first.scale is not None and first.scale.numel != 1:
        return None
    ranges: list[tuple[int, int]] = []
    for start, length in (each for part in parts for each in part.ranges):
        if ranges and sum(ranges[-1]) == start:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + length)
        else:
            ranges.append((start, length))
    rows = sum(part.shape[0] for part in parts)
    return replace(first, shape=(rows, *first.shape[1:]), ranges=tuple(ranges))


def stored_in(file: Path) -> dict[str, Stored]:
    """All weights of a safetensors or GGUF file by name, from its header alone.

    Raises:
        CatalogError: the file is missing, cut short or something else.
    """
    if file.suffix.lower() == ".gguf":
        packed = read_gguf(file)
        shapes, places = packed.shapes, packed.offsets
        return {
            name: Stored(file, info.dtype, shapes[name], ((places[name], info.nbytes),))
            for name, info in packed.tensors.items()
        }
    header = read_header(file)
    offsets = header.offsets
    return {
        name: Stored(file, info.dtype, info.shape, ((offsets[name], info.nbytes),))
        for name, info in header.tensors.items()
    }


def _cut(ranges: Sequence[tuple[int, int]], start: int, stop: int) -> tuple[tuple[int, int], ...]:
    """The part from ``start`` up to ``stop`` of bytes that lie in several ranges."""
    found, place = [], 0
    for offset, length in ranges:
        low, high = max(start - place, 0), min(stop - place, length)
        if low < high:
            found.append((offset + low, high - low))
        place += length
    return tuple(found)
