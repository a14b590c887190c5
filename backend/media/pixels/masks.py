"""Arithmetic on masks: combining, growing, and making them from pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.media.bands import bands
from backend.media.pixels.batches import (
    Check,
    by_rows,
    copied,
    map_items,
    map_rows,
    require_pixels,
    require_size,
    seal,
    shared_count,
    unchecked,
)
from backend.media.pixels.color import luminance, oklab, paint, split, widen
from backend.values import Color, Float32, Image, Mask

How = Literal["union", "intersect", "subtract", "exclude"]
Channel = Literal["luminance", "red", "green", "blue", "alpha"]
Shape = Literal["rectangle", "ellipse"]

Reals: TypeAlias = NDArray[np.float64]

_STRIP = 2**20  # pixels of an ellipse that are worked on together
_SUBROWS = 16  # how finely an ellipse's edge is measured in height; in width it is exact


def combine(first: Mask, second: Mask, how: How, check: Check = unchecked) -> Mask:
    """Set operations on soft masks: ``max``, ``min``, ``1 - x`` (L. Zadeh, "Fuzzy sets", 1965).

    Union is the larger, intersection the smaller, subtraction ``min(a, 1 - b)``, exclusion (xor)
    the union less the intersection. On masks of 0 and 1 these are the usual ones; a soft edge
    united with itself stays as it is.

    Raises:
        UserError: the sizes differ, or batches do not match.
    """
    require_size(mask=(first.width, first.height), other=(second.width, second.height))
    count = shared_count(mask=first.count, other=second.count)
    require_pixels(first.width, first.height, count)

    return Mask(map_rows(check, _SETS[how], first.coverage, second.coverage))


_SETS: Mapping[How, Callable[[Float32, Float32], Float32]] = {
    "union": np.maximum,
    "intersect": np.minimum,
    "subtract": lambda a, b: np.minimum(a, 1 - b),
    "exclude": lambda a, b: np.minimum(np.maximum(a, b), 1 - np.minimum(a, b)),
}


def grow(mask: Mask, radius: float, check: Check = unchecked) -> Mask:
    """Grow a mask by a disc of ``radius`` pixels, or shrink it where the radius is negative.

    Each pixel becomes the largest (smallest) value whose centre is within the radius (grey
    dilation and erosion by a flat disc): exact on hard masks, and a soft edge moves as it is.
    Beyond the border there is nothing that could grow in or eat away.
    """
    if abs(radius) < 1:
        return mask
    if radius < 0:
        outside = map_rows(check, np.negative, mask.coverage)
        grown = map_items(check, lambda a: _dilate(a, -radius, check), outside)
        return Mask(map_rows(check, np.negative, grown))
    return Mask(map_items(check, lambda a: _dilate(a, radius, check), mask.coverage))


def _dilate(values: Float32, radius: float, check: Check) -> Float32:
    """The maximum over a disc, as the maximum over its rows.

    Rows are taken from the outermost inwards, so that the running maximum over a row's width only
    ever widens: about two passes over the picture per pixel of radius.
    """
    result = values.copy()
    reach = math.floor(radius)
    wide, half = values, 0
    for dy in range(reach, -1, -1):
        wanted = math.floor(math.sqrt(radius * radius - dy * dy))
        while half < wanted:
            step = min(wanted - half, 2 * half + 1)
            wide = by_rows(check, partial(_widen_rows, step=step), wide)
            half += step
        if dy == 0:
            _raise(result, wide, check)
        elif dy < len(values):
            _raise(result[dy:], wide[:-dy], check)
            _raise(result[:-dy], wide[dy:], check)
    return result


def _raise(place: Float32, least: Float32, check: Check) -> None:
    """Make the values of a place at least as large as others."""
    for rows in bands(len(place), place[:1].size):
        check()
        np.maximum(place[rows], least[rows], out=place[rows])


def _widen_rows(values: Float32, step: int) -> Float32:
    """The maximum of every value and those ``step`` to its left and right."""
    result = values.copy()
    if step < values.shape[1]:
        np.maximum(result[:, step:], values[:, :-step], out=result[:, step:])
        np.maximum(result[:, :-step], values[:, step:], out=result[:, :-step])
    return result


def invert(mask: Mask, check: Check = unchecked) -> Mask:
    """What is in goes out: ``1 - mask``."""
    return Mask(map_rows(check, lambda rows: 1 - rows, mask.coverage))


def from_channel(image: Image, channel: Channel, check: Check = unchecked) -> Mask:
    """A mask from one channel, clamped to 0..1; ``luminance`` keeps greys as they are.

    A grey picture has its value in each colour; a picture without alpha is 1 there.
    """

    def one(pixels: Float32) -> Float32:
        if channel == "luminance":
            value = luminance(pixels, image.space)
        else:
            value = widen(pixels, 3)[..., ("red", "green", "blue", "alpha").index(channel)]
        return np.clip(value, 0, 1)

    if channel == "alpha" and not image.has_alpha:
        return Mask(copied(check, np.broadcast_to(np.float32(1), image.pixels.shape[:3])))
    return Mask(map_rows(check, one, image.pixels))


def from_color(
    image: Image, color: Color, tolerance: float, softness: float, check: Check = unchecked
) -> Mask:
    """Where a picture has a colour: 1 up to a distance ``tolerance``, 0 from ``softness`` beyond.

    Distances are taken in Oklab, where black and white are 1 apart; coverage falls linearly and
    is weighted by alpha.
    """
    wanted = oklab(paint(color, 3, image.space), image.space)

    def one(pixels: Float32) -> Float32:
        colors, alpha = split(pixels)
        away = np.sqrt(np.sum((oklab(colors, image.space) - wanted) ** 2, axis=-1)) - tolerance
        near = np.clip(1 - away / softness, 0, 1) if softness > 1e-6 else away <= 0
        result: Float32 = near.astype(np.float32)
        return result if alpha is None else result * np.clip(alpha[..., 0], 0, 1)

    return Mask(map_rows(check, one, image.pixels))


def to_image(mask: Mask, check: Check = unchecked) -> Image:
    """The mask as a grey picture: 0 black, 1 white."""
    return Image(copied(check, mask.coverage[..., None]))


def draw_shape(
    size: tuple[int, int],
    shape: Shape,
    left: float,
    top: float,
    width: float,
    height: float,
    check: Check = unchecked,
) -> Mask:
    """A rectangle, or the ellipse in it, on a mask of ``size`` (width, height).

    Pixels on the edge have the share that the shape covers of them (of an ellipse to within one
    in a thousand or so), so places and sizes may be fractional.

    Raises:
        UserError: the mask has no or too many pixels.
    """
    require_pixels(*size)
    total = np.zeros((1, size[1], size[0]), np.float32)
    if shape == "rectangle":
        rows = _covered(size[1], np.array([top]), np.array([top + height]))
        columns = _covered(size[0], np.array([left]), np.array([left + width]))
        for part in bands(size[1], size[0]):
            check()
            total[0, part] = rows.T[part] * columns
        return Mask(seal(total))
    strip = max(1, _STRIP // size[0])
    for first in range(0, size[1], strip):
        rows = total[0, first : first + strip]
        for subrow in range(_SUBROWS):
            check()
            y = np.arange(first, first + len(rows), dtype=np.float64)
            y += (subrow + 0.5) / _SUBROWS
            starts, ends = _chords(y, left, top, width, height)
            rows += _covered(size[0], starts, ends) / np.float32(_SUBROWS)
        np.minimum(rows, 1, out=rows)
    return Mask(seal(total))


def _chords(y: Reals, left: float, top: float, width: float, height: float) -> tuple[Reals, Reals]:
    """Where the ellipse in a box begins and ends at the heights ``y``; empty outside it."""
    middle, half = left + width / 2, height / 2
    if half <= 0:
        return np.full_like(y, middle), np.full_like(y, middle)
    ratio = np.minimum(np.abs(y - (top + half)), half) / half
    chord = width / 2 * np.sqrt(1 - ratio**2)
    return middle - chord, middle + chord


def _covered(length: int, starts: Reals, ends: Reals) -> Float32:
    """How much of each of ``length`` unit cells the spans cover, ``[spans, length]``."""
    cells = np.arange(length)[None, :]
    first = np.maximum(cells, starts[:, None])
    last = np.minimum(cells + 1, ends[:, None])
    covered: Float32 = np.maximum(last - first, 0).astype(np.float32)
    return covered
