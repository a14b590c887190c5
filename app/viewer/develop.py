"""From float pixels to the bytes of a screen: exposure, channels, and how many pixels become one.

Everything here is numpy on small pieces, so that a view can ask for what it shows and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.viewer.picture import ALL, LUMINANCE, Curve, Picture
from backend.media.color import linear_from_srgb, srgb_from_linear
from backend.media.pixels.color import luminance
from backend.values import Float32

Codes = NDArray[np.uint8]

NEAREST_ABOVE = 2.0
"""Device pixels per pixel above which each pixel is drawn as one plain square."""


_BAND = 16
"""Rows of a smaller copy that are made at once."""


@dataclass(frozen=True, slots=True)
class Development:
    """How pixels are turned to what is seen: exposure in stops, and the channel that is shown
    (``ALL``, ``LUMINANCE`` or a number)."""

    stops: float = 0.0
    channel: int = ALL


def exposed(values: Float32, picture: Picture, stops: float) -> Float32:
    """Values of a picture as they are shown, 0..1 in sRGB; any shape, numbers that are none are 0.

    ``2^stops`` multiplies linear light; plain numbers are first brought to 0..1 by the range of
    the picture, then multiplied.
    """
    gain = np.float32(2.0**stops)
    if picture.curve == "plain":
        span = np.float32(picture.high - picture.low)
        shown = (values - np.float32(picture.low)) * (gain / span)
    elif picture.curve == "linear":
        shown = srgb_from_linear(np.fmax(values, 0) * gain)
    elif stops:
        shown = srgb_from_linear(linear_from_srgb(np.fmax(values, 0)) * gain)
    else:
        shown = values
    # ``fmax`` and ``fmin`` take the other number where one is none.
    return np.asarray(np.fmin(np.fmax(shown, 0), 1), np.float32)


def codes(values: Float32, picture: Picture, development: Development) -> Codes:
    """Pixels ``[height, width, channels]`` as blue, green, red and alpha, premultiplied: the
    bytes of a ``QImage`` of 32 bits on this machine's order."""
    alpha = None
    if development.channel == ALL and picture.has_alpha:
        alpha = np.fmin(np.fmax(values[..., 3], 0), 1)
    shown = exposed(_chosen(values, picture, development.channel), picture, development.stops)
    made = np.empty((*values.shape[:2], 4), np.uint8)
    if alpha is None:
        made[..., 3] = 255
    else:
        made[..., 3] = np.rint(alpha * 255)
        shown = shown * alpha[..., None]
    made[..., :3] = np.rint(shown * 255)[..., ::-1]
    return made


def _chosen(values: Float32, picture: Picture, channel: int) -> Float32:
    """The one or three channels that are seen."""
    if channel == LUMINANCE and picture.is_colour:
        space: Curve = picture.curve
        if space == "plain":
            return np.asarray(values[..., :3].mean(axis=-1, keepdims=True), np.float32)
        return luminance(values[..., :3], space)[..., None]
    if 0 <= channel < picture.channels and picture.channels > 1:
        return values[..., channel : channel + 1]
    return values[..., :3] if picture.is_colour else values[..., :1]


def halved(pixels: Float32, weighted: bool = False) -> Float32:
    """Every two by two pixels as their mean; at an odd edge the last ones stand alone.

    ``weighted`` takes straight RGBA and gives it premultiplied.
    """
    height, width, channels = pixels.shape
    made = np.empty((-(-height // 2), -(-width // 2), channels), np.float32)
    # A band of rows at a time stays in the cache of the processor.
    for top in range(0, len(made), _BAND):
        rows = pixels[2 * top : 2 * (top + _BAND)]
        if weighted:
            rows = premultiplied(rows)
        if len(rows) % 2 or width % 2:
            rows = np.pad(rows, ((0, len(rows) % 2), (0, width % 2), (0, 0)), "edge")
        part = made[top : top + _BAND]
        np.add(rows[0::2, 0::2], rows[1::2, 0::2], out=part)
        part += rows[0::2, 1::2]
        part += rows[1::2, 1::2]
        part *= np.float32(0.25)
    return made


def premultiplied(pixels: Float32) -> Float32:
    """Straight RGBA with its colours weighted by alpha, as is right for taking means."""
    made = pixels.copy()
    made[..., :3] *= pixels[..., 3:]
    return made


def straight(pixels: Float32) -> Float32:
    """RGBA that was premultiplied, with its colours of their own again."""
    alpha = pixels[..., 3:]
    made: Float32 = pixels.copy()
    np.divide(pixels[..., :3], alpha, out=made[..., :3], where=alpha != 0)
    return made


@dataclass(frozen=True, slots=True)
class Axis:
    """How some pixels of the screen lie on those of a picture, along one side.

    ``taps`` ``[n, m]`` are the pixels of the picture that each of ``m`` is a mean of, and
    ``weights`` their shares, which sum to 1.
    """

    taps: NDArray[np.intp]
    weights: Float32


def axis(first: int, count: int, scale: float, size: int) -> Axis:
    """Pixels ``first`` to ``first + count`` of a side of ``size`` drawn ``scale`` times as large.

    Above ``NEAREST_ABOVE`` each is the pixel at its middle; below, each is the mean of what it
    covers (an area filter: a box as wide as one pixel of the screen).
    """
    at = np.arange(first, first + count)
    if scale > NEAREST_ABOVE or scale == 1:
        nearest = np.clip(np.floor((at + 0.5) / scale + 1e-9).astype(np.intp), 0, size - 1)
        return Axis(nearest[None], np.ones((1, count), np.float32))
    begin, end = at / scale, (at + 1) / scale
    low = np.floor(begin + 1e-9).astype(np.intp)
    number = int(np.ceil(1 / scale - 1e-9)) + 1
    taps = low + np.arange(number)[:, None]
    covered = np.minimum(end, taps + 1) - np.maximum(begin, taps)
    weights = np.where(taps < size, np.clip(covered, 0, None), 0)
    total = weights.sum(axis=0)
    # Past the edge nothing is covered; the last pixel goes on.
    weights[0] = np.where(total > 0, weights[0], 1)
    total = np.where(total > 0, total, 1)
    return Axis(np.clip(taps, 0, size - 1), (weights / total).astype(np.float32))


def resampled(pixels: Float32, across: Axis, down: Axis) -> Float32:
    """A piece of a picture ``[height, width, channels]`` at another size."""
    left, right = int(across.taps.min()), int(across.taps.max()) + 1
    with np.errstate(invalid="ignore", over="ignore"):  # infinite values times a share of 0
        rows = _mixed(pixels[:, left:right], down, 0)
        return _mixed(rows, Axis(across.taps - left, across.weights), 1)


def _mixed(pixels: Float32, along: Axis, side: int) -> Float32:
    if len(along.taps) == 1:
        return np.asarray(np.take(pixels, along.taps[0], axis=side))
    shape = (-1, 1, 1) if side == 0 else (1, -1, 1)
    total: Any = None
    for taps, weights in zip(along.taps, along.weights, strict=True):
        if not weights.any():
            continue
        part = np.take(pixels, taps, axis=side)
        part *= weights.reshape(shape)
        total = part if total is None else np.add(total, part, out=total)
    return np.asarray(total)
