"""One sampling run on a model reference: the way from a node's values to the sampling loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend.diffusion.edit import EditMaker
from backend.diffusion.errors import DiffusionError
from backend.diffusion.sample import Hooks, invert, sample
from backend.models.card import ModelFacts
from backend.models.family import describe, family_of
from backend.sdk import Context
from backend.values import Guider, Image, Latent, Model, Noise, Schedule, Solver

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
) -> Latent:
    """Sample with the guider's model, telling progress and showing rough previews.

    Raises:
        DiffusionError: the guider has no model, or spaces and sizes do not go together.
        CatalogError: the model's files cannot be used.
    """
    model = _checked(guider, latent)
    family = family_of(model)
    return sample(
        family.denoiser(model, ctx.load, ctx.device),
        guider,
        solver,
        schedule,
        noise,
        latent,
        device=ctx.device,
        hooks=_hooks(ctx),
        edits=edits,
    )


def find_noise(ctx: Context, guider: Guider, schedule: Schedule, latent: Latent) -> Latent:
    """Invert a clean latent with the guider's model.

    Raises:
        DiffusionError: the guider has no model, or spaces and sizes do not go together.
        CatalogError: the model's files cannot be used.
    """
    model = _checked(guider, latent)
    denoiser = family_of(model).denoiser(model, ctx.load, ctx.device)
    return invert(denoiser, guider, schedule, latent, device=ctx.device, hooks=_hooks(ctx))


def _checked(guider: Guider, latent: Latent) -> Model:
    """The guider's model, after a look at spaces and sizes."""
    if guider.model is None:
        raise DiffusionError("This guider has no model. Connect one to the node that makes it.")
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


def _hooks(ctx: Context) -> Hooks:
    def step(done: int, total: int, x0: Tensor) -> None:
        ctx.progress(done, total)
        ctx.preview(rough_picture(x0))

    return Hooks(check=ctx.check, step=step)


def rough_picture(x0: Tensor) -> Image:
    """A rough look at clean latents: the first three channels, each stretched to 0..1 per sample.

    Of a video the first frame. It costs no decoder and shows shapes, not true colours.
    """
    import torch

    still = (x0[:, :, 0] if x0.ndim == 5 else x0)[:, :3].float()
    still = still if still.shape[1] == 3 else still[:, :1].expand(-1, 3, -1, -1)
    low, high = torch.aminmax(still.flatten(2), dim=2)
    low, high = low[:, :, None, None], high[:, :, None, None]
    picture = (still - low) / (high - low).clamp_min(1e-6)
    return Image(picture.permute(0, 2, 3, 1).contiguous().cpu().numpy())
