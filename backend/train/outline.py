"""Naming a shape: which of the world's outlines fits a region, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.train.palette import SHAPES
from backend.train.shapes import Array, signed_distance

Mask = NDArray[np.bool_]

_WINDOW: Final = 72  # side of the square in which templates are compared
_SHIFT: Final = 5
_RADII: Final = tuple(float(r) for r in np.arange(14.5, 26.1, 0.5))
_MEAN_OFF: Final = 1.0  # an outline may be off by so many pixels on average ...
_BLOCK_OFF: Final = 5  # ... and nowhere wrong in a whole block of this side
_LEAST_LEAD: Final = 0.05  # how much better the best shape must overlap than the second


@dataclass(frozen=True)
class Outline:
    """The best fit: the shape (None where none fits well), its overlap 0..1, its centre y, x."""

    shape: str | None
    match: float
    y: float
    x: float


@dataclass(frozen=True, eq=False)
class _Templates:
    """Every shape at every radius, its box in the middle of a window.

    ``centres`` (y, x) are relative to the window's middle, ``masks`` float32 [n, window * window],
    ``lengths`` the outlines' lengths in pixels.
    """

    shapes: tuple[str, ...]
    centres: tuple[tuple[float, float], ...]
    masks: Array
    lengths: Array


@cache
def _templates() -> _Templates:
    half = _WINDOW / 2
    grid = np.mgrid[:_WINDOW, :_WINDOW].astype(np.float32) + np.float32(0.5 - half)
    shapes, centres, masks, lengths = [], [], [], []
    for shape in SHAPES:
        for radius in _RADII:
            inside = signed_distance(shape, grid[0], grid[1], radius) < 0
            rows, columns = np.nonzero(inside.any(1))[0], np.nonzero(inside.any(0))[0]
            dy = float(half - (rows[0] + rows[-1] + 1) / 2)
            dx = float(half - (columns[0] + columns[-1] + 1) / 2)
            distance = signed_distance(shape, grid[0] - dy, grid[1] - dx, radius)
            shapes.append(shape)
            centres.append((dy, dx))
            masks.append((distance < 0).ravel())
            lengths.append(float((np.abs(distance) < 1).sum()) / 2)
    stacked: Array = np.stack(masks).astype(np.float32)
    return _Templates(tuple(shapes), tuple(centres), stacked, np.array(lengths, np.float32))


def _well_drawn(wrong: NDArray[np.float32], length: float) -> bool:
    """Whether the wrongly covered pixels [window, window] are few and nowhere a whole block."""
    kernel = np.ones((_BLOCK_OFF, _BLOCK_OFF), np.uint8)
    blocks = cv2.erode(wrong.astype(np.uint8), kernel)
    return float(wrong.sum()) <= _MEAN_OFF * length and not blocks.any()


def fit(mask: Mask, unknown: Mask) -> Outline:
    """The shape that a region bool [h, w] shows best, by overlap at the best place and size.

    The overlap is intersection over union, leaving out the ``unknown`` pixels, where another
    object may hide this one.
    """
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    middle_y, middle_x = (rows[0] + rows[-1] + 1) // 2, (columns[0] + columns[-1] + 1) // 2
    seen = np.pad((mask & ~unknown).astype(np.float32), _WINDOW)
    known = np.pad((~unknown).astype(np.float32), _WINDOW, constant_values=1)
    shifts = [(dy, dx) for dy in range(-_SHIFT, _SHIFT + 1) for dx in range(-_SHIFT, _SHIFT + 1)]
    top, left = middle_y + _WINDOW // 2, middle_x + _WINDOW // 2
    windows = [
        np.s_[top + dy : top + dy + _WINDOW, left + dx : left + dx + _WINDOW] for dy, dx in shifts
    ]
    every = _templates()
    both = every.masks @ np.stack([seen[w].ravel() for w in windows], 1)
    areas = every.masks @ np.stack([known[w].ravel() for w in windows], 1)
    overlap = both / (areas + float(seen.sum()) - both)
    best_of = dict.fromkeys(SHAPES, 0.0)
    for shape, value in zip(every.shapes, overlap.max(1), strict=True):
        best_of[shape] = max(best_of[shape], float(value))
    best, where = (int(i) for i in np.unravel_index(int(overlap.argmax()), overlap.shape))
    shape = every.shapes[best]
    match = best_of.pop(shape)
    template = every.masks[best].reshape(_WINDOW, _WINDOW) * known[windows[where]]
    wrong = np.abs(template - seen[windows[where]])
    clear = match - max(best_of.values()) >= _LEAST_LEAD
    good = clear and _well_drawn(wrong, float(every.lengths[best]))
    (dy, dx), (off_y, off_x) = shifts[where], every.centres[best]
    return Outline(shape if good else None, match, middle_y + dy + off_y, middle_x + dx + off_x)
