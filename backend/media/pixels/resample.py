"""Resizing: where the source lands in the result, and the filters that carry it there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backend.media.bands import bands
from backend.media.pixels.batches import (
    Check,
    by_rows,
    map_items,
    put,
    require_pixels,
    unchecked,
)
from backend.media.pixels.color import (
    channels_for,
    in_space_by_rows,
    paint,
    premultiply,
    split,
    unpremultiply,
)
from backend.media.pixels.frames import framed
from backend.sdk import UserError
from backend.values import Color, Float32, Image

By = Literal["size", "scale", "longest side"]
Mode = Literal["stretch", "fit", "fill", "pad"]
Filter = Literal["nearest", "bilinear", "bicubic", "lanczos", "area"]

BLACK = Color(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Fit:
    """A resize as geometry: ``box`` of the source (left, top, right, bottom; may be fractional)
    becomes ``inner`` (width, height), which lies centred in the result of ``size``."""

    size: tuple[int, int]
    inner: tuple[int, int]
    box: tuple[float, float, float, float]


def target_size(
    source: tuple[int, int],
    by: By,
    width: int = 0,
    height: int = 0,
    scale: float = 1.0,
    side: int = 0,
) -> tuple[int, int]:
    """The box (width, height) that is asked for; a side of 0 follows from the proportions.

    Raises:
        UserError: the scale is no number above 0.
    """
    w, h = source
    if by == "scale":
        if not 0 < scale < math.inf:
            raise UserError(f"The scale is {scale:g}; it must be a number above 0.")
        return _whole(w * scale), _whole(h * scale)
    if by == "longest side":
        return (side, _whole(h * side / w)) if w >= h else (_whole(w * side / h), side)
    if width and height:
        return width, height
    if width:
        return width, _whole(h * width / w)
    return (_whole(w * height / h), height) if height else source


def plan_resize(
    source: tuple[int, int], target: tuple[int, int], mode: Mode = "stretch", multiple: int = 1
) -> Fit:
    """Lay a source (width, height) into a target.

    ``stretch`` fills the target and ignores proportions; ``fit`` keeps them and may come out
    smaller; ``fill`` keeps them and cuts off what hangs over, centred; ``pad`` keeps them and
    leaves a margin. The sides of the result are multiples of ``multiple``.

    Raises:
        UserError: the result has no pixels or too many.
    """
    (w, h), (tw, th) = source, (_multiple(target[0], multiple), _multiple(target[1], multiple))
    require_pixels(tw, th)
    inside = min(tw / w, th / h)
    inner = (min(tw, _whole(w * inside)), min(th, _whole(h * inside)))
    whole = (0.0, 0.0, float(w), float(h))
    if mode == "fit":
        size = (_multiple(inner[0], multiple, tw), _multiple(inner[1], multiple, th))
        return Fit(size, size, whole)
    if mode == "pad":
        return Fit((tw, th), inner, whole)
    if mode == "fill":
        outside = max(tw / w, th / h)
        bw, bh = min(w, tw / outside), min(h, th / outside)
        left, top = (w - bw) / 2, (h - bh) / 2
        return Fit((tw, th), (tw, th), (left, top, left + bw, top + bh))
    return Fit((tw, th), (tw, th), whole)


def resize(
    image: Image,
    fit: Fit,
    filter: Filter = "lanczos",
    linear: bool = False,
    color: Color = BLACK,
    check: Check = unchecked,
) -> Image:
    """Resample every picture of a batch by a plan; the margin of ``pad`` gets ``color``.

    When shrinking the filter is widened by the factor, so that detail is averaged and not
    skipped (all filters but ``nearest``). Colours are weighted by alpha. ``linear`` computes in
    linear light. ``bicubic`` is Keys' kernel with a = -0.5, ``lanczos`` has three lobes, ``area``
    averages what each new pixel covers; kernels are cut off at the border and normalised.

    Raises:
        UserError: the batch has too many pixels.
    """
    require_pixels(*fit.size, image.count)
    working = "linear" if linear else image.space

    def one(pixels: Float32) -> Float32:
        light = in_space_by_rows(check, pixels, image.space, working)
        inner = _resample_straight(light, fit, filter, check)
        return in_space_by_rows(check, inner, working, image.space)

    pixels = map_items(check, one, image.pixels)
    if fit.inner == fit.size:
        return image.but(pixels)
    channels = channels_for(color, image.channels)
    corner = (fit.size[0] - fit.inner[0]) // 2, (fit.size[1] - fit.inner[1]) // 2
    ground = paint(color, channels, image.space)
    return image.but(framed(pixels, fit.size, corner, ground, check))


def _resample_straight(pixels: Float32, fit: Fit, filter: Filter, check: Check) -> Float32:
    """Resample ``[h, w, c]``, colours weighted by alpha so that hidden ones do not bleed."""
    colors, alpha = split(pixels)
    if alpha is None or filter == "nearest" or _is_opaque(alpha, check):
        resampled = _resample(colors, fit, filter, check)
        if alpha is None:
            return resampled
        return _join(resampled, _resample(alpha, fit, filter, check))
    # Where little alpha is left, the lobes of a filter can divide to any colour; hold those in
    # the range of the colours that were visible.
    least, most = _seen(colors, alpha, check)

    def straight(mixed: Float32) -> Float32:
        hazy = mixed[..., 3:]
        colors = unpremultiply(mixed[..., :3], hazy)
        held = np.where(hazy < 1, np.clip(colors, least, most), colors)
        return _join(held, np.clip(hazy, 0, 1))

    mixed = _resample(by_rows(check, premultiply, pixels), fit, filter, check)
    return by_rows(check, straight, mixed)


def _is_opaque(alpha: Float32, check: Check) -> bool:
    for rows in bands(len(alpha), alpha[:1].size):
        check()
        if not np.all(alpha[rows] == 1):
            return False
    return True


def _seen(colors: Float32, alpha: Float32, check: Check) -> tuple[Float32, Float32]:
    """The least and the most of each channel where a picture is not fully clear."""
    found = []
    for rows in bands(len(colors), colors[:1].size):
        check()
        part = colors[rows][alpha[rows][..., 0] > 0]
        if len(part):
            found.append((part.min(axis=0), part.max(axis=0)))
    if not found:
        return np.full(1, -np.inf, np.float32), np.full(1, np.inf, np.float32)
    least, most = zip(*found, strict=True)
    return np.min(least, axis=0), np.max(most, axis=0)


def _join(colors: Float32, alpha: Float32) -> Float32:
    return np.concatenate([colors, alpha], axis=-1)


def _resample(pixels: Float32, fit: Fit, filter: Filter, check: Check) -> Float32:
    """Resample the channels of ``[h, w, c]`` by themselves, in float32."""
    from PIL import Image as Pillow

    height, width, channels = pixels.shape
    if fit.inner == (width, height) and fit.box == (0, 0, width, height):
        return pixels
    kernel = {
        "nearest": Pillow.Resampling.NEAREST,
        "bilinear": Pillow.Resampling.BILINEAR,
        "bicubic": Pillow.Resampling.BICUBIC,
        "lanczos": Pillow.Resampling.LANCZOS,
        "area": Pillow.Resampling.BOX,
    }[filter]
    result = np.empty((fit.inner[1], fit.inner[0], channels), np.float32)
    for channel in range(channels):
        check()
        put(check, result[..., channel], _plane(pixels[..., channel], fit, kernel, check))
    return result


def _plane(plane: Float32, fit: Fit, kernel: Any, check: Check) -> Float32:
    """One channel: its rows, then the columns of what comes of them.

    Pillow by itself takes the order that is less work, and the last bit depends on it.
    """
    from PIL import Image as Pillow

    (width, height), (left, top, right, bottom) = fit.inner, fit.box

    def part(
        values: Float32, size: tuple[int, int], box: tuple[float, float, float, float]
    ) -> Float32:
        whole = Pillow.fromarray(np.ascontiguousarray(values))
        return np.asarray(whole.resize(size, kernel, box=box))

    wide = np.empty((len(plane), width), np.float32)
    for rows in bands(len(plane), max(width, plane.shape[1])):
        check()
        count = rows.stop - rows.start
        wide[rows] = part(plane[rows], (width, count), (left, 0, right, count))
    result = np.empty((height, width), np.float32)
    put(check, result, np.zeros(1, np.float32))  # the first columns would wait for all its memory
    for columns in bands(width, max(height, len(plane))):
        check()
        count = columns.stop - columns.start
        result[:, columns] = part(wide[:, columns], (count, height), (0, top, count, bottom))
    return result


def _whole(length: float) -> int:
    """A length in whole pixels: the nearest, halves up, never none."""
    return max(1, math.floor(length + 0.5))


def _multiple(length: int, of: int, most: int | None = None) -> int:
    """The nearest multiple that is at least ``of`` and, where given, at most ``most``."""
    if of <= 1:
        return length
    near = max(of, _whole(length / of) * of)
    return near if most is None else min(near, most)
