"""Cropping, padding and turning: moves of whole pixels, which keep every value as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend.media.bands import bands
from backend.media.pixels.batches import Check, copied, put, require_pixels, seal, unchecked
from backend.media.pixels.color import channels_for, paint, widen
from backend.sdk import UserError
from backend.values import Color, Float32, Image

Place = Literal["position", "centre"]
Outside = Literal["clamp", "refuse"]
Fill = Literal["color", "edge", "reflect"]
Turn = Literal["90 right", "90 left", "180", "flip horizontal", "flip vertical"]

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are just outside."""


def plan_crop(
    source: tuple[int, int],
    place: Place,
    x: int,
    y: int,
    width: int,
    height: int,
    outside: Outside = "clamp",
) -> Box:
    """The box that a crop keeps of a source (width, height).

    A ``width`` or ``height`` of 0 reaches to the far edge (``position``) or is the whole side
    (``centre``). ``clamp`` keeps the part of the box that lies in the picture.

    Raises:
        UserError: the box lies outside the picture, or hangs over where that is refused.
    """
    w, h = source
    if place == "centre":
        width, height = width or w, height or h
        x, y = (w - width) // 2, (h - height) // 2
    else:
        width, height = width or max(w - x, 0), height or max(h - y, 0)
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, w), min(y + height, h)
    if left >= right or top >= bottom:
        raise UserError(
            f"The crop box at {x}, {y} of {width} x {height} pixels lies outside the picture, "
            f"which is {w} x {h}."
        )
    if outside == "refuse" and (left, top, right, bottom) != (x, y, x + width, y + height):
        raise UserError(
            f"The crop box at {x}, {y} of {width} x {height} pixels hangs over the picture, which "
            f"is {w} x {h}. Make the box smaller, or set `outside` to clamp."
        )
    return left, top, right, bottom


def crop(image: Image, box: Box, check: Check = unchecked) -> Image:
    """The pixels inside a box that lies in the picture."""
    left, top, right, bottom = box
    return image.but(copied(check, image.pixels[:, top:bottom, left:right]))


def pad(
    image: Image,
    left: int,
    top: int,
    right: int,
    bottom: int,
    fill: Fill,
    color: Color,
    check: Check = unchecked,
) -> Image:
    """Add pixels on each side: of one colour, of the border's colour, or mirrored at the border.

    ``reflect`` does not repeat the border pixel and mirrors as often as it takes. A colour that
    the picture has no channel for widens it (grey to RGB, opaque to alpha).

    Raises:
        UserError: a side is negative, or the result has too many pixels.
    """
    width, height = padded_size((image.width, image.height), left, top, right, bottom)
    require_pixels(width, height, image.count)
    if fill == "color":
        channels = channels_for(color, image.channels)
        ground = paint(color, channels, image.space)
        return image.but(framed(image.pixels, (width, height), (left, top), ground, check))
    rows = _source_index(image.height, top, bottom, fill)
    columns = _source_index(image.width, left, right, fill)
    result = np.empty((image.count, height, width, image.channels), np.float32)
    for place, one in zip(result, image.pixels, strict=True):
        for part in bands(height, width * image.channels):
            check()
            place[part] = one[rows[part]][:, columns]
    return image.but(seal(result))


def framed(
    pixels: Float32,
    size: tuple[int, int],
    corner: tuple[int, int],
    ground: Float32,
    check: Check,
) -> Float32:
    """Pictures ``[count, h, w, c]`` on larger ones of ``size`` (width, height) all of one pixel
    ``ground`` ``[channels]``, with their top left corner at ``corner``."""
    (width, height), (left, top) = size, corner
    result = np.empty((len(pixels), height, width, len(ground)), np.float32)
    for place, one in zip(result, pixels, strict=True):
        put(check, place, ground)
        area = place[top : top + one.shape[0], left : left + one.shape[1]]
        for part in bands(len(one), area[:1].size):
            check()
            area[part] = widen(one[part], len(ground))
    return seal(result)


def padded_size(
    source: tuple[int, int], left: int, top: int, right: int, bottom: int
) -> tuple[int, int]:
    """The size (width, height) after ``pad``.

    Raises:
        UserError: a side is negative.
    """
    if min(left, top, right, bottom) < 0:
        raise UserError(
            f"The padding is {left}, {top}, {right}, {bottom} (left, top, right, bottom); it can "
            "only add pixels. Use crop to take some away."
        )
    return source[0] + left + right, source[1] + top + bottom


def _source_index(size: int, before: int, after: int, fill: Fill) -> NDArray[np.int64]:
    """Which source pixel stands at each place of a padded side."""
    places = np.arange(-before, size + after)
    if fill == "edge" or size == 1:
        return np.clip(places, 0, size - 1)
    period = 2 * (size - 1)
    turned = np.mod(places, period)
    return np.where(turned < size, turned, period - turned)


_TURNS: Mapping[Turn, Callable[[Float32], Float32]] = {
    "90 right": lambda pixels: np.rot90(pixels, -1, axes=(1, 2)),
    "90 left": lambda pixels: np.rot90(pixels, 1, axes=(1, 2)),
    "180": lambda pixels: np.rot90(pixels, 2, axes=(1, 2)),
    "flip horizontal": lambda pixels: np.flip(pixels, axis=2),
    "flip vertical": lambda pixels: np.flip(pixels, axis=1),
}


def turn(image: Image, how: Turn, check: Check = unchecked) -> Image:
    """Rotate by quarter turns or mirror."""
    return image.but(copied(check, _TURNS[how](image.pixels)))


def turned_size(width: int | None, height: int | None, how: str) -> tuple[int | None, int | None]:
    """The size after ``turn``."""
    return (height, width) if how.startswith("90") else (width, height)
