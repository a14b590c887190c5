"""Nodes that enlarge pictures by learned networks."""

from __future__ import annotations

from typing import Annotated, Any

from backend.catalog.errors import CatalogError
from backend.models.explain import explained
from backend.models.upscale.enlarging import FRUGAL, enlarged
from backend.models.upscale.learned import FAMILY_NAME, float_bytes, reference
from backend.models.upscale.pieces import Pieces
from backend.sdk import (
    Context,
    Facts,
    FilePath,
    Image,
    Peak,
    Range,
    Upscaler,
    UserError,
    facts_of,
    node,
)


@node(
    category="Model/Loaders",
    title="Load upscaler",
    aliases=("upscale model loader", "esrgan", "swinir", "span", "real-esrgan", "dat"),
)
def load_upscaler(ctx: Context, file: FilePath = "") -> Upscaler:
    """Name a network that enlarges or cleans pictures: an ESRGAN, a SPAN, a DAT, a SwinIR...

    `file` is one safetensors file. What kind of network it is, is told by its tensors when it is
    first used, by the library Spandrel; Weft does not install it by itself, since it asks for
    torchvision: `pip install --no-deps spandrel==0.4.2 einops`. Pickles (.pth) are refused, since
    reading one can run code; convert them once, elsewhere, to safetensors.

    Example: load_upscaler(file="4x-span.safetensors") -> upscale.
    """
    with explained():
        return reference(ctx.read(file))


@load_upscaler.facts
def _(p: Any) -> Facts:
    known = facts_of("Upscaler", family=FAMILY_NAME)
    if not p.file:
        return known
    path = p.lookup.file(p.file)
    try:
        found, size = reference(path), float_bytes(path)
    except CatalogError as error:
        raise UserError(str(error)) from error
    return known.but(identity=found.identity, bytes=size)


@node(
    category="Image/Upscale",
    lane="device",
    aliases=("upscale image using model", "super resolution", "enlarge", "esrgan", "restore"),
)
def upscale(
    ctx: Context,
    upscaler: Upscaler,
    image: Image,
    tile: Annotated[int, Range(0, 8192, 16)] = 256,
    overlap: Annotated[int, Range(2, 4096, 2)] = 32,
) -> Image:
    """Enlarge pictures by a learned network, as many times as it was trained for.

    Large pictures go through it in squares of `tile` pixels, which share `overlap` pixels with
    their neighbours and fade into one another there; the device needs the memory of one square,
    however large the picture. 0 takes the picture whole. The outer quarter of the overlap does not
    count at either side: where that is as far as the network looks, tiles are the same as the
    whole. Alpha is enlarged too.

    Example: load_image -> upscale -> save_image.
    """
    with explained():
        network = ctx.load(upscaler)
        side = tile
        if network.whole and 0 < tile < max(image.width, image.height):
            ctx.note(f"A {network.title} looks at the picture as a whole, so tiles may show.")
        if ctx.frugal and (tile == 0 or tile > FRUGAL):
            side = FRUGAL
        pieces = Pieces(side, min(overlap, side // 2) if side != tile else overlap)
        return enlarged(network, image, pieces, ctx.progress)


@upscale.facts
def _(p: Any, upscaler: Facts | None, image: Facts | None) -> Facts:
    if p.tile and p.overlap and 2 * p.overlap > p.tile:
        raise UserError(
            f"Tiles of {p.tile} pixels cannot share {p.overlap} with each neighbour. Take an "
            "overlap of no more than half of a tile."
        )
    known = image or facts_of("Image")
    return facts_of("Image", channels=known.channels, count=known.count)


@upscale.peak
def _(p: Any, upscaler: Facts | None, image: Facts | None) -> Peak:
    tiles = 1
    if image is not None and image.width and image.height and p.tile and p.overlap:
        found = Pieces(p.tile, min(p.overlap, p.tile // 2)).tiling(image.height, image.width)
        tiles = len(found.places(image.height, image.width)) if found else 1
        tiles *= image.count or 1
    return Peak(None, (("upscaler", tiles),))
