"""Nodes that change the pixels of a picture and leave its size alone."""

from __future__ import annotations

from typing import Annotated, Any

from backend.media.pixels import blur as blurring
from backend.media.pixels import tone
from backend.media.pixels.knowledge import NO_IMAGE
from backend.sdk import Context, Facts, Image, Range, node


@node(category="Image/Filter", aliases=("gaussian", "soften", "defocus", "control blur"))
def blur(
    ctx: Context,
    image: Image,
    radius: Annotated[float, Range(0, 256, 0.5)] = 2.0,
    linear: bool = False,
) -> Image:
    """Blur a picture (Gaussian).

    `radius` is the standard deviation in pixels; 0 changes nothing. The border is repeated
    outwards and transparent pixels lend no colour. `linear` averages in linear light, as a lens
    out of focus does: highlights stay bright.

    Example: `radius` = 12 on a copy, blended back with `soft light`, gives a glow.
    """
    return blurring.blur(image, radius, linear, ctx.check)


@node(category="Image/Filter", aliases=("unsharp mask", "clarity", "detail"))
def sharpen(
    ctx: Context,
    image: Image,
    amount: Annotated[float, Range(0, 10, 0.05)] = 0.5,
    radius: Annotated[float, Range(0, 64, 0.1)] = 1.0,
    threshold: Annotated[float, Range(0, 1, 0.005)] = 0.0,
) -> Image:
    """Sharpen a picture (unsharp mask).

    `amount` times the difference from a blurred copy (of standard deviation `radius`) is added;
    differences up to `threshold` are left alone, so that noise is not raised. Nothing is clipped.

    Example: `amount` = 0.6, `radius` = 0.8 after shrinking a photo; `amount` = 0.3, `radius` = 30
    for more local contrast.
    """
    return blurring.sharpen(image, amount, radius, threshold, ctx.check)


@node(category="Image/Filter", aliases=("gamma", "black point", "white point", "curves"))
def levels(
    ctx: Context,
    image: Image,
    black: Annotated[float, Range(-1, 2, 0.01)] = 0.0,
    white: Annotated[float, Range(-1, 2, 0.01)] = 1.0,
    gamma: Annotated[float, Range(0.05, 20, 0.05)] = 1.0,
    out_black: Annotated[float, Range(-1, 2, 0.01)] = 0.0,
    out_white: Annotated[float, Range(-1, 2, 0.01)] = 1.0,
    clip: bool = True,
) -> Image:
    """Set the black point, the white point and the midtones.

    `t = (x - black) / (white - black)`, clipped to 0..1 if `clip`; then `t = t^(1 / gamma)`; then
    `x = out_black + t (out_white - out_black)`. A `gamma` above 1 brightens the midtones. Alpha
    stays as it is.

    Example: `black` = 0.05, `white` = 0.9 gives a flat photo its contrast back.
    """
    return tone.levels(image, black, white, gamma, out_black, out_white, clip, ctx.check)


@node(category="Image/Filter", aliases=("brightness", "contrast", "saturation", "hue", "grade"))
def adjust(
    ctx: Context,
    image: Image,
    brightness: Annotated[float, Range(0, 4, 0.01)] = 1.0,
    contrast: Annotated[float, Range(0, 4, 0.01)] = 1.0,
    saturation: Annotated[float, Range(0, 4, 0.01)] = 1.0,
    hue: Annotated[float, Range(-180, 180, 1)] = 0.0,
) -> Image:
    """Change brightness, contrast, saturation and hue, in this order.

    1 leaves brightness (a factor), contrast (around middle grey) and saturation (0 is grey) as they
    are; `hue` turns colours by degrees. The formulas are those of W3C Filter Effects Level 1;
    nothing is clipped. Alpha stays as it is.

    Example: `saturation` = 1.2, `contrast` = 1.1 for a livelier photo.
    """
    return tone.adjust(image, brightness, contrast, saturation, hue, ctx.check)


@node(category="Image/Filter", aliases=("black and white", "desaturate", "monochrome"))
def grayscale(ctx: Context, image: Image, method: tone.GreyMethod = "luminance") -> Image:
    """Make a picture grey.

    `luminance` weighs linear light, as the eye does; `luma` is the plain weighted mean of the
    stored values (ITU-R BT.601) that most programs use. The result has one channel, or keeps four
    where there is alpha.

    Example: grey, then levels with `black` = 0.1 and `white` = 0.8: a strong black and white photo.
    """
    return tone.grayscale(image, method, ctx.check)


@grayscale.facts
def _grayscale_facts(p: Any, image: Facts | None = None) -> Facts:
    image = image or NO_IMAGE
    channels = None if image.channels is None else tone.grey_channels(image.channels)
    return image.but(channels=channels)


@node(category="Image/Filter", aliases=("negative",))
def invert(ctx: Context, image: Image) -> Image:
    """Turn the colours into their negative: 1 - x. Alpha stays as it is.

    Example: a scanned film negative becomes a positive.
    """
    return tone.negative(image, ctx.check)


@blur.facts
@sharpen.facts
@levels.facts
@adjust.facts
@invert.facts
def _same(p: Any, image: Facts | None = None) -> Facts:
    return image or NO_IMAGE
