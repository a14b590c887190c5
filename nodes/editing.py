"""Nodes that change a picture as a text says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from backend.diffusion.schedule import schedule_kinds
from backend.diffusion.solver import inverters
from backend.models.agree import same_latent_space, same_text_space
from backend.models.costs import calls_of, sampling
from backend.models.explain import explained
from backend.models.rf_edit import edit
from backend.sdk import (
    Conditioning,
    Context,
    Facts,
    Guider,
    Latent,
    Peak,
    Range,
    Schedule,
    Solver,
    facts_of,
    node,
)

if TYPE_CHECKING:
    Inverter: TypeAlias = str
    ScheduleName: TypeAlias = str
else:
    Inverter = Literal[tuple(inverters())]
    ScheduleName = Literal[tuple(schedule_kinds())]

Steps = Annotated[int, Range(1, 150, 1)]
Fraction = Annotated[float, Range(0, 1, 0.01)]


@node(category="Sampling", lane="device", title="RF-Edit", aliases=("edit by inversion", "p2p"))
def rf_edit(
    ctx: Context,
    guider: Guider,
    source: Conditioning,
    latent: Latent,
    steps: Steps = 15,
    inject: Annotated[int, Range(0, 150, 1)] = 2,
    depth: Fraction = 0.5,
    solver: Inverter = "midpoint",
    schedule: ScheduleName = "native",
) -> Latent:
    """Edit a picture by finding its noise and sampling it anew with another text (RF-Edit).

    `source` says what the picture shows, `guider` what it shall become. While the picture is
    inverted, the attentions of the deeper part of the model remember what they saw in it, and say
    it again in the first `inject` steps of sampling: more keeps more of the picture, 0 leaves it
    all to the noise. `depth` is where the deeper part begins, as a share of the layers.

    Example: vae_encode -> rf_edit(inject=2), source "a red circle on the left", and a guider for
    "a blue circle on the left".
    """
    with explained():
        plan = Schedule(schedule, steps=steps)
        return edit(ctx, guider, source, latent, plan, Solver(solver), inject, depth)


@rf_edit.facts
def _(p: Any, guider: Facts | None, source: Facts | None, latent: Facts | None) -> Facts:
    same_latent_space(latent, guider)
    same_text_space(guider, (source,))
    return (latent or facts_of("Latent")).but(noise=0.0)


@rf_edit.peak
def _(p: Any, guider: Facts | None, source: Facts | None, latent: Facts | None) -> Peak:
    calls = calls_of(p.solver, p.steps) if p.steps is not None else None
    branches = guider.branches if guider is not None else None
    return sampling("guider", guider, latent, branches, None if calls is None else 2 * calls)
