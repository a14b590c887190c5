"""Intermediate pictures as small JPEGs that can travel."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from backend.media.color import srgb_from_linear
from backend.values import Data, Image, Layers, Mask
from backend.values.arrays import Float32

SIDE = 512
"""Pixels of the longer side at most."""


def picture_of(values: Mapping[str, Data]) -> bytes:
    """The first picture among the outputs of a step as JPEG, a mask as grey, layers laid over each
    other; empty without one."""
    for value in values.values():
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, Image):
            return jpeg_of(first)
        if isinstance(first, Mask):
            return jpeg_of(Image(first.coverage[:1, ..., None]))
        if isinstance(first, Layers):
            return jpeg_of(_glance(first))
    return b""


def _glance(stack: Layers) -> Image:
    """The picture of a stack, of every so many pixels only where that is enough to be seen."""
    from backend.media.pixels.flatten import flatten

    step = max(max(stack.width, stack.height) // (2 * SIDE), 1)
    if step == 1:
        return flatten(stack)
    small = [
        each.but(pixels=each.pixels[::step, ::step], x=each.x // step, y=each.y // step)
        for each in stack.layers
    ]
    width, height = max(stack.width // step, 1), max(stack.height // step, 1)
    return flatten(Layers(width, height, tuple(small)))


def jpeg_of(image: Image) -> bytes:
    """The first picture of a batch as JPEG, alpha laid over mid grey."""
    from PIL import Image as Pillow

    whole = _reduced(image.pixels[0])
    pixels = np.asarray(whole[..., : 3 if image.channels >= 3 else 1])
    if image.space == "linear":
        pixels = srgb_from_linear(pixels)
    if image.has_alpha:
        alpha = whole[..., 3:]
        pixels = pixels * alpha + 0.5 * (1 - alpha)
    codes = np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * 255).astype(np.uint8)
    shown = Pillow.fromarray(codes[..., 0] if codes.shape[-1] == 1 else codes)
    shown.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    shown.save(file, "JPEG", quality=85)
    return file.getvalue()


def _reduced(pixels: Float32) -> Float32:
    """A large picture ``[height, width, channels]`` by a whole factor smaller, but not below twice
    ``SIDE``, so that what follows costs the same for every size."""
    height, width = pixels.shape[:2]
    factor = max(height, width) // (2 * SIDE)
    if factor < 2:
        return pixels
    import cv2

    size = (max(width // factor, 1), max(height // factor, 1))
    small: Float32 = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return small.reshape(size[1], size[0], -1)
