"""Nodes that enlarge pictures by diffusion models: in tiles, or by an adapter that learnt it."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from backend.media.pixels.batches import require_pixels
from backend.models.agree import runs_in_steps, same_latent_space, same_text_space
from backend.models.costs import TOKENS, branches_of, calls_of, coding, in_turn, sampling
from backend.models.explain import explained
from backend.models.family import describe
from backend.models.lora.fit import check_fits
from backend.models.pipelines.reference import refuse_whole
from backend.models.tiling.latents import How, LatentTiles
from backend.models.upscale.adapter import upscale_patch
from backend.models.upscale.diffusion import Way, enlarge, in_cells
from backend.sdk import (
    VAE,
    Conditioning,
    Context,
    Facts,
    FilePath,
    Image,
    Model,
    Peak,
    Range,
    SeedParam,
    UserError,
    facts_of,
    node,
)

Scale: TypeAlias = Annotated[float, Range(1, 16, 0.25)]
Steps: TypeAlias = Annotated[int, Range(1, 150, 1)]
Cfg: TypeAlias = Annotated[float, Range(0, 30, 0.1)]
TileSide: TypeAlias = Annotated[int, Range(0, 8192, 16)]
Shared: TypeAlias = Annotated[int, Range(0, 4096, 16)]


@node(
    category="Image/Upscale",
    lane="device",
    aliases=("tiled diffusion", "multidiffusion", "ultimate sd upscale", "any size diffusion"),
)
def upscale_by_tiles(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    vae: VAE,
    image: Image,
    negative: Conditioning | None = None,
    scale: Scale = 2.0,
    denoise: Annotated[float, Range(0, 1, 0.01)] = 0.3,
    steps: Steps = 28,
    cfg: Cfg = 2.0,
    seed: SeedParam = 0,
    tile: TileSide = 0,
    overlap: Shared = 0,
    tiles: How = "shifted",
    colours: bool = True,
) -> Image:
    """Enlarge a picture and let a model draw the details, tile by tile, at any size.

    The picture is grown `scale` times by Lanczos and sampled anew from `denoise` of the noise on,
    in squares of `tile` pixels (0: the size that the model was made for). `shifted` tiles lie
    side by side in a grid that lies elsewhere at each step, so that no seam stays in one place
    (Any-Size-Diffusion): the fewest calls of the model. Where a side is no multiple of the tile,
    two of them meet in some cells, and their mean counts. `blended` tiles share `overlap` pixels
    (0: a quarter of a tile) and are blended at each step (MultiDiffusion): steadier, more calls.
    The device needs the memory of one tile. Every tile is told the whole prompt, so say what is
    everywhere, and keep `denoise` low. `colours` keeps the coarse colours of the picture.

    Example: load_image -> upscale_by_tiles(scale=4, denoise=0.3), with "sharp, detailed".
    """
    with explained():
        refuse_whole(model)
        way = Way(scale, steps, denoise, cfg, seed, tile, overlap, tiles, colours)
        said = [positive] if negative is None else [positive, negative]
        return enlarge(ctx, model, vae, image, said, way)


@node(
    category="Image/Upscale",
    lane="device",
    title="Enlarge by model",
    aliases=("super resolution", "dit4sr", "real world super resolution", "supir", "stablesr"),
)
def enlarge_by_model(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    vae: VAE,
    image: Image,
    negative: Conditioning | None = None,
    file: FilePath = "",
    scale: Scale = 4.0,
    strength: Annotated[float, Range(0, 4, 0.05)] = 1.0,
    steps: Steps = 2,
    cfg: Cfg = 1.0,
    seed: SeedParam = 0,
    tile: TileSide = 0,
    overlap: Shared = 0,
    tiles: How = "blended",
    colours: bool = True,
) -> Image:
    """Enlarge a small, blurred or noisy picture with an adapter that taught a model to (DiT4SR).

    `file` was trained with Train adapter, form enlarge. The model makes the picture from noise
    while it reads the small one, grown `scale` times by Lanczos, beside its own tokens; `positive`
    may say what is in it, or nothing. Few steps and no guidance (`cfg` 1) stay closest to what was
    there; more of both invent more detail. Pictures above `tile` pixels a side (0: the size that
    the model was made for) go in tiles, as in upscale_by_tiles. `colours` keeps the coarse colours
    of the small picture. `strength` 0 gives the same bits as no adapter.

    Example: load_image -> enlarge_by_model(file="primer-enlarge.safetensors", scale=4).
    """
    path = ctx.read(file)
    with explained():
        refuse_whole(model)
        check_fits(path, model)
        if describe(vae).latent_space != describe(model).latent_space:
            raise UserError(
                "The VAE is of another model. Link the one that came with the model that enlarges."
            )
        patch = upscale_patch(path, model.family, strength)
        way = Way(scale, steps, 1.0, cfg, seed, tile, overlap, tiles, colours)
        said = [positive] if negative is None else [positive, negative]
        return enlarge(ctx, model, vae, image, said, way, patch if strength else None)


@node(
    category="Model/Patches",
    title="Upscale adapter",
    aliases=("dit4sr", "super resolution lora", "enlarge"),
)
def upscale_adapter(
    ctx: Context,
    model: Model,
    file: FilePath = "",
    strength: Annotated[float, Range(0, 4, 0.05)] = 1.0,
) -> Model:
    """Let a model enlarge the picture that its conditionings show last, in a graph of your own.

    Put reference_image behind the positive and the negative text, linked to this model, each with
    the picture in the size that is made; sample a latent of that size. enlarge_by_model is all of
    that in one node. `strength` 0 gives the same bits as no adapter.

    Example: upscale_adapter(file="primer-enlarge.safetensors") -> reference_image -> sample.
    """
    path = ctx.read(file)
    with explained():
        refuse_whole(model)
        check_fits(path, model)
        patch = upscale_patch(path, model.family, strength)
    return model.with_(patch) if strength else model


@upscale_adapter.facts
def _(p: Any, model: Facts | None) -> Facts:
    runs_in_steps(model)
    return model or facts_of("Model")


@upscale_by_tiles.facts
def _tiled_facts(
    p: Any,
    model: Facts | None,
    positive: Facts | None,
    vae: Facts | None,
    image: Facts | None,
    negative: Facts | None = None,
) -> Facts:
    runs_in_steps(model)
    same_latent_space(vae, model)
    same_text_space(model, (positive, negative))
    _check_tiles(p, model or facts_of("Model"))
    if image is None:
        return facts_of("Image", channels=3)
    if image.channels == 4:
        raise UserError(
            "A picture with alpha cannot be enlarged by a diffusion model. Lay it over a "
            "background first, or take the node upscale."
        )
    width, height = (_grown(side, p.scale) for side in (image.width, image.height))
    if width and height:
        require_pixels(width, height, image.count)
    return facts_of("Image", width=width, height=height, channels=3, count=image.count)


enlarge_by_model.facts(_tiled_facts)


def _check_tiles(p: Any, model: Facts) -> None:
    """Refuse an overlap as large as the tile, of latents or of the VAE's."""
    side = p.tile if p.tile or p.tile is None else model.own_width
    if not side or p.overlap is None:
        return
    factor, patch = model.factor or 1, model.patch or 1
    size, shared = in_cells(side, p.overlap, factor, patch if p.tiles == "blended" else 1)
    if shared >= (size if p.tiles == "blended" else max(size, 2)):
        raise UserError(
            f"Tiles of {side} pixels cannot overlap by {p.overlap or side // 4}. Take an overlap "
            "below the size of a tile, or larger tiles."
        )


@upscale_by_tiles.peak
def _tiled_peak(
    p: Any,
    model: Facts | None,
    positive: Facts | None,
    vae: Facts | None,
    image: Facts | None,
    negative: Facts | None = None,
) -> Peak:
    """The larger of coding one tile and of sampling one tile; its passes those of all tiles."""
    return in_turn(*_peaks(p, model, vae, image, negative))


@enlarge_by_model.peak
def _beside_peak(
    p: Any,
    model: Facts | None,
    positive: Facts | None,
    vae: Facts | None,
    image: Facts | None,
    negative: Facts | None = None,
) -> Peak:
    """The same, where each tile has the small picture's tokens beside its own, and a dense mask of
    scores in float32, as it is made and as it is kept, ``[batch, 1, tokens, tokens]``."""
    run, coded = _peaks(p, model, vae, image, negative)
    own = model or facts_of("Model")
    if p.strength == 0 or not run.activation or not own.token_bytes:
        return in_turn(run, coded)
    patch = own.patch or 1
    cells = (_tile(p, own) // patch) ** 2
    batch = run.activation // (own.token_bytes * cells)
    tokens = 2 * cells + ((positive.tokens if positive else None) or TOKENS)
    most = 2 * run.activation + 2 * 4 * batch * tokens**2
    return in_turn(Peak(most, run.uses), coded)


def _peaks(
    p: Any, model: Facts | None, vae: Facts | None, image: Facts | None, negative: Facts | None
) -> tuple[Peak, Peak]:
    """Those of sampling and of coding one tile."""
    known, own = image or facts_of("Image"), model or facts_of("Model")
    width, height = (_grown(side, p.scale) for side in (known.width, known.height))
    side = p.tile or own.own_width
    coded = coding(vae, width, height, known.count, side, p.overlap or (side or 0) // 4)
    plain = negative is None or p.cfg == 1
    size, calls = _tile(p, own), None
    if p.steps is not None and width and height and p.tiles:
        factor = own.factor or 1
        overlap = max(1, min((p.overlap or (side or 0) // 4) // factor, size - 1))
        share = getattr(p, "denoise", 1.0)
        taken = max(round(p.steps * (1.0 if share is None else share)), 0)
        count = (
            1
            if size < 2
            else LatentTiles(size, overlap, p.tiles, 0, own.patch or 1).count(
                max(height // factor, 1), max(width // factor, 1)
            )
        )
        calls = calls_of(own.own_solver, taken) * count
    latent = facts_of(
        "Latent", width=size, height=size, count=known.count, factor=own.factor,
        channels=own.channels,
    )  # fmt: skip
    branches = 1 if plain else branches_of(own.own_guider, 2)
    return sampling("model", model, latent, branches, calls), coded


def _tile(p: Any, model: Facts) -> int:
    """The side of a tile in cells."""
    return in_cells(p.tile or model.own_width or 0, 0, model.factor or 1, model.patch or 1)[0]


def _grown(side: int | None, scale: float | None) -> int | None:
    return max(1, round(side * scale)) if side and scale else None
