"""Enlarging by a diffusion model: the picture grown by a filter, then denoised, maybe in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.media.bands import Check, bands, unchecked
from backend.media.pixels.batches import map_items, require_pixels
from backend.media.pixels.color import in_space, in_space_by_rows, widen
from backend.media.pixels.resample import plan_resize, resize
from backend.models import reference
from backend.models.family import describe, family_of
from backend.models.run import denoise
from backend.models.tiling.latents import How, LatentTiles
from backend.models.tiling.tiles import Coding
from backend.models.upscale.colours import recoloured
from backend.sdk import Context, UserError
from backend.values import (
    VAE,
    Conditioning,
    Float32,
    Guider,
    Image,
    Model,
    Noise,
    Patch,
    Schedule,
    Solver,
    Term,
)

COARSE = 5
"""Wavelet levels of details that stay as the model made them: those up to some 32 pixels wide."""


@dataclass(frozen=True)
class Way:
    """How a picture is enlarged: ``scale`` times, by ``steps`` of which the share ``denoise`` is
    taken, guided by ``cfg``; in tiles of ``tile`` pixels (0: as large as the model was made for)
    that share ``overlap``; ``colours``: the coarse part stays that of the small picture."""

    scale: float
    steps: int
    denoise: float
    cfg: float
    seed: int
    tile: int = 0
    overlap: int = 0
    how: How = "shifted"
    colours: bool = True


def grown(image: Image, scale: float, multiple: int, check: Check = unchecked) -> Image:
    """RGB pictures in sRGB, enlarged by Lanczos, their sides filled up to multiples of ``multiple``
    by what lies at the edge.

    Raises:
        UserError: they have alpha, or become too large.
    """
    if image.has_alpha:
        raise UserError(
            "A picture with alpha cannot be enlarged by a diffusion model. Lay it over a "
            "background first, or take the node upscale."
        )
    width, height = (max(1, round(side * scale)) for side in (image.width, image.height))
    require_pixels(width, height, image.count)
    fit = plan_resize((image.width, image.height), (width, height))
    large = resize(image, fit, "lanczos", check=check)
    down, across = -height % multiple, -width % multiple

    def filled(pixels: Float32) -> Float32:
        found = np.empty((height + down, width + across, 3), np.float32)
        for rows in bands(len(found), found[:1].size):
            check()
            part = pixels[np.minimum(np.arange(rows.start, rows.stop), height - 1)]
            part = np.clip(in_space(widen(part, 3), image.space, "srgb"), 0, 1)
            found[rows] = np.pad(part, [(0, 0), (0, across), (0, 0)], "edge")
        return found

    return Image(map_items(check, filled, large.pixels))


def enlarge(
    ctx: Context,
    model: Model,
    vae: VAE,
    image: Image,
    said: Sequence[Conditioning],
    way: Way,
    patch: Patch | None = None,
) -> Image:
    """Pictures ``way.scale`` times as large, by a model that was told ``said`` (positive, and
    maybe negative). With ``patch``, an upscale adapter, the model reads the picture beside.

    Raises:
        UserError: the picture has alpha or becomes too large.
        DiffusionError: spaces, sizes or tiles do not go together.
        CatalogError: the model's files cannot be used.
    """
    facts = describe(model)
    width, height = (max(1, round(side * way.scale)) for side in (image.width, image.height))
    side = way.tile or facts.defaults.width
    coding = Coding(side, way.overlap or side // 4, told=lambda done, total: ctx.check())
    coding.tiling(height, width, facts.geometry.factor)  # what cannot be is told before the work
    tiles = latent_tiles(model, way)
    large = grown(image, way.scale, facts.geometry.multiple, ctx.check)
    latent = family_of(vae).encode_image(vae, large, ctx.load, ctx.device, None, coding)
    if patch is not None:
        said = [reference.add(each, latent) for each in said]
        model = model.with_(patch)
    made = denoise(
        ctx,
        guider_of(model, said, way.cfg),
        Solver(facts.defaults.solver),
        Schedule("native", steps=way.steps, start=1.0 - way.denoise),
        Noise("gaussian", seed=way.seed),
        latent,
        tiles=tiles,
    )
    decoded = family_of(vae).decode_latent(vae, made, ctx.load, ctx.device, coding).pixels

    def finished(new: Float32, old: Float32) -> Float32:
        new = recoloured(new, old, COARSE, ctx.check) if way.colours else new
        return in_space_by_rows(ctx.check, new[:height, :width], "srgb", image.space)

    return Image(map_items(ctx.check, finished, decoded, large.pixels), image.space)


def guider_of(model: Model, said: Sequence[Conditioning], cfg: float) -> Guider:
    """The model's own guidance, or none where it is told one thing, or at strength 1."""
    roles = ("positive", "negative")
    terms = tuple(Term(role, each) for role, each in zip(roles, said, strict=False))
    if len(terms) < 2 or cfg == 1:
        return Guider("none", {}, model, terms[:1])
    return Guider(describe(model).defaults.guider, {"cfg": cfg}, model, terms)


def latent_tiles(model: Model, way: Way) -> LatentTiles:
    """The tiles in latent cells.

    Raises:
        DiffusionError: the tile is no multiple of what the model takes, or the overlap too large.
    """
    facts = describe(model)
    factor, patch = facts.geometry.factor, facts.geometry.patch
    side = way.tile or facts.defaults.width
    size, overlap = in_cells(side, way.overlap, factor, patch)
    return LatentTiles(size, overlap, way.how, way.seed, patch)


def in_cells(tile: int, overlap: int, factor: int, patch: int) -> tuple[int, int]:
    """The side of a tile of ``tile`` pixels in cells of ``factor`` pixels, in whole tokens of
    ``patch`` cells, and its overlap (0: a quarter of the tile)."""
    size = max(patch, tile // factor // patch * patch)
    return size, max(1, (overlap or tile // 4) // factor)
