"""Two model references that sample one picture together: from values to the cooperating loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from backend.diffusion.coop import Partner, cooperate, weights_of
from backend.diffusion.errors import DiffusionError
from backend.diffusion.noise import draw
from backend.diffusion.paths import Estimate
from backend.diffusion.sample import GuidedModel, Hooks, finite
from backend.diffusion.schedule import sigmas
from backend.media.pixels.resample import plan_resize, resize
from backend.models.experts import assemble
from backend.models.family import describe, family_of
from backend.models.patch import surround
from backend.models.preview import SHARE, Shown, viewer
from backend.models.run import apart, checked
from backend.models.tiling.tiles import Coding, tiles_for
from backend.sdk import Context
from backend.values import VAE, Guider, Latent, Noise, Schedule

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Side:
    """What one of the two is given; of the latent the size counts."""

    guider: Guider
    vae: VAE
    latent: Latent


def cooperated(
    ctx: Context,
    sides: tuple[Side, Side],
    schedule: Schedule,
    noise: Noise,
    points: Sequence[float],
) -> tuple[Latent, Latent]:
    """Sample with both models; ``points`` are the second's weights over the run (``weights_of``).

    Networks are asked of the store anew for each call and not held between, so that both, and both
    VAEs, share its budget.

    Raises:
        DiffusionError: spaces, sizes or numbers do not go together.
        CatalogError: the files of a model cannot be used.
    """
    for side in sides:
        _check(side)
    one, two = sides
    (width, height), (other_width, other_height) = _pixels(one), _pixels(two)
    if width * other_height != height * other_width:
        raise DiffusionError(
            f"The first model makes {width}x{height} pixels, the second {other_width}x"
            f"{other_height}. Sizes may differ, but not their proportions."
        )
    if one.latent.count != two.latent.count:
        raise DiffusionError(
            f"The first latent has {one.latent.count} pictures, the second {two.latent.count}. "
            "Both models work on the same pictures; give as many to each."
        )
    first, second = _partner(ctx, one, two, noise), _partner(ctx, two, one, noise)
    levels = sigmas(schedule, first.process, first.tokens)
    show = _shower(ctx, sides, len(levels) - 1)
    weights = weights_of(points, len(levels) - 1)
    made = cooperate((first, second), levels, weights, ctx.check, show)
    return (
        one.latent.but(samples=finite(made[0]), sigma=0.0),
        two.latent.but(samples=finite(made[1]), sigma=0.0),
    )


def _check(side: Side) -> None:
    checked(side.guider, side.latent)
    if side.vae.space != side.latent.space:
        raise DiffusionError(
            f"A VAE for {side.vae.space} stands beside a model that works in {side.latent.space}. "
            "Give each model the VAE that it was loaded with."
        )
    if side.latent.samples.ndim == 5:
        raise DiffusionError(
            "Two models cooperate on pictures only, and this one makes videos. Choose another."
        )
    if side.latent.sigma > 0 or side.latent.mask is not None:
        raise DiffusionError(
            "Cooperating models begin with noise: of a latent they take the size, and it may hold "
            "neither noise nor a mask. Give them empty latents."
        )


def _pixels(side: Side) -> tuple[int, int]:
    """Width and height of the picture that a latent stands for."""
    factor = describe(checked(side.guider, side.latent)).geometry.factor
    height, width = side.latent.samples.shape[-2:]
    return width * factor, height * factor


def _partner(ctx: Context, own: Side, other: Side, noise: Noise) -> Partner:
    model = checked(own.guider, own.latent)
    shape = own.latent.samples.shape
    denoiser = assemble(model, ctx.load, ctx.device, lambda stage: ())[0]
    one_by_one = apart(ctx, own.guider, own.latent)
    return Partner(
        denoiser.process,
        partial(_ask, ctx, own, Hooks(ctx.check, frugal=ctx.frugal, apart=one_by_one)),
        partial(_across, ctx, own, other),
        draw(noise, shape).to(ctx.device),
        denoiser.tokens(shape),
    )


def _ask(
    ctx: Context, side: Side, hooks: Hooks, x: Tensor, sigma: float, step: int, steps: int
) -> Estimate:
    import torch

    model, terms = checked(side.guider, side.latent), side.guider.terms
    denoiser, around = assemble(model, ctx.load, ctx.device, lambda stage: surround(stage, terms))
    guided = GuidedModel(denoiser, side.guider, side.latent.count, hooks, around)
    with torch.no_grad():
        return guided.at(step, steps)(x, sigma)


def _across(ctx: Context, own: Side, other: Side, clean: Tensor) -> Tensor:
    """Clean latents as those of the other side, through pixels."""
    import torch

    # Views on their way may leave 0..1, and are not to be clipped each time.
    coding = Coding(*tiles_for(ctx, 0, 0), wide=True)
    latent = Latent(clean.float().cpu().numpy(), own.latent.space)
    image = family_of(own.vae).decode_latent(own.vae, latent, ctx.load, ctx.device, coding)
    ctx.check()
    size = _pixels(other)
    if (image.width, image.height) != size:
        plan = plan_resize((image.width, image.height), size)
        image = resize(image, plan, check=ctx.check)
    coded = family_of(other.vae).encode_image(other.vae, image, ctx.load, ctx.device, None, coding)
    ctx.check()
    return torch.from_numpy(coded.samples.copy()).to(ctx.device)


def _shower(
    ctx: Context, sides: tuple[Side, Side], total: int
) -> Callable[[int, Sequence[Tensor | None]], None]:
    """Tells progress, and shows the first model's view, or the second's where it works alone."""
    shows = []
    for side in sides:
        model = checked(side.guider, side.latent)
        view = viewer(model, side.latent.space, ctx.load)
        shows.append(Shown(view, ctx.preview, share=1.0 if model.preview else SHARE))

    def told(done: int, clean: Sequence[Tensor | None]) -> None:
        ctx.progress(done, total)
        for show, x0 in zip(shows, clean, strict=True):
            if x0 is not None:
                show(x0, last=done == total)
                return

    return told
