"""A picture through a network in overlapping tiles, row by row of tiles, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.models.tiling.tiles import Tiling
from backend.values import Float32

Work = Callable[[Float32], Float32]
"""From a piece ``[h, w, c]`` to the same enlarged, ``[h * scale, w * scale, d]``."""


@dataclass(frozen=True)
class Pieces:
    """Square tiles of ``tile`` pixels that share ``overlap`` or more with each neighbour; a
    ``tile`` of 0 is the whole picture.

    Near its edge, where it has seen too little of what lies around, a tile does not count: for a
    quarter of the overlap. Where that is as far as the network looks, a picture in tiles is the
    same as the whole one.
    """

    tile: int
    overlap: int

    def __post_init__(self) -> None:
        if self.tile and not 0 < 2 * self.overlap <= self.tile:
            raise DiffusionError(
                f"Tiles of {self.tile} pixels cannot share {self.overlap} with each neighbour. "
                "Take an overlap above 0 that is no more than half of a tile."
            )

    def tiling(self, height: int, width: int) -> Tiling | None:
        """The tiles of a picture, if it needs several."""
        if not self.tile:
            return None
        found = Tiling(self.tile, self.overlap)
        return found if found.needed(height, width) else None


def enlarge(
    pixels: Float32,
    scale: int,
    channels: int,
    pieces: Pieces,
    work: Work,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Float32:
    """All pictures of a batch ``[b, h, w, c]`` through ``work``: ``[b, h * scale, w * scale, d]``.

    Beside input and result one tile is held at a time, so that memory does not grow with the
    picture. ``told(done, total)`` hears of every tile and may raise to stop. The result is
    read-only.
    """
    count, height, width = pixels.shape[:3]
    tiling = pieces.tiling(height, width)
    places = tiling.places(height, width) if tiling else ((0, 0),)
    made = np.zeros((count, height * scale, width * scale, channels), np.float32)
    done = 0
    for number in range(count):
        for top, left in places:
            told(done, count * len(places))
            done += 1
            if tiling is None:
                made[number] = work(pixels[number])
                continue
            rows, columns = slice(top, top + tiling.size), slice(left, left + tiling.size)
            piece = work(pixels[number, rows, columns])
            piece = piece * fade(tiling, top, height, scale)[:, None, None]
            piece *= fade(tiling, left, width, scale)[None, :, None]
            y, x = top * scale, left * scale
            made[number, y : y + piece.shape[0], x : x + piece.shape[1]] += piece
    told(done, done)
    made.setflags(write=False)
    return made


def fade(tiling: Tiling, start: int, length: int, scale: int) -> Float32:
    """Weights along one side of a tile; those of all tiles add up to 1 at every pixel.

    Neighbours part in the middle of what they share, and fade linearly over half of the overlap
    there; at the rim of the picture weights are 1.
    """
    starts = tiling.starts(length)
    size, index = min(tiling.size, length), starts.index(start)
    places = np.arange(start * scale, (start + size) * scale, dtype=np.float32) + 0.5
    wide = max(1.0, tiling.overlap * scale / 2)

    def risen(after: int) -> Float32:
        """From one tile to the next."""
        middle = (starts[after] + size + starts[after + 1]) / 2 * scale
        return np.asarray(np.clip((places - middle) / wide + 0.5, 0, 1), np.float32)

    weights = np.ones(size * scale, np.float32)
    if index > 0:
        weights *= risen(index - 1)
    if index + 1 < len(starts):
        weights *= 1 - risen(index)
    return weights
