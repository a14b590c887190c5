"""Laying one picture over another, with coverage, opacity and a blend mode."""

from __future__ import annotations

import numpy as np

from backend.media.pixels.batches import (
    Check,
    by_rows,
    copied,
    map_items,
    map_rows,
    require_pixels,
    require_size,
    shared_count,
    unchecked,
)
from backend.media.pixels.blend import BlendMode, blend_colors
from backend.media.pixels.color import in_space, paint, split, widen, with_alpha
from backend.values import Color, Float32, Image, Mask


def composite(
    image: Image,
    background: Image,
    mask: Mask | None = None,
    x: int = 0,
    y: int = 0,
    opacity: float = 1.0,
    mode: BlendMode = "normal",
    check: Check = unchecked,
) -> Image:
    """Put ``image`` over ``background`` with its top left corner at ``x``, ``y``.

    The result has the background's size, transfer curve and alpha; what hangs over is cut off.
    Where the image has no coverage the background's values come through unchanged.

    Raises:
        UserError: the mask is not as large as the image, batches do not match, or the result has
            too many pixels.
    """
    coverage: Float32 = np.broadcast_to(np.float32(1), (1, image.height, image.width))
    if mask is not None:
        require_size(mask=(mask.width, mask.height), image=(image.width, image.height))
        coverage = mask.coverage
    counts = {"image": image.count, "background": background.count, "mask": len(coverage)}
    require_pixels(background.width, background.height, shared_count(**counts))
    channels = composite_channels(image.channels, background.channels)
    columns, own_columns = overlap(background.width, image.width, x)
    rows, own_rows = overlap(background.height, image.height, y)

    def one(top: Float32, back: Float32, amount: Float32) -> Float32:
        result = by_rows(check, lambda rows: np.array(widen(rows, channels)), back)
        area = result[rows, columns]
        if area.size:
            parts = (top[own_rows, own_columns], amount[own_rows, own_columns], area)
            area[:] = by_rows(check, laid, *parts)
        return result

    def laid(top: Float32, amount: Float32, area: Float32) -> Float32:
        colors, alpha = split(in_space(top, image.space, background.space))
        covered = np.clip(amount[..., None] * np.float32(opacity), 0, 1)
        covered = covered if alpha is None else covered * np.clip(alpha, 0, 1)
        return over(colors, covered, area, mode)

    return background.but(map_items(check, one, image.pixels, background.pixels, coverage))


def over(
    source: Float32, covered: Float32, backdrop: Float32, mode: BlendMode, clip: bool = False
) -> Float32:
    """Source-over with blending on straight alpha, ``[h, w, channels]``; the backdrop's channels.
    ``clip`` keeps what a mode gives in 0..1.

    W3C Compositing and Blending Level 1: the source colour is first mixed with the backdrop,
    ``Cs = (1 - ab) Cs + ab B(Cb, Cs)``, then ``ao = as + ab (1 - as)`` and
    ``Co = (as Cs + ab (1 - as) Cb) / ao``, written here as a mix of ``Cs`` and ``Cb`` by
    ``as / ao`` so that no coverage gives the backdrop to the bit.
    """
    behind, alpha = split(backdrop)
    if behind.shape[-1] == 3:
        source = widen(source, 3)
    if mode != "normal":
        blended = blend_colors(behind, source, mode)
        blended = np.clip(blended, 0, 1) if clip else blended
        source = blended if alpha is None else source * (1 - alpha) + blended * alpha
    if alpha is None:
        return source * covered + behind * (1 - covered)
    together = covered + alpha * (1 - covered)
    share = np.where(together > 0, covered / np.where(together > 0, together, 1), 0)
    return with_alpha(source * share + behind * (1 - share), together[..., 0])


def composite_channels(image: int, background: int) -> int:
    """Channels of a composite: alpha if the background has it, colour if either has."""
    return 4 if background == 4 else max(background, min(image, 3))


def solid(width: int, height: int, color: Color, count: int = 1, check: Check = unchecked) -> Image:
    """Pictures of one colour: RGB, or RGBA where the colour is not opaque.

    Raises:
        UserError: the result has no or too many pixels.
    """
    require_pixels(width, height, count)
    channels = 4 if color.alpha < 1 else 3
    shape = (count, height, width, channels)
    return Image(copied(check, np.broadcast_to(paint(color, channels, "srgb"), shape)))


def alpha_of(image: Image, check: Check = unchecked) -> Mask:
    """The alpha of a picture; 1 everywhere where it has none."""
    opaque: Float32 = np.broadcast_to(np.float32(1), image.pixels.shape[:3])
    return Mask(copied(check, image.pixels[..., 3] if image.has_alpha else opaque))


def without_alpha(image: Image, check: Check = unchecked) -> Image:
    """The colours alone, as they are; nothing is composited."""
    return image.but(copied(check, image.pixels[..., :3])) if image.has_alpha else image


def joined_alpha(image: Image, mask: Mask, check: Check = unchecked) -> Image:
    """The colours of a picture with a mask as its alpha, in place of any that it had.

    Raises:
        UserError: the sizes differ, or batches do not match.
    """
    require_size(mask=(mask.width, mask.height), image=(image.width, image.height))
    count = shared_count(image=image.count, mask=mask.count)
    require_pixels(image.width, image.height, count)
    return image.but(
        map_rows(check, lambda c, a: with_alpha(c[..., :3], a), image.pixels, mask.coverage)
    )


def overlap(frame: int, length: int, start: int) -> tuple[slice, slice]:
    """Where a side laid at ``start`` meets a frame: the part of the frame, and of the side."""
    first, last = min(max(start, 0), frame), max(min(start + length, frame), 0)
    last = max(first, last)
    return slice(first, last), slice(first - start, last - start)
