"""Nodes that change the size, the frame or the direction of a picture."""

from __future__ import annotations

from typing import Annotated, Any

from backend.media.pixels import frames, resample
from backend.media.pixels.batches import require_pixels
from backend.media.pixels.color import channels_for
from backend.media.pixels.knowledge import NO_IMAGE, knows, size_of, sized
from backend.sdk import Color, ColorParam, Context, Facts, Image, Range, node

BLACK = Color(0, 0, 0)
SIDE = 32768


@node(category="Image/Geometry", aliases=("scale", "resample", "upscale", "fit", "thumbnail"))
def resize(
    ctx: Context,
    image: Image,
    by: resample.By = "size",
    width: Annotated[int, Range(0, SIDE, 1)] = 1024,
    height: Annotated[int, Range(0, SIDE, 1)] = 1024,
    scale: Annotated[float, Range(0.01, 64, 0.05)] = 1.0,
    side: Annotated[int, Range(1, SIDE, 1)] = 1024,
    mode: resample.Mode = "fit",
    filter: resample.Filter = "lanczos",
    multiple: Annotated[int, Range(1, 256, 1)] = 1,
    linear: bool = False,
    color: ColorParam = BLACK,
) -> Image:
    """Make a picture larger or smaller.

    `by` says what sets the size: `size` uses `width` and `height` (0 follows from the other by the
    proportions), `scale` a factor, `longest side` the length in `side`.

    `mode` says how the picture meets that size: `stretch` ignores its proportions; `fit` keeps
    them, so that one side may come out smaller; `fill` keeps them and cuts off what hangs over;
    `pad` keeps them and leaves a margin in `color`.

    `filter`: `lanczos` is sharpest, `bicubic` and `bilinear` are softer, `area` averages,
    `nearest` keeps hard pixels. Shrinking is antialiased with all but `nearest`. `linear` averages
    in linear light, which keeps small bright details bright. `multiple` rounds the sides, for
    models that want sides divisible by 8 or 16.

    Example: `by` = longest side, `side` = 1024 turns 4000 x 3000 into 1024 x 768.
    """
    target = resample.target_size((image.width, image.height), by, width, height, scale, side)
    free = by != "size" or 0 in (width, height)
    fit = resample.plan_resize(
        (image.width, image.height), target, "stretch" if free else mode, multiple
    )
    return resample.resize(image, fit, filter, linear, color, ctx.check)


@resize.facts
def _resize_facts(p: Any, image: Facts | None = None) -> Facts:
    image = image or NO_IMAGE
    size = size_of(image)
    # Only what `by` looks at must be known; the rest may hang on a link.
    wanted = {"size": (p.width, p.height), "scale": (p.scale,), "longest side": (p.side,)}
    if size is None or not knows(p.by, p.multiple, p.mode, *wanted.get(p.by, ())):
        channels = None if p.mode in ("pad", None) else image.channels
        return sized(image, None).but(channels=channels)
    target = resample.target_size(size, p.by, p.width, p.height, p.scale, p.side)
    free = p.by != "size" or 0 in (p.width, p.height)
    fit = resample.plan_resize(size, target, "stretch" if free else p.mode, p.multiple)
    require_pixels(*fit.size, image.count)
    channels = image.channels
    if fit.inner != fit.size and channels is not None:
        channels = None if p.color is None else channels_for(p.color, channels)
    return sized(image, fit.size).but(channels=channels)


@node(category="Image/Geometry", aliases=("cut", "trim"))
def crop(
    ctx: Context,
    image: Image,
    place: frames.Place = "centre",
    x: Annotated[int, Range(-SIDE, SIDE, 1)] = 0,
    y: Annotated[int, Range(-SIDE, SIDE, 1)] = 0,
    width: Annotated[int, Range(0, SIDE, 1)] = 512,
    height: Annotated[int, Range(0, SIDE, 1)] = 512,
    outside: frames.Outside = "clamp",
) -> Image:
    """Keep a box of a picture.

    `place` = centre cuts `width` x `height` out of the middle; `position` puts the box's top left
    corner at `x`, `y`, counted in pixels from the picture's. A `width` or `height` of 0 means the
    whole side, or all up to the far edge. Where the box hangs over the picture, `outside` = clamp
    keeps the part inside and `refuse` stops with an error.

    Example: `place` = centre, `width` = `height` = 512 makes a 512 x 512 square of a 768 x 512
    picture.
    """
    size = (image.width, image.height)
    box = frames.plan_crop(size, place, x, y, width, height, outside)
    return frames.crop(image, box, ctx.check)


@crop.facts
def _crop_facts(p: Any, image: Facts | None = None) -> Facts:
    image = image or NO_IMAGE
    size = size_of(image)
    if size is None or not knows(p.place, p.x, p.y, p.width, p.height, p.outside):
        return sized(image, None)
    left, top, right, bottom = frames.plan_crop(
        size, p.place, p.x, p.y, p.width, p.height, p.outside
    )
    return sized(image, (right - left, bottom - top))


@node(category="Image/Geometry", aliases=("border", "extend", "outpaint", "canvas size"))
def pad(
    ctx: Context,
    image: Image,
    left: Annotated[int, Range(0, SIDE, 1)] = 0,
    top: Annotated[int, Range(0, SIDE, 1)] = 0,
    right: Annotated[int, Range(0, SIDE, 1)] = 0,
    bottom: Annotated[int, Range(0, SIDE, 1)] = 0,
    fill: frames.Fill = "color",
    color: ColorParam = BLACK,
) -> Image:
    """Add pixels on each side of a picture.

    `fill` = color uses `color` (one with transparency gives the picture an alpha channel), `edge`
    repeats the border pixels, `reflect` mirrors the picture at its border.

    Example: `left` = `right` = 128 and `fill` = edge makes a 512 x 512 picture 768 x 512, ready for
    out-painting.
    """
    return frames.pad(image, left, top, right, bottom, fill, color, ctx.check)


@pad.facts
def _pad_facts(p: Any, image: Facts | None = None) -> Facts:
    image = image or NO_IMAGE
    size, channels = size_of(image), image.channels
    if p.fill == "color" and channels is not None:
        channels = None if p.color is None else channels_for(p.color, channels)
    elif p.fill is None:
        channels = None
    if size is None or not knows(p.left, p.top, p.right, p.bottom):
        return sized(image, None).but(channels=channels)
    grown = frames.padded_size(size, p.left, p.top, p.right, p.bottom)
    require_pixels(*grown, image.count)
    return sized(image, grown).but(channels=channels)


@node(category="Image/Geometry", aliases=("rotate", "flip", "mirror"))
def turn(ctx: Context, image: Image, how: frames.Turn = "90 right") -> Image:
    """Rotate a picture by a quarter or half turn, or mirror it.

    No pixel changes its value. `90 right` is clockwise; `flip horizontal` swaps left and right,
    `flip vertical` top and bottom.

    Example: `how` = 90 right turns a 640 x 480 picture into 480 x 640.
    """
    return frames.turn(image, how, ctx.check)


@turn.facts
def _turn_facts(p: Any, image: Facts | None = None) -> Facts:
    image = image or NO_IMAGE
    if p.how is None:
        return sized(image, None)
    return sized(image, frames.turned_size(image.width, image.height, p.how))
