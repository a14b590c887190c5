"""Nodes between pictures and latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np

from backend.diffusion.inpaint import latent_mask
from backend.models.agree import runs_in_steps, same_latent_space, size_fits, tile_fits
from backend.models.costs import coding as coding_peak
from backend.models.explain import explained
from backend.models.family import describe, family_of
from backend.models.preview import learn
from backend.models.tiling.tiles import Coding, tiles_for
from backend.sdk import (
    VAE,
    Context,
    Facts,
    Image,
    Latent,
    Mask,
    Model,
    Peak,
    Range,
    SeedParam,
    UserError,
    facts_of,
    node,
)

TileSize: TypeAlias = Annotated[int, Range(0, 8192, 64)]
Overlap: TypeAlias = Annotated[int, Range(0, 1024, 8)]


@node(category="Latent", aliases=("size", "width", "height"))
def empty_latent(
    ctx: Context,
    model: Model,
    width: Annotated[int, Range(0, 16384, 8)] = 0,
    height: Annotated[int, Range(0, 16384, 8)] = 0,
    count: Annotated[int, Range(1, 4096, 1)] = 1,
) -> Latent:
    """Make an empty latent for new pictures of a model.

    `width` and `height` are in pixels; 0 takes the model's own size. They must be multiples of
    what the model can make (16 for a Flux). `count` pictures are sampled in one batch.

    Example: load_model -> empty_latent(width=128, height=128, count=4) -> sample.
    """
    with explained():
        facts = describe(model)
        size = (width or facts.defaults.width, height or facts.defaults.height)
        shape = facts.geometry.shape(*size, count)
    return Latent(np.zeros(shape, np.float32), facts.latent_space)


@empty_latent.facts
def _(p: Any, model: Facts | None) -> Facts:
    if model is None:
        return facts_of("Latent", count=p.count, noise=0.0, masked=False)
    runs_in_steps(model)
    size_fits(p.width, p.height, model)
    factor = model.factor
    width = model.own_width if p.width == 0 else p.width
    height = model.own_height if p.height == 0 else p.height
    return facts_of(
        "Latent",
        space=model.space,
        factor=factor,
        width=width // factor if factor and width else None,
        height=height // factor if factor and height else None,
        channels=model.channels,
        count=p.count,
        noise=0.0,
        masked=False,
    )


@node(
    category="Latent",
    title="VAE encode",
    lane="device",
    version=2,
    aliases=("image to latent",),
)
def vae_encode(
    ctx: Context,
    vae: VAE,
    image: Image,
    posterior: Literal["mean", "sample"] = "mean",
    seed: SeedParam = 0,
    tile: TileSize = 0,
    overlap: Overlap = 0,
) -> Latent:
    """Encode pictures into the latents of a VAE.

    `posterior` takes the mean of what the VAE says, which is always the same, or a sample drawn
    with `seed`. Width and height must be multiples of what the model takes (16 for a Flux);
    grey becomes RGB and alpha is left out, so lay the picture over a background first.

    `tile` above 0 encodes in squares of that many pixels, which share `overlap` pixels with their
    neighbours (0: a quarter of the tile) and are blended there: the device then needs the memory
    of one square.

    Example: load_image -> resize(width=128, height=128) -> vae_encode -> sample(denoise=0.6).
    """
    with explained():
        drawn = seed if posterior == "sample" else None
        coding = Coding(*tiles_for(ctx, tile, overlap), told=_told(ctx))
        latent = family_of(vae).encode_image(vae, image, ctx.load, ctx.device, drawn, coding)
        learn(vae, latent.samples, image, ctx.load)
        return latent


@vae_encode.migrate(1)
def _(params: dict[str, Any], inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"overlap": 64, **params}, inputs  # which was the default


@vae_encode.facts
def _(p: Any, vae: Facts | None, image: Facts | None) -> Facts:
    tile_fits(p.tile, p.overlap, vae)
    if image is not None:
        size_fits(image.width, image.height, vae)
    factor = vae.factor if vae is not None else None
    return facts_of(
        "Latent",
        space=vae and vae.space,
        factor=factor,
        width=_scaled(image, "width", factor),
        height=_scaled(image, "height", factor),
        channels=vae and vae.channels,
        count=image and image.count,
        noise=0.0,
        masked=False,
    )


@vae_encode.peak
def _(p: Any, vae: Facts | None, image: Facts | None) -> Peak:
    known = image or facts_of("Image")
    return coding_peak(vae, known.width, known.height, known.count, p.tile, p.overlap)


@node(
    category="Latent",
    title="VAE decode",
    lane="device",
    version=2,
    aliases=("latent to image",),
)
def vae_decode(
    ctx: Context,
    vae: VAE,
    latent: Latent,
    tile: TileSize = 0,
    overlap: Overlap = 0,
    wide: bool = False,
) -> Image:
    """Decode latents into pictures, one after the other, in sRGB and clipped to 0..1.

    The VAE must speak the latent's space. `tile` above 0 decodes in squares of that many pixels,
    which share `overlap` pixels with their neighbours (0: a quarter of the tile) and are blended
    there. The device then needs the memory of one square, and colours stay those of the whole,
    since all squares are normed together. `wide` keeps values below 0 and above 1 that a grading
    may bring back.

    Example: sample -> vae_decode -> save_image.
    """
    if latent.space != vae.space:
        raise UserError(
            f"The latent is in the space {latent.space}, the VAE speaks {vae.space}. Use the VAE "
            "of the model that made the latent."
        )
    with explained():
        coding = Coding(*tiles_for(ctx, tile, overlap), wide, _told(ctx))
        image = family_of(vae).decode_latent(vae, latent, ctx.load, ctx.device, coding)
        learn(vae, latent.samples, image, ctx.load)
        return image


@vae_decode.migrate(1)
def _(params: dict[str, Any], inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"overlap": 64, **params}, inputs  # which was the default


@vae_decode.facts
def _(p: Any, vae: Facts | None, latent: Facts | None) -> Facts:
    same_latent_space(latent, vae)
    tile_fits(p.tile, p.overlap, vae)
    factor = vae.factor if vae is not None else None
    return facts_of(
        "Image",
        width=latent.width * factor if latent and latent.width and factor else None,
        height=latent.height * factor if latent and latent.height and factor else None,
        channels=3,
        count=latent and latent.count,
    )


@vae_decode.peak
def _(p: Any, vae: Facts | None, latent: Facts | None) -> Peak:
    known, factor = latent or facts_of("Latent"), (vae and vae.factor) or 0
    size = (known.width or 0) * factor, (known.height or 0) * factor
    return coding_peak(vae, *size, known.count, p.tile, p.overlap, "decoder")


@node(category="Latent", title="In-paint mask", aliases=("inpaint", "mask latent", "noise mask"))
def inpaint_mask(ctx: Context, latent: Latent, mask: Mask, soft: bool = False) -> Latent:
    """Say which part of a latent a sampler may change: white is new, black is kept.

    The mask has the size of the picture, or its proportions. `soft` keeps grey values, which
    blends old and new at the rim; otherwise each cell is either new or kept. What is kept comes
    out exactly as it went in.

    Example: vae_encode -> inpaint_mask(mask) -> sample(denoise=0.9) -> vae_decode.
    """
    height, width = latent.samples.shape[-2:]
    if mask.width * height != mask.height * width:
        raise UserError(
            f"The mask is {mask.width}x{mask.height}, which has other proportions than the latent "
            f"({width}x{height}). Make the mask as large as the picture."
        )
    if mask.count not in (1, latent.count):
        raise UserError(
            f"There are {mask.count} masks for {latent.count} latents. Give one, or as many."
        )
    with explained():
        return latent.but(mask=latent_mask(mask.coverage, height, width, soft))


@inpaint_mask.facts
def _(p: Any, latent: Facts | None, mask: Facts | None) -> Facts:
    return (latent or facts_of("Latent")).but(masked=True)


def _scaled(image: Facts | None, side: str, factor: int | None) -> int | None:
    size = getattr(image, side) if image is not None else None
    return size // factor if size and factor else None


def _told(ctx: Context) -> Callable[[int, int], None]:
    """Tell a context of every tile; a cancelled run stops there."""

    def told(done: int, total: int) -> None:
        ctx.check()
        ctx.progress(done, total)

    return told
