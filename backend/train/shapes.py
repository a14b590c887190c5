"""Shapes as signed distances: negative inside, in pixels, so that edges anti-alias exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def _length(y: Array, x: Array) -> Array:
    return np.sqrt(y * y + x * x)


def _circle(y: Array, x: Array) -> Array:
    return _length(y, x) - np.float32(0.95)


def _box(y: Array, x: Array, half_height: float, half_width: float) -> Array:
    dy, dx = np.abs(y) - half_height, np.abs(x) - half_width
    outside = _length(np.maximum(dy, 0), np.maximum(dx, 0))
    return outside + np.minimum(np.maximum(dy, dx), 0)


def _square(y: Array, x: Array) -> Array:
    return _box(y, x, 0.86, 0.86)


def _cross(y: Array, x: Array) -> Array:
    both: Array = np.minimum(_box(y, x, 1.0, 0.36), _box(y, x, 0.36, 1.0))
    return both


def _ring(y: Array, x: Array) -> Array:
    middle: Array = np.abs(_length(y, x) - np.float32(0.76))
    return middle - np.float32(0.24)


@cache
def _corners(points: int, inner: float) -> tuple[tuple[float, float], ...]:
    """Corners (y, x) of a star with its first point up; ``inner`` 0 leaves out the inner ones."""
    count = points * 2 if inner else points
    radii = [1.1 if not inner or i % 2 == 0 else inner for i in range(count)]
    angles = [2 * math.pi * i / count for i in range(count)]
    return tuple((-r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True))


def _polygon(y: Array, x: Array, corners: tuple[tuple[float, float], ...]) -> Array:
    best = np.full(y.shape, np.inf, np.float32)
    inside = np.zeros(y.shape, bool)
    for (ay, ax), (by, bx) in zip(corners, corners[1:] + corners[:1], strict=True):
        ey, ex = by - ay, bx - ax
        wy, wx = y - ay, x - ax
        along = np.clip((wy * ey + wx * ex) / (ey * ey + ex * ex), 0, 1)
        best = np.minimum(best, (wy - along * ey) ** 2 + (wx - along * ex) ** 2)
        crosses = (ay > y) != (by > y)
        if ey:
            inside ^= crosses & (wx < ex * wy / ey)
    distance = np.sqrt(best)
    return np.where(inside, -distance, distance)


def _triangle(y: Array, x: Array) -> Array:
    return _polygon(y - 0.2, x, _corners(3, 0.0))


def _star(y: Array, x: Array) -> Array:
    return _polygon(y, x, _corners(5, 0.47))


_DISTANCES: dict[str, Callable[[Array, Array], Array]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "ring": _ring,
    "cross": _cross,
}


def signed_distance(shape: str, y: Array, x: Array, radius: float) -> Array:
    """Distance in pixels to the outline of a shape, negative inside.

    ``y`` and ``x`` are pixel offsets from the shape's centre (any equal shapes), ``radius`` its
    half extent in pixels (no part lies farther than 1.3 radii from the centre).
    """
    with np.errstate(invalid="ignore"):
        unit = _DISTANCES[shape](y / np.float32(radius), x / np.float32(radius))
    return (unit * radius).astype(np.float32)


def coverage(distance: Array) -> Array:
    """How much of each pixel the shape covers, 0..1, from its signed distance in pixels."""
    covered: Array = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    return covered
