"""Nodes that give a picture more room, to be painted anew."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from backend.media.pixels import frames, outpaint
from backend.media.pixels.batches import require_pixels
from backend.media.pixels.knowledge import NO_IMAGE, NO_MASK, knows, size_of, sized
from backend.sdk import Color, Context, Facts, Image, Mask, Range, node

SIDE = 16384
BLACK = Color(0, 0, 0)


class Extended(NamedTuple):
    """The picture with its room, and where that is."""

    image: Image
    mask: Mask


Side = Annotated[int, Range(0, SIDE, 8)]


@node(
    category="Image/Geometry",
    aliases=("outpaint", "uncrop", "pad for outpainting", "extend", "expand"),
)
def extend_canvas(
    ctx: Context,
    image: Image,
    left: Side = 0,
    top: Side = 0,
    right: Side = 0,
    bottom: Side = 0,
    feather: Annotated[int, Range(0, SIDE, 1)] = 16,
    fill: frames.Fill = "edge",
) -> Extended:
    """Give a picture more room on its sides, and a mask of what is new, for out-painting.

    The mask is white in the new part and falls to black over `feather` pixels inside the picture,
    so that old and new meet softly. `fill` is what the model sees there at first: `edge` repeats
    the border, `reflect` mirrors the picture, `color` is black. Models want sides that divide by
    their multiple (16 for a Flux).

    Example: `right` = 64 -> vae_encode and inpaint_mask(soft=True) -> sample -> vae_decode ->
    composite over `image` with `mask`.
    """
    mask = outpaint.new_area((image.width, image.height), (left, top, right, bottom), feather)
    grown = frames.pad(image, left, top, right, bottom, fill, BLACK, ctx.check)
    return Extended(grown, mask)


@extend_canvas.facts
def _(p: Any, image: Facts | None = None) -> dict[str, Facts]:
    image = image or NO_IMAGE
    size, sides = size_of(image), (p.left, p.top, p.right, p.bottom)
    if size is None or not knows(*sides, p.feather):
        return {"image": sized(image, None), "mask": NO_MASK.but(count=1)}
    grown = frames.padded_size(size, *sides)
    require_pixels(*grown, image.count)
    outpaint.check(size, sides, p.feather)
    return {"image": sized(image, grown), "mask": sized(NO_MASK, grown).but(count=1)}
