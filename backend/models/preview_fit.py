"""From latent cells to colours by a matrix that is fitted to what a VAE has coded.

``colour = cell @ matrix + offset`` by least squares over pairs of a latent cell and the mean colour
of the pixels that it became. Only sums over the pairs are kept (the normal equations), so memory
does not grow; what goes to a file is the result, with the mean and deviation of the cells, from
which like sums can be made again.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from backend.media.color import srgb_from_linear
from backend.values import Float32, Image

Float64 = NDArray[np.float64]

SIDE = 32
"""Cells along a side that are looked at in one picture, at most; they are spread evenly."""

MAX_START = 16 * SIDE**2
"""Cells that an earlier fit counts for at most, so that new pictures can still move it."""

RIDGE = 1e-3
"""Added to the variance of every channel, so that few or flat pictures give no wild matrix."""

MAX_CELL = 100.0
"""Scaled latents lie about 0 with a deviation of about 1; cells beyond this are left out."""

MAX_BYTES = 2**20


@dataclass(frozen=True)
class Factors:
    """A fit: ``matrix`` ``[channels, 3]`` and ``offset`` ``[3]`` give sRGB colours about 0..1.

    ``mean`` and ``deviation`` are of the ``cells`` that it was fitted to, for each channel.
    """

    matrix: Float64
    offset: Float64
    mean: Float64
    deviation: Float64
    cells: int

    @property
    def channels(self) -> int:
        return int(self.matrix.shape[0])

    def colours(self, samples: Float32) -> Float32:
        """Pictures ``[b, h, w, 3]`` in 0..1 of latents ``[b, c, h, w]``, a pixel for a cell."""
        matrix, offset = self.matrix.astype(np.float32), self.offset.astype(np.float32)
        found = np.moveaxis(samples, 1, -1) @ matrix + offset
        return np.asarray(np.clip(np.nan_to_num(found), 0, 1), np.float32)


class Fit:
    """The sums of a fit; each picture adds to them. The order of pictures makes no difference
    beyond rounding."""

    def __init__(self, channels: int, start: Factors | None = None) -> None:
        """``start`` is an earlier fit of as many channels that this one goes on from."""
        self.pictures = 0
        self._squares = np.zeros((channels + 1, channels + 1))
        self._products = np.zeros((channels + 1, 3))
        if start is not None:
            row = np.append(start.mean, 1.0)
            spread = np.append(start.deviation**2, 0.0)
            self._squares = min(start.cells, MAX_START) * (np.outer(row, row) + np.diag(spread))
            self._products = self._squares @ np.vstack([start.matrix, start.offset])

    @property
    def channels(self) -> int:
        return len(self._squares) - 1

    @property
    def cells(self) -> int:
        return int(self._squares[-1, -1])

    def add(self, latent: Float32, image: Image) -> None:
        """Learn from one latent ``[c, h, w]`` and the one picture that belongs to it.

        A picture whose sides are no multiples of the latent's tells nothing and is passed over.
        """
        cells, colours = pairs(latent, image)
        rows = np.concatenate([cells, np.ones((len(cells), 1))], axis=1)
        self._squares += rows.T @ rows
        self._products += rows.T @ colours
        self.pictures += 1

    def solve(self) -> Factors | None:
        """The fit so far; ``None`` before there are four cells for each number that a colour is
        made of."""
        channels, cells = self.channels, self.cells
        if cells < 4 * (channels + 1):
            return None
        ridge = np.append(np.full(channels, RIDGE * cells), 0.0)
        solved = np.linalg.solve(self._squares + np.diag(ridge), self._products)
        found = np.asarray(solved, np.float64)
        mean = self._squares[-1, :-1] / cells
        variance = np.diag(self._squares)[:-1] / cells - mean**2
        deviation = np.sqrt(variance.clip(0))
        return Factors(found[:-1], found[-1], mean, deviation, self.cells)


def pairs(latent: Float32, image: Image) -> tuple[Float64, Float64]:
    """Cells ``[n, c]`` of one latent ``[c, h, w]`` and the mean sRGB colours ``[n, 3]`` of their
    pixels; none where the sizes do not go together."""
    channels, height, width = latent.shape
    pixels = image.pixels[0] if image.channels >= 3 else image.pixels[0].repeat(3, -1)
    if pixels.shape[0] % height or pixels.shape[1] % width:
        return np.zeros((0, channels)), np.zeros((0, 3))
    step = -(-max(height, width) // SIDE)
    some = slice((min(height, width, step) - 1) // 2, None, step)
    blocks = pixels.reshape(height, pixels.shape[0] // height, width, -1, pixels.shape[-1])
    blocks = blocks[some, :, some, :, :3]
    if image.space == "linear":
        blocks = srgb_from_linear(blocks)
    colours = np.clip(blocks, 0, 1).sum(1).sum(2).reshape(-1, 3).astype(np.float64)
    colours /= blocks.shape[1] * blocks.shape[3]
    cells = latent[:, some, some].reshape(channels, -1).T.astype(np.float64)
    sound = (np.abs(cells) < MAX_CELL).all(1) & np.isfinite(colours).all(1)
    return cells[sound], colours[sound]


class _File(msgspec.Struct):
    """A fit in a file."""

    space: str
    cells: int
    matrix: list[tuple[float, float, float]]
    offset: tuple[float, float, float]
    mean: list[float]
    deviation: list[float]


def read_factors(path: Path, space: str) -> Factors | None:
    """The fit of a space in a file; ``None`` where there is none that can be used."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        said = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, ValueError, RecursionError):
        return None
    found = Factors(
        np.array(said.matrix, np.float64).reshape(-1, 3),
        np.array(said.offset, np.float64),
        np.array(said.mean, np.float64),
        np.array(said.deviation, np.float64),
        said.cells,
    )
    lengths = {len(said.matrix), len(said.mean), len(said.deviation)}
    parts = (found.matrix, found.offset, found.mean, found.deviation)
    sound = all(np.abs(part).max(initial=0) < MAX_CELL for part in parts)
    good = said.space == space and said.cells > 0 and len(lengths) == 1 and said.matrix and sound
    return found if good else None


def write_factors(path: Path, space: str, found: Factors) -> None:
    """Put a fit in a file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    said = {
        "space": space,
        "cells": found.cells,
        "offset": _rounded(found.offset),
        "matrix": [_rounded(row) for row in found.matrix],
        "mean": _rounded(found.mean),
        "deviation": _rounded(found.deviation),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".weft-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_text(said))
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink(missing_ok=True)
        raise


def _rounded(values: Float64) -> list[float]:
    return [round(float(value), 6) for value in values]


def _text(said: dict[str, object]) -> str:
    """JSON with a line for each entry."""
    lines = ",\n".join(f'  "{name}": {json.dumps(value)}' for name, value in said.items())
    return f"{{\n{lines}\n}}\n"
