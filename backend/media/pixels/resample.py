"""Resizing: where the source lands in the result, and the filters that carry it there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backend.media.pixels.batches import Check, map_items, require_pixels, unchecked
from backend.media.pixels.color import channels_for, in_space, paint, split, unpremultiply, widen
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
        inner = _resample_straight(in_space(pixels, image.space, working), fit, filter)
        return in_space(inner, working, image.space)

    pixels = map_items(check, one, image.pixels)
    if fit.inner == fit.size:
        return image.but(pixels)
    channels = channels_for(color, image.channels)
    left, top = (fit.size[0] - fit.inner[0]) // 2, (fit.size[1] - fit.inner[1]) // 2
    framed = np.empty((image.count, fit.size[1], fit.size[0], channels), np.float32)
    framed[:] = paint(color, channels, image.space)
    area = framed[:, top : top + fit.inner[1], left : left + fit.inner[0]]
    area[:] = widen(pixels, channels)
    framed.setflags(write=False)
    return image.but(framed)


def _resample_straight(pixels: Float32, fit: Fit, filter: Filter) -> Float32:
    """Resample ``[h, w, c]``, colours weighted by alpha so that hidden ones do not bleed."""
    colors, alpha = split(pixels)
    if alpha is None or filter == "nearest" or bool(np.all(alpha == 1)):
        resampled = _resample(colors, fit, filter)
        return resampled if alpha is None else _join(resampled, _resample(alpha, fit, filter))
    premultiplied = _resample(np.concatenate([colors * alpha, alpha], axis=-1), fit, filter)
    hazy = premultiplied[..., 3:]
    straight = unpremultiply(premultiplied[..., :3], hazy)
    # Where little alpha is left, the lobes of a filter can divide to any colour; hold those in
    # the range of the colours that were visible.
    seen = colors[alpha[..., 0] > 0]
    if len(seen):
        held = np.clip(straight, seen.min(axis=0), seen.max(axis=0))
        straight = np.where(hazy < 1, held, straight)
    return _join(straight, np.clip(hazy, 0, 1))


def _join(colors: Float32, alpha: Float32) -> Float32:
    return np.concatenate([colors, alpha], axis=-1)


def _resample(pixels: Float32, fit: Fit, filter: Filter) -> Float32:
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
        plane = Pillow.fromarray(np.ascontiguousarray(pixels[..., channel]))
        result[..., channel] = np.asarray(plane.resize(fit.inner, kernel, box=fit.box))
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
