"""Room around a picture, and a soft mask of what is new."""

from __future__ import annotations

import numpy as np

from backend.media.pixels.batches import seal
from backend.media.pixels.frames import padded_size
from backend.sdk import UserError
from backend.values import Float32, Mask

Sides = tuple[int, int, int, int]
"""Pixels that are added left, at the top, right and at the bottom."""


def new_area(size: tuple[int, int], sides: Sides, feather: int) -> Mask:
    """1 in what was added to a picture of ``size`` (width, height), falling to 0 over ``feather``
    pixels inside the picture along the sides that grew.

    Raises:
        UserError: nothing is added, or what is new would reach across the picture.
    """
    left, top, right, bottom = sides
    check(size, sides, feather)
    width, height = padded_size(size, left, top, right, bottom)
    across = _ramp(width, left, right, feather)
    down = _ramp(height, top, bottom, feather)
    return Mask(seal(np.maximum(across[None, None, :], down[None, :, None])))


def check(size: tuple[int, int], sides: Sides, feather: int) -> None:
    """Refuse what is no room.

    Raises:
        UserError: nothing is added, or what is new would reach across the picture.
    """
    left, top, right, bottom = sides
    if not any(sides):
        raise UserError("Nothing is added. Set left, top, right or bottom above 0.")
    for grows, side, name in (
        (left + right, size[0], "wide"),
        (top + bottom, size[1], "high"),
    ):
        if grows and feather * 2 > side:
            raise UserError(
                f"The picture is {side} pixels {name}, so that a feather of {feather} pixels "
                f"would leave nothing of it as it was. Take at most {side // 2}."
            )


def _ramp(length: int, before: int, after: int, feather: int) -> Float32:
    """Coverage along one axis."""
    place = np.arange(length, dtype=np.float32) + 0.5
    found = np.zeros(length, np.float32)
    reach = max(feather, 1e-6)
    if before:
        found = np.maximum(found, 1 - (place - before) / reach)
    if after:
        found = np.maximum(found, 1 - (length - after - place) / reach)
    return np.clip(found, 0, 1).astype(np.float32)
