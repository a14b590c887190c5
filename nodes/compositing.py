"""Nodes that lay pictures over each other, and that take alpha off or put it on."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from backend.media.pixels import composite as layers
from backend.media.pixels.batches import require_pixels, require_size, shared_count
from backend.media.pixels.blend import BlendMode
from backend.media.pixels.color import channels_for
from backend.media.pixels.knowledge import NO_IMAGE, image_facts, knows, mask_facts, size_of, sized
from backend.sdk import Color, ColorParam, Context, Facts, Image, Mask, Range, facts_of, node

BLACK = Color(0, 0, 0)
SIDE = 32768


@node(category="Image/Compositing", aliases=("overlay", "paste", "merge", "alpha over"))
def composite(
    ctx: Context,
    image: Image,
    background: Image,
    mask: Mask | None = None,
    anchor: Literal["top left", "centre"] = "top left",
    x: Annotated[int, Range(-SIDE, SIDE, 1)] = 0,
    y: Annotated[int, Range(-SIDE, SIDE, 1)] = 0,
    opacity: Annotated[float, Range(0, 1, 0.01)] = 1.0,
) -> Image:
    """Put one picture on top of another.

    The picture is placed, never stretched: at the background's top left corner or its centre,
    moved by `x`, `y` pixels. Its alpha, the `mask` (as large as the picture; 1 shows it, 0 hides
    it) and `opacity` multiply. The result has the background's size and alpha; what hangs over is
    cut off.

    Example: a logo with alpha, `anchor` = centre and `opacity` = 0.5 over a photo is a watermark.
    """
    if anchor == "centre":
        x += (background.width - image.width) // 2
        y += (background.height - image.height) // 2
    return layers.composite(image, background, mask, x, y, opacity, "normal", ctx.check)


@composite.facts
def _composite_facts(
    p: Any,
    image: Facts | None = None,
    background: Facts | None = None,
    mask: Facts | None = None,
) -> Facts:
    return _layered(image, background, mask)


@node(category="Image/Compositing", aliases=("multiply", "screen", "overlay", "mix", "add"))
def blend(
    ctx: Context,
    image: Image,
    background: Image,
    mask: Mask | None = None,
    mode: BlendMode = "normal",
    opacity: Annotated[float, Range(0, 1, 0.01)] = 1.0,
) -> Image:
    """Mix two pictures of one size with a blend mode, as layers in a paint program do.

    `image` is the upper layer; its alpha, `mask` and `opacity` say how much of it counts. The
    formulas are those of W3C Compositing and Blending Level 1; add and subtract are plain sums and
    differences and may leave 0..1 (levels with clip brings them back).

    Example: a grey texture with `mode` = soft light and `opacity` = 0.6 over a photo gives it
    grain.
    """
    require_size(
        image=(image.width, image.height), background=(background.width, background.height)
    )
    return layers.composite(image, background, mask, 0, 0, opacity, mode, ctx.check)


@blend.facts
def _blend_facts(
    p: Any,
    image: Facts | None = None,
    background: Facts | None = None,
    mask: Facts | None = None,
) -> Facts:
    if image and background:
        require_size(
            image=(image.width, image.height), background=(background.width, background.height)
        )
    return _layered(image, background, mask)


def _layered(image: Facts | None, background: Facts | None, mask: Facts | None) -> Facts:
    """What a composite is like: the background's size, with the counts of all three."""
    image, background = image or NO_IMAGE, background or NO_IMAGE
    counts = {"image": image.count, "background": background.count}
    if mask is not None:
        require_size(mask=(mask.width, mask.height), image=(image.width, image.height))
        counts["mask"] = mask.count
    count = shared_count(**counts)
    channels = 4 if background.channels == 4 else None
    if knows(image.channels, background.channels):
        channels = layers.composite_channels(image.channels, background.channels)
    size = size_of(background)
    if size is not None:
        require_pixels(*size, count)
    return sized(NO_IMAGE, size).but(channels=channels, count=count)


@node(category="Image/Compositing", aliases=("empty image", "constant", "color", "blank"))
def solid_image(
    ctx: Context,
    like: Image | None = None,
    width: Annotated[int, Range(1, SIDE, 1)] = 1024,
    height: Annotated[int, Range(1, SIDE, 1)] = 1024,
    color: ColorParam = BLACK,
    count: Annotated[int, Range(1, 4096, 1)] = 1,
) -> Image:
    """A picture of one colour.

    It has the size of the picture linked to `like`, otherwise `width` x `height`. A colour with
    transparency gives it an alpha channel; `count` makes a batch.

    Example: `color` = #808080 under a blend is a neutral layer to start from.
    """
    size = (like.width, like.height) if like is not None else (width, height)
    return layers.solid(*size, color, count, ctx.check)


@solid_image.facts
def _solid_facts(p: Any, like: Facts | None = None) -> Facts:
    channels = None if p.color is None else channels_for(p.color, 3)
    size = (p.width, p.height) if like is None else size_of(like)
    if size is not None and knows(*size):
        require_pixels(size[0], size[1], p.count)
    return sized(facts_of("Image"), size).but(channels=channels, count=p.count)


class ColorAndAlpha(NamedTuple):
    """The two parts of a picture with transparency."""

    image: Image
    mask: Mask


@node(category="Image/Compositing", aliases=("extract alpha", "remove alpha"))
def split_alpha(ctx: Context, image: Image) -> ColorAndAlpha:
    """Take a picture's alpha off, as a mask.

    The colours stay as they are, hidden ones too. A picture without alpha comes through unchanged,
    with a mask of 1 everywhere.

    Example: split, blur the mask with feather mask, and join again for a soft edge.
    """
    colors = layers.without_alpha(image, ctx.check)
    return ColorAndAlpha(colors, layers.alpha_of(image, ctx.check))


@split_alpha.facts
def _split_facts(p: Any, image: Facts | None = None) -> dict[str, Facts]:
    image = image or NO_IMAGE
    channels = None if image.channels is None else min(image.channels, 3)
    return {"image": image.but(channels=channels), "mask": mask_facts(image)}


@node(category="Image/Compositing", aliases=("add alpha", "cut out", "put mask"))
def join_alpha(ctx: Context, image: Image, mask: Mask) -> Image:
    """Make a mask the alpha of a picture: 1 is opaque, 0 transparent.

    Any alpha that the picture had is replaced. Both must be equally large.

    Example: a shape mask and a photo, joined, are a photo cut out in an ellipse.
    """
    return layers.joined_alpha(image, mask, ctx.check)


@join_alpha.facts
def _join_facts(p: Any, image: Facts | None = None, mask: Facts | None = None) -> Facts:
    if image is None or mask is None:
        return image_facts(image or mask, 4).but(count=None)
    require_size(mask=(mask.width, mask.height), image=(image.width, image.height))
    count = shared_count(image=image.count, mask=mask.count)
    size = size_of(image) or size_of(mask)
    if size is not None:
        require_pixels(*size, count)
    return sized(NO_IMAGE, size).but(channels=4, count=count)
