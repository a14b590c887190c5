"""Pictures and videos of Weft in the form that every pipeline takes: lists of Pillow pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.media.color import srgb_from_linear
from backend.values import Float32, Image, Mask, Video

MOST_PIXELS = 1 << 28
"""Pixels of all frames of a video together."""

KEEP_ALPHA = ("QwenImageLayeredPipeline",)
"""Pipelines that want RGBA; the others get the colours as they are, without alpha."""


def pillow_pictures(value: Image | Mask | Video, kind: Any) -> Any:
    """Pictures as 8-bit Pillow ones: a single one for a batch of one, else a list of them.

    A mask is grey; a video is always a list.

    Raises:
        DiffusionError: a video is too long to be held as a whole.
    """
    if isinstance(value, Mask):
        found = [_pillow(m[..., None]) for m in value.coverage]
    elif isinstance(value, Video):
        if value.frames * value.width * value.height > MOST_PIXELS:
            raise DiffusionError(
                f"A pipeline holds all frames of a video at once, and {value.frames} of "
                f"{value.width}x{value.height} are too many. Put Trim video or Resize video before "
                "it."
            )
        return [p for batch in value.chunks() for p in _pictures(batch, kind)]
    else:
        found = list(_pictures(value, kind))
    return found[0] if len(found) == 1 else found


def _pictures(image: Image, kind: Any) -> Iterable[Any]:
    keep = kind.__name__ in KEEP_ALPHA
    for pixels in image.pixels:
        colour = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels, 3, axis=2)
        if image.space == "linear":
            colour = srgb_from_linear(colour)
        if keep and image.has_alpha:
            colour = np.concatenate([colour, pixels[..., 3:]], axis=2)
        yield _pillow(colour)


def _pillow(pixels: Float32) -> Any:
    from PIL import Image as Pil

    codes = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return Pil.fromarray(codes[..., 0] if codes.shape[2] == 1 else codes)
