"""Batches made of pictures and taken apart again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from backend.media.pixels.batches import (
    Check,
    by_rows,
    copied,
    require_pixels,
    require_size,
    seal,
    unchecked,
)
from backend.media.pixels.color import in_space, widen
from backend.sdk import UserError
from backend.values import ColorSpace, Float32, Image


def stack(images: Sequence[Image], check: Check = unchecked) -> Image:
    """One batch of all pictures of all images, in order.

    The result has the curve of the first and as many channels as the richest.

    Raises:
        UserError: there are no images, their sizes differ, or the result has too many pixels.
    """
    if not images:
        raise UserError("There is no image to put into the batch; link one at least.")
    require_size(**{f"image_{i}": (m.width, m.height) for i, m in enumerate(images, 1)})
    count = sum(image.count for image in images)
    require_pixels(images[0].width, images[0].height, count)
    channels = max(image.channels for image in images)
    result = np.empty((count, images[0].height, images[0].width, channels), np.float32)
    pictures = ((image.space, one) for image in images for one in image.pixels)
    for place, (space, one) in zip(result, pictures, strict=True):
        place[:] = by_rows(check, partial(_alike, space, images[0].space, channels), one)
    return images[0].but(seal(result))


def _alike(given: ColorSpace, wanted: ColorSpace, channels: int, pixels: Float32) -> Float32:
    return widen(in_space(pixels, given, wanted), channels)


def unstack(image: Image, check: Check = unchecked) -> list[Image]:
    """The pictures of a batch as images of their own."""
    return [image.but(copied(check, image.pixels[i : i + 1])) for i in range(image.count)]


def taken_range(count: int, first: int, number: int) -> tuple[int, int]:
    """Where ``number`` pictures from ``first`` on begin and end; a negative ``first`` counts back.

    A ``number`` of 0 takes all that follow.

    Raises:
        UserError: the batch does not hold them.
    """
    start = first + count if first < 0 else first
    end = count if number == 0 else start + number
    if not 0 <= start < end <= count:
        asked = "all" if number == 0 else str(number)
        raise UserError(
            f"The batch holds {count} (0 to {count - 1}); {asked} from {first} on are not in it."
        )
    return start, end


def take(image: Image, first: int, number: int, check: Check = unchecked) -> Image:
    """Some pictures of a batch, as ``taken_range`` counts them.

    Raises:
        UserError: the batch does not hold them.
    """
    start, end = taken_range(image.count, first, number)
    return image.but(copied(check, image.pixels[start:end]))
