"""Boxes of a layout as masks, and drawn with their captions."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from backend.media.encode import to_srgb
from backend.media.pixels.batches import Check, require_pixels, seal, unchecked
from backend.values import Float32, Image, Layout, Mask

INKS: Final = (
    (86, 156, 244), (244, 140, 60), (92, 190, 110), (232, 92, 140), (168, 124, 240),
    (228, 196, 64), (70, 196, 200), (222, 96, 76),
)  # fmt: skip
"""The colours of boxes in their order, sRGB in 8 bits; the ninth begins anew."""

EMPTY: Final = (40, 42, 48)
"""The ground where there is no picture."""


def masks(layout: Layout, feather: float = 0.0, check: Check = unchecked) -> Mask:
    """One mask for each box in its order, at the layout's size.

    ``feather`` is the width in pixels over which an edge goes from 0 to 1, half of it inside; edges
    at the border of the picture stay hard. Without it a pixel has the share that the box covers.

    Raises:
        UserError: they would have too many pixels.
    """
    require_pixels(layout.width, layout.height, len(layout.boxes))
    found = np.empty((len(layout.boxes), layout.height, layout.width), np.float32)
    for number, box in enumerate(layout.boxes):
        check()
        left, top, right, bottom = box.edges
        across = _ramp(left * layout.width, right * layout.width, layout.width, feather)
        down = _ramp(top * layout.height, bottom * layout.height, layout.height, feather)
        np.multiply(down[:, None], across[None], out=found[number])
    return Mask(seal(found))


def _ramp(low: float, high: float, size: int, feather: float) -> Float32:
    """How much of each of ``size`` pixels lies between two places."""
    middles, wide = np.arange(size) + 0.5, max(feather, 1.0)
    first = np.ones(size) if low <= 0 else np.clip((middles - low) / wide + 0.5, 0, 1)
    last = np.ones(size) if high >= size else np.clip((high - middles) / wide + 0.5, 0, 1)
    return np.asarray(np.maximum(first + last - 1, 0) if feather < 1 else first * last, np.float32)


def draw(layout: Layout, image: Image | None = None, check: Check = unchecked) -> Image:
    """Boxes with their captions over each picture, or over an empty ground at the layout's size.

    The result has three channels, or four over a picture with alpha, and is in sRGB.

    Raises:
        UserError: it would have too many pixels.
    """
    width, height = (image.width, image.height) if image else (layout.width, layout.height)
    require_pixels(width, height, image.count if image else 1)
    colours, cover = _lines(layout, width, height)
    check()
    if image is None:
        ground = np.full((1, height, width, 3), np.array(EMPTY, np.float32) / 255, np.float32)
    else:
        ground = to_srgb(image)
    found = []
    for pixels in ground:
        check()
        alpha = pixels[..., 3:] if pixels.shape[-1] == 4 else np.ones((*cover.shape, 1), np.float32)
        below = alpha * (1 - cover[..., None])
        whole = cover[..., None] + below
        own = np.broadcast_to(pixels[..., :3], (*cover.shape, 3))
        mixed = (colours * cover[..., None] + own * below) / np.maximum(whole, 1e-6)
        found.append(np.concatenate([mixed, whole], -1) if pixels.shape[-1] == 4 else mixed)
    return Image(seal(np.stack(found).astype(np.float32)))


def _lines(layout: Layout, width: int, height: int) -> tuple[Float32, Float32]:
    """Colours ``[h, w, 3]`` of the drawn lines and words, and where they cover, 0..1."""
    from PIL import Image as Picture
    from PIL import ImageDraw

    sheet = Picture.new("RGBA", (width, height))
    pen = ImageDraw.Draw(sheet)
    line = max(1, round(min(width, height) / 220))
    edges = [_inside(box.edges, width, height) for box in layout.boxes]
    for number, edge in enumerate(edges):
        ink = INKS[number % len(INKS)]
        pen.rectangle(edge, fill=(*ink, 36), outline=(*ink, 255), width=line)
    for number, (box, edge) in enumerate(zip(layout.boxes, edges, strict=True)):
        said = " ".join(box.caption.split()) or str(number + 1)
        _write(pen, said, edge, INKS[number % len(INKS)], min(width, height))
    drawn = np.asarray(sheet, np.float32) / np.float32(255)
    return drawn[..., :3], drawn[..., 3]


def _inside(
    edges: tuple[float, float, float, float], width: int, height: int
) -> tuple[int, int, int, int]:
    """Whole pixels of a box, at least one each way."""
    left, top = min(int(edges[0] * width), width - 1), min(int(edges[1] * height), height - 1)
    right = min(max(round(edges[2] * width) - 1, left), width - 1)
    return left, top, right, min(max(round(edges[3] * height) - 1, top), height - 1)


def _write(pen: Any, text: str, edge: tuple[int, int, int, int], ink: Any, side: int) -> None:
    """A caption in its box's upper left corner, cut to the box, on the box's colour."""
    from PIL import ImageFont

    size = min(28, max(9, side // 24))
    font = ImageFont.load_default(size)
    left, top, right, bottom = edge
    room, high = right - left - 5, size + 4
    if room < size or bottom - top < high:
        return
    text = text[:400]  # no box holds more
    shown = text
    while shown and font.getlength(shown if shown == text else shown + "…") > room:
        shown = shown[:-1]
    if not shown:
        return
    shown = shown if shown == text else shown.rstrip() + "…"
    pen.rectangle((left, top, left + int(font.getlength(shown)) + 6, top + high), fill=(*ink, 255))
    pen.text((left + 3, top + high / 2), shown, fill=(16, 18, 22, 255), font=font, anchor="lm")
