"""Large pictures through a VAE in overlapping tiles, blended where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Protocol

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.values import Float32


@dataclass(frozen=True)
class Tiling:
    """Square tiles of ``size`` cells that share ``overlap`` or more with their neighbours."""

    size: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 < self.overlap < self.size:
            raise DiffusionError(
                f"Tiles of {self.size} cells cannot overlap by {self.overlap}. Take an overlap "
                "above 0 and below the size of a tile."
            )

    def starts(self, length: int) -> tuple[int, ...]:
        """Where tiles begin along a side, evenly, the first at 0 and the last at its end."""
        if length <= self.size:
            return (0,)
        count = -(-(length - self.overlap) // (self.size - self.overlap))
        last = length - self.size
        return tuple(round(i * last / (count - 1)) for i in range(count))

    def cuts(self, length: int) -> tuple[int, ...]:
        """Where each tile's own part begins, and the length at the end: these parts cover a side
        once, and neighbours part in the middle of what they share."""
        starts = self.starts(length)
        middles = [(a + self.size + b) // 2 for a, b in pairwise(starts)]
        return (0, *middles, length)

    def places(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """The first cell (row, column) of every tile, row by row."""
        return tuple(product(self.starts(height), self.starts(width)))

    def needed(self, height: int, width: int) -> bool:
        """Whether a plane has more than one tile."""
        return height > self.size or width > self.size


@dataclass(frozen=True)
class Coding:
    """How pictures go through a VAE: in tiles of ``tile`` pixels a side that share ``overlap``
    pixels (a quarter of the tile where that is 0), whole where ``tile`` is 0; ``wide`` keeps values
    outside 0..1. ``told(done, total)`` hears of every tile and may raise to stop."""

    tile: int = 0
    overlap: int = 0
    wide: bool = False
    told: Callable[[int, int], None] = lambda done, total: None

    def tiling(self, height: int, width: int, factor: int) -> Tiling | None:
        """The tiles for a plane of latent cells of ``factor`` pixels, if it needs any.

        Raises:
            DiffusionError: the overlap is no smaller than the tile.
        """
        if self.tile <= 0:
            return None
        size, shared = max(2, self.tile // factor), self.overlap or self.tile // 4
        overlap = max(1, shared // factor)
        if overlap >= size:
            raise DiffusionError(
                f"Tiles of {size * factor} pixels cannot overlap by {overlap * factor}. Choose an "
                "overlap below the size of a tile, or 0 for a quarter of it."
            )
        tiling = Tiling(size, overlap)
        return tiling if tiling.needed(height, width) else None


WHOLE = Coding()

FRUGAL = 256
"""Pixels of the side of a tile where memory has run out."""


class Frugal(Protocol):
    """Who knows whether memory has run out."""

    @property
    def frugal(self) -> bool:
        """Whether to take as little as can be."""


def tiles_for(ctx: Frugal, tile: int, overlap: int) -> tuple[int, int]:
    """The tile and the overlap that somebody asked for, or small ones where memory has run out."""
    if not ctx.frugal or 0 < tile <= FRUGAL:
        return tile, overlap
    return FRUGAL, min(overlap, FRUGAL // 4)


def blend(
    plane: Float32,
    tiling: Tiling,
    scale: tuple[int, int],
    work: Callable[[Float32], Float32],
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Float32:
    """``work`` on every tile of ``plane`` ``[..., height, width]``, put together by ``join``.

    ``scale`` (numerator, denominator) is how much larger a side of the result is.
    """
    height, width = plane.shape[-2:]
    places, made = tiling.places(height, width), []
    for done, (top, left) in enumerate(places):
        told(done, len(places))
        rows, columns = slice(top, top + tiling.size), slice(left, left + tiling.size)
        made.append(work(plane[..., rows, columns]))
    return join(made, tiling, (height, width), scale)


def join(
    pieces: Sequence[Float32], tiling: Tiling, size: tuple[int, int], scale: tuple[int, int]
) -> Float32:
    """Tiles ``[..., h, w]`` of a plane of ``size`` (height, width) put together.

    Each tile's weight rises linearly over what it shares with a neighbour, so that seams fade;
    where tiles agree the result is what they agree on.
    """
    up, down = scale
    height, width = size
    total = np.zeros((*pieces[0].shape[:-2], height * up // down, width * up // down), np.float32)
    weight = np.zeros(total.shape[-2:], np.float32)
    for (top, left), piece in zip(tiling.places(height, width), pieces, strict=True):
        share = (
            _share(tiling, top, height, up, down)[:, None]
            * _share(tiling, left, width, up, down)[None]
        )
        y, x = top * up // down, left * up // down
        place = (slice(y, y + piece.shape[-2]), slice(x, x + piece.shape[-1]))
        total[(..., *place)] += piece * share
        weight[place] += share
    return np.asarray(total / weight, np.float32)


def _share(tiling: Tiling, start: int, length: int, up: int, down: int) -> Float32:
    """Weights along one side of a tile: rising from its first cell unless it lies at the rim,
    falling to its last likewise."""
    starts = tiling.starts(length)
    size = min(tiling.size, length)
    index = starts.index(start)
    cells = np.ones(size * up // down, np.float32)
    if index > 0:
        shared = (starts[index - 1] + size - start) * up // down
        cells[:shared] *= (np.arange(shared, dtype=np.float32) + 0.5) / shared
    if index + 1 < len(starts):
        shared = (start + size - starts[index + 1]) * up // down
        cells[-shared:] *= (np.arange(shared, dtype=np.float32) + 0.5)[::-1] / shared
    return cells
