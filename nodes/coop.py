"""Nodes for models that make one picture together."""

from __future__ import annotations

from typing import Any, NamedTuple

from backend.diffusion.coop import weights_of
from backend.models.agree import same_latent_space
from backend.models.coop import Side, cooperated
from backend.models.costs import coding, in_turn, sampling
from backend.models.explain import explained
from backend.sdk import (
    VAE,
    Context,
    Facts,
    Guider,
    Latent,
    Noise,
    Peak,
    ScalarList,
    Schedule,
    SeedParam,
    facts_of,
    node,
)
from nodes.sampling import ScheduleName, Steps


class Cooperated(NamedTuple):
    """The picture in the latents of each model."""

    first: Latent
    second: Latent


@node(
    category="Sampling",
    lane="device",
    title="Sample with two models",
    aliases=("coop diffusion", "pangu-draw", "two models", "mix models", "cooperate"),
)
def coop_sample(
    ctx: Context,
    first: Guider,
    first_vae: VAE,
    first_latent: Latent,
    second: Guider,
    second_vae: VAE,
    second_latent: Latent,
    weights: ScalarList = (0.5,),
    steps: Steps = 28,
    seed: SeedParam = 0,
    schedule: ScheduleName = "native",
) -> Cooperated:
    """Let two models make one picture, whatever their latents (PanGu-Draw's Coop-Diffusion).

    At every step each model's view of the clean picture goes through pixels to the other (decoded,
    resized, encoded), and both go on from the weighted mean at the same signal-to-noise ratio. Each
    has its own guider, VAE and empty latent; the latents say the sizes, which may differ, but not
    their proportions. `weights` are the second model's share: one number for the whole run, or
    several that are met one after the other with straight lines between. At 0 and at 1 one model
    works alone and the other is not called. `schedule` is that of the first model.

    A step costs both models and a pass of both VAEs each way. Both share the memory budget; where
    it holds one only, they are loaded in turn.

    Example: an SD 1.5 with a LoRA of a style as `first`, a Flux for the text as `second`,
    weights=[0, 0.5, 1] -> vae_decode of `second`: the first lays out, the other ends.
    """
    with explained():
        sides = Side(first, first_vae, first_latent), Side(second, second_vae, second_latent)
        plan, noise = Schedule(schedule, steps=steps), Noise("gaussian", seed=seed)
        return Cooperated(*cooperated(ctx, sides, plan, noise, weights))


@coop_sample.facts
def _(
    p: Any,
    first: Facts | None,
    first_vae: Facts | None,
    first_latent: Facts | None,
    second: Facts | None,
    second_vae: Facts | None,
    second_latent: Facts | None,
) -> dict[str, Facts]:
    found = {}
    for name, guider, vae, latent in (
        ("first", first, first_vae, first_latent),
        ("second", second, second_vae, second_latent),
    ):
        same_latent_space(latent, guider)
        same_latent_space(latent, vae)
        found[name] = (latent or facts_of("Latent")).but(noise=0.0)
    if p.weights is not None:
        with explained():
            weights_of(p.weights, 1)
    return found


@coop_sample.peak
def _(
    p: Any,
    first: Facts | None,
    first_vae: Facts | None,
    first_latent: Facts | None,
    second: Facts | None,
    second_vae: Facts | None,
    second_latent: Facts | None,
) -> Peak:
    parts: list[Peak] = []
    for name, guider, vae, latent in (
        ("first", first, first_vae, first_latent),
        ("second", second, second_vae, second_latent),
    ):
        branches = guider.branches if guider else None
        parts.append(sampling(name, guider, latent, branches, p.steps))
        known, factor = latent or facts_of("Latent"), (vae and vae.factor) or 0
        size = (known.width or 0) * factor, (known.height or 0) * factor
        coded = coding(vae, *size, (known.count or 1) * 2 * (p.steps or 1))
        parts.append(Peak(coded.activation, ((f"{name}_vae", coded.uses[0][1]),)))
    return in_turn(*parts)
