"""Luminance, alpha, channel counts, and painting with a colour."""

from __future__ import annotations

import numpy as np

from backend.media.bands import Check, by_rows
from backend.media.color import linear_from_srgb, srgb_from_linear
from backend.values import Color, ColorSpace, Float32

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of linear red, green and blue in relative luminance (ITU-R BT.709, IEC 61966-2-1)."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of encoded red, green and blue in luma (ITU-R BT.601)."""

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)


def in_space(pixels: Float32, given: ColorSpace, wanted: ColorSpace) -> Float32:
    """Pixels ``[..., channels]`` brought to another transfer curve; alpha stays as it is."""
    if given == wanted:
        return pixels
    curve = linear_from_srgb if wanted == "linear" else srgb_from_linear
    if pixels.shape[-1] != 4:
        return curve(pixels)
    return with_alpha(curve(pixels[..., :3]), pixels[..., 3])


def in_space_by_rows(
    check: Check, pixels: Float32, given: ColorSpace, wanted: ColorSpace
) -> Float32:
    """``in_space`` of a large picture ``[height, width, channels]``, a band of rows at a time."""
    if given == wanted:
        return pixels
    return by_rows(check, lambda rows: in_space(rows, given, wanted), pixels)


def with_alpha(colors: Float32, alpha: Float32) -> Float32:
    """Colours ``[..., 1 or 3]`` and alpha ``[...]`` as RGBA ``[..., 4]``."""
    joined = np.empty((*colors.shape[:-1], 4), np.float32)
    joined[..., :3] = colors
    joined[..., 3] = alpha
    return joined


def split(pixels: Float32) -> tuple[Float32, Float32 | None]:
    """The colour channels, and alpha ``[..., 1]`` where there is one."""
    if pixels.shape[-1] == 4:
        return pixels[..., :3], pixels[..., 3:]
    return pixels, None


def widen(pixels: Float32, channels: int) -> Float32:
    """The same pixels with at least ``channels`` channels: grey becomes RGB, RGB gets alpha 1."""
    if pixels.shape[-1] >= channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    return with_alpha(pixels, np.ones(pixels.shape[:-1], np.float32))


def premultiply(pixels: Float32) -> Float32:
    """RGBA ``[..., 4]`` with its colours times alpha."""
    alpha = pixels[..., 3:]
    return np.concatenate([pixels[..., :3] * alpha, alpha], axis=-1)


def unpremultiply(colors: Float32, alpha: Float32) -> Float32:
    """Colours divided by alpha ``[..., 1]``; where alpha is 0 there is no colour, and black."""
    solid = np.abs(alpha) > 1e-6
    return np.where(solid, colors / np.where(solid, alpha, 1), 0).astype(np.float32)


def weigh(colors: Float32, weights: Float32) -> Float32:
    """The weighted sum ``[...]`` of three channels, in a fixed order (a BLAS has its own)."""
    total: Float32 = colors[..., 0] * weights[0]
    total += colors[..., 1] * weights[1]
    total += colors[..., 2] * weights[2]
    return total


def transform(colors: Float32, matrix: Float32) -> Float32:
    """Every colour ``[..., 3]`` times a matrix ``[3, 3]``."""
    return np.stack([weigh(colors, row) for row in matrix], axis=-1)


def luminance(pixels: Float32, space: ColorSpace) -> Float32:
    """Relative luminance ``[...]`` of the colours, on the image's own curve.

    ``Y = 0.2126 R + 0.7152 G + 0.0722 B`` in linear light, encoded again where ``space`` is
    sRGB, so that greys keep their value.
    """
    if pixels.shape[-1] == 1:
        return pixels[..., 0]
    light = weigh(in_space(pixels[..., :3], space, "linear"), LUMINANCE)
    return in_space(light[..., None], "linear", space)[..., 0]


def oklab(pixels: Float32, space: ColorSpace) -> Float32:
    """Colours ``[..., 3]`` in Oklab (B. Ottosson, "A perceptual color space for image processing").

    Lightness runs 0..1; distances are roughly perceptual, black to white is 1.
    """
    light = in_space(widen(pixels, 3)[..., :3], space, "linear")
    return transform(np.cbrt(transform(light, _TO_LMS)), _TO_OKLAB)


def as_color(given: Color | str) -> Color:
    """A colour parameter, whether it comes as a value or as written in the document."""
    return Color.parse(given) if isinstance(given, str) else given


def channels_for(color: Color | str, channels: int = 1) -> int:
    """How many channels a picture of ``channels`` needs so that ``color`` can be painted on it."""
    paint = as_color(color)
    if channels == 4 or paint.alpha < 1:
        return 4
    return 1 if channels == 1 and paint.red == paint.green == paint.blue else 3


def paint(color: Color | str, channels: int, space: ColorSpace) -> Float32:
    """The colour as one pixel ``[channels]`` of a picture in ``space``."""
    wanted = as_color(color)
    rgba = np.array([wanted.red, wanted.green, wanted.blue, wanted.alpha], np.float32)
    pixel = in_space(rgba, "srgb", space)
    return pixel[:channels].copy()
