"""Nodes about what is shown while a model runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.models.agree import runs_in_steps
from backend.models.explain import explained
from backend.models.family import describe
from backend.models.tiny_decoder import read_layout
from backend.sdk import Context, Facts, FilePath, Model, UserError, facts_of, node


@node(category="Model", aliases=("taesd", "taef1", "tiny vae", "preview method", "live preview"))
def preview_decoder(ctx: Context, model: Model, file: FilePath = "") -> Model:
    """Show runs of a model by a tiny VAE while they go on, sharp and in true colours.

    `file` is the safetensors file of a tiny VAE such as TAESD, TAESDXL or TAEF1, or its folder in
    the diffusers layout; take the one that was made for the model's latents. Results stay the same
    and nothing is computed again. Previews take at most a tenth of a run's time, so on a slow
    device there are fewer of them. Without this node previews show each latent cell in a colour
    that is learnt from what the VAE has decoded.

    Example: load_model -> preview_decoder(file="taef1.safetensors") -> sample.
    """
    with explained():
        place = ctx.read(file)
        layout, channels = read_layout(place), describe(model).geometry.channels
    if layout.channels != channels:
        raise UserError(
            f"{place.name} decodes latents of {layout.channels} channels, and those of this model "
            f"have {channels}. Choose the tiny VAE that was made for this model."
        )
    return replace(model, preview=str(place))


@preview_decoder.facts
def _(p: Any, model: Facts | None) -> Facts:
    runs_in_steps(model)
    return model or facts_of("Model")
