"""Tone and colour: levels, adjustments, grey and negative. Alpha is never touched."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.media.pixels.batches import Check, map_rows, unchecked
from backend.media.pixels.color import LUMA, luminance, split, transform, weigh, with_alpha
from backend.sdk import UserError
from backend.values import Float32, Image

Reals: TypeAlias = NDArray[np.float64]
GreyMethod = Literal["luminance", "luma"]


def levels(
    image: Image,
    black: float,
    white: float,
    gamma: float,
    out_black: float,
    out_white: float,
    clip: bool = True,
    check: Check = unchecked,
) -> Image:
    """Map ``black`` to ``out_black`` and ``white`` to ``out_white``, bent by ``gamma``.

    ``t = (x - black) / (white - black)``, clipped to 0..1 if ``clip``; ``t = t^(1 / gamma)`` (a
    negative ``t`` is mirrored); ``x = out_black + t (out_white - out_black)``.

    Raises:
        UserError: black and white are the same, or gamma is below 0.01.
    """
    if abs(white - black) < 1e-6:
        raise UserError(f"Levels: black and white are both {black:g}; set them apart.")
    if gamma < 0.01:
        raise UserError(f"Levels: gamma is {gamma:g}; it must be 0.01 at least.")

    def one(colors: Float32) -> Float32:
        t = (colors - np.float32(black)) / np.float32(white - black)
        if clip:
            t = np.clip(t, 0, 1)
        if gamma != 1:
            with np.errstate(over="ignore"):  # unclipped, the brightest may become infinite
                t = np.copysign(np.abs(t) ** np.float32(1 / gamma), t)
        if (out_black, out_white) == (0, 1):
            return t
        return np.float32(out_black) + t * np.float32(out_white - out_black)

    return _on_colors(image, one, check)


def adjust(
    image: Image,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    check: Check = unchecked,
) -> Image:
    """Brightness, contrast, saturation (1 = as it is) and hue (degrees), in this order.

    After W3C Filter Effects Module Level 1: ``brightness`` multiplies, ``contrast`` scales around
    0.5, and saturation and hue are its ``saturate`` and ``hueRotate`` colour matrices. Nothing is
    clipped. Grey pictures have no saturation or hue to change.
    """
    scale, shift = np.float32(brightness * contrast), np.float32(0.5 - 0.5 * contrast)
    matrix = (hue_matrix(hue) @ saturation_matrix(saturation)).astype(np.float32)
    plain = saturation == 1 and hue % 360 == 0
    if plain and brightness == 1 and contrast == 1:
        return image

    def one(colors: Float32) -> Float32:
        lit = colors * scale + shift
        return lit if plain or lit.shape[-1] == 1 else transform(lit, matrix)

    return _on_colors(image, one, check)


def saturation_matrix(amount: float) -> Reals:
    """``saturate`` of Filter Effects Module Level 1, ``[3, 3]``: 0 is grey, 1 changes nothing."""
    grey = _grey_matrix()
    return grey + amount * (np.eye(3) - grey)


def hue_matrix(degrees: float) -> Reals:
    """``hueRotate`` of Filter Effects Module Level 1, ``[3, 3]``."""
    grey = _grey_matrix()
    sine = np.array(
        [[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]], np.float64
    )
    angle = math.radians(degrees)
    return grey + math.cos(angle) * (np.eye(3) - grey) + math.sin(angle) * sine


def _grey_matrix() -> Reals:
    return np.tile([0.213, 0.715, 0.072], (3, 1))


def grayscale(image: Image, method: GreyMethod = "luminance", check: Check = unchecked) -> Image:
    """Grey of one channel, or of RGBA where there is alpha.

    ``luminance`` weighs linear light and encodes again (what the eye sees); ``luma`` weighs the
    values as they stand, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
    """
    if image.channels == 1:
        return image

    def one(pixels: Float32) -> Float32:
        colors, alpha = split(pixels)
        grey = luminance(colors, image.space) if method == "luminance" else weigh(colors, LUMA)
        return grey[..., None] if alpha is None else with_alpha(grey[..., None], alpha[..., 0])

    return image.but(map_rows(check, one, image.pixels))


def grey_channels(channels: int) -> int:
    """How many channels ``grayscale`` gives."""
    return 4 if channels == 4 else 1


def negative(image: Image, check: Check = unchecked) -> Image:
    """The colours inverted, ``1 - x``."""
    return _on_colors(image, lambda colors: 1 - colors, check)


def _on_colors(image: Image, work: Callable[[Float32], Float32], check: Check) -> Image:
    def one(pixels: Float32) -> Float32:
        colors, alpha = split(pixels)
        done = work(colors)
        return done if alpha is None else with_alpha(done, alpha[..., 0])

    return image.but(map_rows(check, one, image.pixels))
