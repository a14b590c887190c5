"""Intermediate pictures as small JPEGs that can travel."""

from __future__ import annotations

import io

import numpy as np

from backend.media.color import srgb_from_linear
from backend.values import Image

SIDE = 512
"""Pixels of the longer side at most."""


def jpeg_of(image: Image) -> bytes:
    """The first picture of a batch as JPEG, alpha laid over mid grey."""
    from PIL import Image as Pillow

    pixels = np.asarray(image.pixels[0, ..., : 3 if image.channels >= 3 else 1])
    if image.space == "linear":
        pixels = srgb_from_linear(pixels)
    if image.has_alpha:
        alpha = image.pixels[0, ..., 3:]
        pixels = pixels * alpha + 0.5 * (1 - alpha)
    codes = np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * 255).astype(np.uint8)
    shown = Pillow.fromarray(codes[..., 0] if codes.shape[-1] == 1 else codes)
    shown.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    shown.save(file, "JPEG", quality=85)
    return file.getvalue()
