"""Nodes that make, combine and shape masks."""

from __future__ import annotations

from typing import Annotated, Any

from backend.media.pixels import blur, masks
from backend.media.pixels.batches import require_pixels, require_size, shared_count
from backend.media.pixels.knowledge import NO_MASK, image_facts, knows, mask_facts, size_of, sized
from backend.sdk import Color, ColorParam, Context, Facts, Image, Mask, Range, node

SIDE = 32768
WHITE = Color(1, 1, 1)


@node(category="Mask", aliases=("union", "intersect", "subtract", "xor", "boolean"))
def combine_masks(ctx: Context, mask: Mask, other: Mask, how: masks.How = "union") -> Mask:
    """Combine two masks of one size.

    `union` is in where either is, `intersect` where both are, `subtract` where the first is and
    the other is not, `exclude` where just one of them is (xor). Soft values are combined by their
    larger and smaller, so equal soft edges stay as soft as they are.

    Example: an ellipse minus a smaller ellipse (`subtract`) is a ring.
    """
    return masks.combine(mask, other, how, ctx.check)


@combine_masks.facts
def _combine_facts(p: Any, mask: Facts | None = None, other: Facts | None = None) -> Facts:
    mask, other = mask or NO_MASK, other or NO_MASK
    require_size(mask=(mask.width, mask.height), other=(other.width, other.height))
    count = shared_count(mask=mask.count, other=other.count)
    size = size_of(mask) or size_of(other)
    if size is not None:
        require_pixels(*size, count)
    return sized(NO_MASK, size).but(count=count)


@node(category="Mask", aliases=("dilate", "erode", "shrink", "expand", "choke"))
def grow_mask(
    ctx: Context, mask: Mask, radius: Annotated[float, Range(-512, 512, 0.5)] = 8.0
) -> Mask:
    """Grow a mask outwards by `radius` pixels, or shrink it where `radius` is negative.

    The edge moves by a round brush of that radius, so corners become round; soft edges move as
    they are. Less than one pixel changes nothing. The border of the picture neither grows in nor
    eats away.

    Example: `radius` = 12 and then feather mask with 6 gives an in-paint mask room to blend.
    """
    return masks.grow(mask, radius, ctx.check)


@node(category="Mask", aliases=("blur mask", "soften"))
def feather_mask(
    ctx: Context, mask: Mask, radius: Annotated[float, Range(0, 256, 0.5)] = 8.0
) -> Mask:
    """Make the edge of a mask soft: a Gaussian blur with a standard deviation of `radius` pixels.

    Example: `radius` = 8 turns a hard edge into a ramp about 30 pixels wide.
    """
    return blur.feather(mask, radius, ctx.check)


@node(category="Mask", aliases=("not", "complement"))
def invert_mask(ctx: Context, mask: Mask) -> Mask:
    """Turn a mask inside out: 1 - mask.

    Example: a mask of the subject becomes a mask of the background.
    """
    return masks.invert(mask, ctx.check)


@grow_mask.facts
@feather_mask.facts
@invert_mask.facts
def _same(p: Any, mask: Facts | None = None) -> Facts:
    return mask or NO_MASK


@node(category="Mask", aliases=("channel", "alpha", "luminance"))
def mask_from_image(ctx: Context, image: Image, channel: masks.Channel = "luminance") -> Mask:
    """Make a mask from one channel of a picture, clamped to 0..1.

    `luminance` is how bright it looks (greys keep their value). A picture without alpha gives a
    mask of 1 everywhere for `alpha`.

    Example: paint white on black where something is to change, and load that picture as a mask.
    """
    return masks.from_channel(image, channel, ctx.check)


@mask_from_image.facts
def _from_image_facts(p: Any, image: Facts | None = None) -> Facts:
    return mask_facts(image)


@node(category="Mask", aliases=("chroma key", "color key", "select by color", "green screen"))
def mask_from_color(
    ctx: Context,
    image: Image,
    color: ColorParam = WHITE,
    tolerance: Annotated[float, Range(0, 1, 0.01)] = 0.1,
    softness: Annotated[float, Range(0, 1, 0.01)] = 0.05,
) -> Mask:
    """Select where a picture has a colour.

    All within `tolerance` of it is in; over the next `softness` the mask falls to 0. Distances are
    perceptual (Oklab): 0.02 is hardly seen, black to white is 1. Transparent parts are out.

    Example: `color` = #00ff00 and `tolerance` = 0.25 selects a green screen; invert mask and join
    alpha cut the subject out.
    """
    return masks.from_color(image, color, tolerance, softness, ctx.check)


@mask_from_color.facts
def _from_color_facts(p: Any, image: Facts | None = None) -> Facts:
    return mask_facts(image)


@node(category="Mask", aliases=("show mask", "grey"))
def mask_to_image(ctx: Context, mask: Mask) -> Image:
    """Show a mask as a grey picture: 0 is black, 1 is white.

    Example: preview or save a mask.
    """
    return masks.to_image(mask, ctx.check)


@mask_to_image.facts
def _to_image_facts(p: Any, mask: Facts | None = None) -> Facts:
    return image_facts(mask, 1)


@node(category="Mask", aliases=("rectangle", "ellipse", "circle", "box", "region"))
def shape_mask(
    ctx: Context,
    like: Image | None = None,
    shape: masks.Shape = "rectangle",
    width: Annotated[int, Range(1, SIDE, 1)] = 1024,
    height: Annotated[int, Range(1, SIDE, 1)] = 1024,
    left: Annotated[float, Range(-SIDE, SIDE, 1)] = 256.0,
    top: Annotated[float, Range(-SIDE, SIDE, 1)] = 256.0,
    shape_width: Annotated[float, Range(0, SIDE, 1)] = 512.0,
    shape_height: Annotated[float, Range(0, SIDE, 1)] = 512.0,
) -> Mask:
    """Draw a rectangle or an ellipse as a mask.

    The mask has the size of the picture linked to `like`, otherwise `width` x `height`. The shape
    fills the box of `shape_width` x `shape_height` pixels at `left`, `top`; parts outside are cut
    off. Edges are antialiased.

    Example: an ellipse over a face, feathered by 20, as the mask of an in-painting.
    """
    size = (like.width, like.height) if like is not None else (width, height)
    return masks.draw_shape(size, shape, left, top, shape_width, shape_height, ctx.check)


@shape_mask.facts
def _shape_facts(p: Any, like: Facts | None = None) -> Facts:
    size = (p.width, p.height) if like is None else size_of(like)
    if size is not None and knows(*size):
        require_pixels(*size)
    return sized(NO_MASK, size).but(count=1)
