"""Nodes that make related pictures as panels of one (In-Context LoRA, ChatDiT)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from backend.diffusion.inpaint import latent_mask
from backend.media.pixels import panels as pixels
from backend.media.pixels.batches import require_size
from backend.media.pixels.knowledge import knows, mask_facts, size_of, sized
from backend.models.agree import runs_in_steps, same_latent_space, same_text_space, size_fits
from backend.models.costs import branches_of, calls_of, coding, in_turn, sampling
from backend.models.explain import explained
from backend.models.family import describe, family_of
from backend.models.run import denoise as run_sampler
from backend.models.tiling.tiles import Coding, tiles_for
from backend.sdk import (
    VAE,
    Conditioning,
    Context,
    Facts,
    Guider,
    Image,
    Mask,
    Model,
    Multiline,
    Noise,
    Peak,
    Range,
    Schedule,
    SeedParam,
    Solver,
    facts_of,
    node,
)
from nodes.conditioning import pair

SIDE = 16384
Columns = Annotated[int, Range(0, pixels.MOST, 1)]
Panels = Annotated[int, Range(1, pixels.MOST, 1)]


class Canvas(NamedTuple):
    """Panels in one picture, where they are still to be made, and what is said of all."""

    canvas: Image
    mask: Mask
    caption: str


@node(category="Image/Panels", aliases=("in-context", "ic-lora", "storyboard", "side by side"))
def compose_panels(
    ctx: Context,
    *images: Image,
    captions: list[str] | None = None,
    panels: Panels = 2,
    columns: Columns = 0,
    places: str = "",
    title: Multiline = "",
    width: Annotated[int, Range(0, SIDE, 8)] = 0,
    height: Annotated[int, Range(0, SIDE, 8)] = 0,
) -> Canvas:
    """Put pictures that are known into the panels of one, with room for those still to be made.

    All panels have one size: that of the pictures, or `width` x `height`. Pictures go to the first
    panels, or to those that `places` numbers from 1 on ("2" leaves the first to be made). `columns`
    = 0 puts all in a row. The mask is white where a panel is still to be made. `caption` is `title`
    and, where `captions` are linked, each behind its mark: `[IMAGE1] ... [IMAGE2] ...`.

    Example: a picture of a toy, `panels` = 2 -> in_context_generate, with a LoRA that was trained
    on pairs: the second panel shows the same toy as the pairs do.
    """
    sizes = [(image.width, image.height) for image in images]
    size = pixels.panel_size(sizes, width, height)
    at = pixels.panel_places(places, sum(image.count for image in images), panels)
    canvas, mask = pixels.compose(images, at, panels, columns, size, ctx.check)
    return Canvas(canvas, mask, pixels.joint_caption(title, captions or []))


@compose_panels.facts
def _(p: Any, images: Sequence[Facts] = (), captions: Facts | None = None) -> dict[str, Facts]:
    known = [size for image in images if (size := size_of(image))]
    picture = facts_of("Image", count=1)
    if len(known) == len(images) and knows(p.width, p.height, p.panels, p.columns):
        wide, high = pixels.panel_size(known, p.width, p.height)
        across = min(p.panels, p.columns or p.panels)
        picture = sized(picture, (wide * across, high * -(-p.panels // across)))
    counts = [image.count for image in images]
    if knows(p.places, p.panels, *counts):
        pixels.panel_places(p.places, sum(c for c in counts if c is not None), p.panels)
    return {"canvas": picture, "mask": mask_facts(picture, 1), "caption": facts_of("Text")}


@node(
    category="Sampling",
    title="In-context generate",
    lane="device",
    aliases=("ic-lora", "panels", "storyboard", "consistent"),
)
def in_context_generate(
    ctx: Context,
    model: Model,
    vae: VAE,
    positive: Conditioning,
    canvas: Image,
    mask: Mask,
    negative: Conditioning | None = None,
    steps: Annotated[int, Range(1, 150, 1)] = 28,
    cfg: Annotated[float, Range(0, 30, 0.1)] = 2.0,
    seed: SeedParam = 0,
) -> Image:
    """Make the missing panels of a picture in the light of those that are known.

    All panels are sampled as one picture, so that the new ones look at the known ones, which are
    put back at every step (In-Context LoRA, arXiv:2410.23775) and come out as they went in, pixel
    for pixel. How panels belong together is what a LoRA on such pictures teaches; without one,
    models of panels in their training may do it too. The sides of the canvas must be multiples of
    what the model can make (16 for a Flux).

    Example: compose_panels -> in_context_generate (canvas and mask linked, `positive` from its
    caption) -> split_panels.
    """
    require_size(mask=(mask.width, mask.height), canvas=(canvas.width, canvas.height))
    with explained():
        own = describe(model).defaults
        family, tiled = family_of(vae), Coding(*tiles_for(ctx, 0, 0))
        coded = family.encode_image(vae, canvas, ctx.load, ctx.device, None, tiled)
        latent = coded.but(mask=latent_mask(mask.coverage, *coded.samples.shape[-2:]))
        terms, kind = pair(positive, negative, own.guider)
        made = run_sampler(
            ctx,
            Guider(kind, {} if kind == "none" else {"cfg": cfg}, model, terms),
            Solver(own.solver),
            Schedule("native", steps=steps),
            Noise("gaussian", seed=seed),
            latent,
        )
        image = family.decode_latent(vae, made, ctx.load, ctx.device, tiled)
    return pixels.keep_known(image, canvas, mask, ctx.check)


@in_context_generate.facts
def _(
    p: Any,
    model: Facts | None,
    vae: Facts | None,
    positive: Facts | None,
    canvas: Facts | None,
    mask: Facts | None,
    negative: Facts | None = None,
) -> Facts:
    runs_in_steps(model)
    same_latent_space(vae, model)
    same_text_space(model, (positive, negative))
    canvas, mask = canvas or facts_of("Image"), mask or facts_of("Mask")
    size_fits(canvas.width, canvas.height, vae)
    require_size(mask=(mask.width, mask.height), canvas=(canvas.width, canvas.height))
    return canvas.but(channels=3)


@in_context_generate.peak
def _(
    p: Any,
    model: Facts | None,
    vae: Facts | None,
    positive: Facts | None,
    canvas: Facts | None,
    mask: Facts | None,
    negative: Facts | None = None,
) -> Peak:
    known, own = canvas or facts_of("Image"), model or facts_of("Model")
    size = (known.width, known.height, known.count)
    factor = vae.factor if vae is not None else None
    latent = facts_of("Latent", count=known.count)
    if factor and known.width and known.height:
        latent = latent.but(width=known.width // factor, height=known.height // factor)
    branches = 1 if negative is None or p.cfg == 1 else branches_of(own.own_guider, 2)
    calls = calls_of(own.own_solver, p.steps) if p.steps is not None else None
    return in_turn(
        coding(vae, *size),
        sampling("model", model, latent, branches, calls),
        coding(vae, *size, half="decoder"),
    )


@node(category="Image/Panels", aliases=("crop panels", "ungrid", "tiles"))
def split_panels(
    ctx: Context, image: Image, panels: Panels = 2, columns: Columns = 0
) -> list[Image]:
    """Cut a picture of equal panels apart into a list of them, row by row.

    `panels` and `columns` are what compose_panels had; `columns` = 0 means that all are in a row.

    Example: in_context_generate -> split_panels -> pick(index=1) -> save_image: the new panel
    alone.
    """
    return pixels.split(image, panels, columns, ctx.check)


@split_panels.facts
def _(p: Any, image: Facts | None = None) -> Facts:
    image = image or facts_of("Image")
    one = sized(image, None).but(count=image.count)
    size = size_of(image)
    if size is not None and knows(p.panels, p.columns):
        across, down = pixels.grid_of(*size, p.panels, p.columns)
        one = sized(one, (size[0] // across, size[1] // down))
    return one.listed(p.panels)
