"""One sampling run on a model reference: the way from a node's values to the sampling loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from backend.diffusion.around import Around, Mover
from backend.diffusion.edit import EditMaker
from backend.diffusion.errors import DiffusionError
from backend.diffusion.sample import Hooks, invert, sample
from backend.models.card import ModelFacts
from backend.models.experts import assemble, experts_of
from backend.models.family import describe
from backend.models.patch import Stage, across_batch, movers, surround
from backend.models.pipelines.reference import refuse_whole
from backend.models.preview import SHARE, Shown, viewer
from backend.models.seams.maps import Recorder
from backend.models.tiling.latents import LatentTiles, TiledDenoiser
from backend.sdk import Context
from backend.values import Guider, Latent, Model, Noise, Schedule, Solver

if TYPE_CHECKING:
    from torch import Tensor


def denoise(
    ctx: Context,
    guider: Guider,
    solver: Solver,
    schedule: Schedule,
    noise: Noise,
    latent: Latent,
    edits: Sequence[EditMaker] = (),
    watch: Sequence[Recorder] = (),
    more: Callable[[Stage], Sequence[Around]] = lambda stage: (),
    tiles: LatentTiles | None = None,
) -> Latent:
    """Sample with the guider's model, telling progress and showing previews.

    The patches of the model and of the guider's terms are laid on, ``more`` inside them; ``watch``
    looks on. ``tiles``: larger latents go through the model in such tiles.

    Raises:
        DiffusionError: the guider has no model, or spaces and sizes do not go together.
        CatalogError: the model's files cannot be used.
    """
    model = checked(guider, latent)

    moving: list[Mover] = []

    def dress(stage: Stage) -> tuple[Around, ...]:
        moving.extend(movers(stage))
        laid = surround(stage, guider.terms) + tuple(more(stage))
        return laid + tuple(each.around(stage) for each in watch)

    denoiser, around = assemble(model, ctx.load, ctx.device, dress)
    if tiles is not None and tiles.needed(*latent.samples.shape[-2:]):
        if moving:
            raise DiffusionError(
                "Layout guidance moves whole pictures, and these latents go through the model in "
                "tiles. Make them without tiles, or take the guidance off."
            )
        parted = TiledDenoiser(denoiser, around, tiles, ctx.check)
        denoiser, around = parted, (parted.around,)
    return sample(
        denoiser,
        guider,
        solver,
        schedule,
        noise,
        latent,
        device=ctx.device,
        hooks=_hooks(ctx, guider, model, latent),
        edits=edits,
        around=around,
        movers=moving,
    )


def find_noise(
    ctx: Context,
    guider: Guider,
    schedule: Schedule,
    latent: Latent,
    solver: Solver | None = None,
    more: Callable[[Stage], Sequence[Around]] = lambda stage: (),
) -> Latent:
    """Invert a clean latent with the guider's model. ``more`` surrounds each call inside the
    patches.

    Raises:
        DiffusionError: the guider has no model, or spaces and sizes do not go together.
        CatalogError: the model's files cannot be used.
    """
    model = checked(guider, latent)
    denoiser, around = assemble(
        model,
        ctx.load,
        ctx.device,
        lambda stage: surround(stage, guider.terms) + tuple(more(stage)),
    )
    return invert(
        denoiser,
        guider,
        schedule,
        latent,
        device=ctx.device,
        hooks=_hooks(ctx, guider, model, latent),
        around=around,
        solver=solver,
    )


def checked(guider: Guider, latent: Latent) -> Model:
    """The guider's model, after a look at spaces and sizes."""
    if guider.model is None:
        raise DiffusionError("This guider has no model. Connect one to the node that makes it.")
    refuse_whole(guider.model)
    facts = describe(guider.model)
    for term in guider.terms:
        if term.conditioning.space != facts.text_space:
            raise DiffusionError(
                f"The {term.role} conditioning was encoded for {term.conditioning.space}, the "
                f"model understands {facts.text_space}. Encode the text with the model's own "
                "text encoder."
            )
    if latent.space != facts.latent_space:
        raise DiffusionError(
            f"The latent is in the space {latent.space}, the model works in {facts.latent_space}. "
            "Decode it with its own VAE and encode the picture with this model's."
        )
    _check_shape(facts, latent)
    return guider.model


def _check_shape(facts: ModelFacts, latent: Latent) -> None:
    geometry, shape = facts.geometry, latent.samples.shape
    axes = 5 if geometry.frame_factor else 4
    if len(shape) != axes or shape[1] != geometry.channels:
        raise DiffusionError(
            f"The latent has the shape {shape}; this model takes {axes} axes with "
            f"{geometry.channels} channels. Make it with this model's nodes."
        )
    if shape[-1] % geometry.patch or shape[-2] % geometry.patch:
        raise DiffusionError(
            f"The latent is {shape[-1]}x{shape[-2]} cells; this model takes multiples of "
            f"{geometry.patch}. Resize the picture to a multiple of {geometry.multiple} pixels."
        )


def apart(ctx: Context, guider: Guider, latent: Latent) -> bool:
    """Whether the pictures of a batch go through the model one after the other: where memory ran
    out before, unless a patch looks from one picture to another, which is said.

    Raises:
        CatalogError: files of the model are gone or broken.
    """
    if not ctx.frugal or latent.count < 2 or guider.model is None:
        return False
    found = across_batch((each.model for each in experts_of(guider.model)), guider.terms)
    if found:
        ctx.note(
            f"The {latent.count} pictures of this batch are not taken one by one to save memory: "
            f"{found[0]} looks from one to another. A smaller batch takes less."
        )
    return not found


def _hooks(ctx: Context, guider: Guider, model: Model, latent: Latent) -> Hooks:
    view = viewer(model, latent.space, ctx.load)
    show = Shown(view, ctx.preview, share=1.0 if model.preview else SHARE)

    def step(done: int, total: int, x0: Tensor) -> None:
        ctx.progress(done, total)
        show(x0, last=done == total)

    return Hooks(ctx.check, step, ctx.frugal, apart(ctx, guider, latent))
