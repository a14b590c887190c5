"""Nodes for models of several experts, each in charge of its own range of noise."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any

from backend.models.agree import runs_in_steps
from backend.models.explain import explained
from backend.models.family import describe
from backend.sdk import (
    Conditioning,
    Context,
    Facts,
    Guider,
    Model,
    Range,
    ScalarList,
    UserError,
    facts_of,
    node,
)
from backend.values import Expert
from nodes.conditioning import guider_facts, pair


@node(category="Model", aliases=("ediff-i", "refiner", "ensemble", "high low noise", "wan 2.2"))
def expert_switch(
    ctx: Context, high: Model, low: Model, boundary: Annotated[float, Range(0, 1000, 0.005)] = 0.875
) -> Model:
    """Let one model begin and another finish: `high` runs at high noise, `low` below `boundary`.

    `boundary` is a noise level: from 0 to 1 for flow models such as Flux and Wan, from 0 to about
    15 for Stable Diffusion. Both models must be of one family with the same latents and texts. A
    step costs what one model costs, and a model that a run does not reach is not loaded. Switch
    again with a lower `boundary` for a third expert.

    Example: a model tuned on composition as `high`, one tuned on detail as `low` ->
    expert_switch(boundary=0.7) -> sample.
    """
    with explained():
        first, second = describe(high), describe(low)
    if high.family != low.family:
        raise UserError(
            f"The first model is a {high.family}, the second a {low.family}. Experts must be of "
            "one family."
        )
    spaces = [(f.latent_space, f.text_space, f.geometry) for f in (first, second)]
    if spaces[0] != spaces[1]:
        raise UserError(
            "The two models do not share their latents and texts: the first works in "
            f"{first.latent_space} with texts for {first.text_space}, the second in "
            f"{second.latent_space} with {second.text_space}. Choose models of one kind."
        )
    above = _own(high)
    if boundary <= 0 or boundary >= above[-1].below:
        raise UserError(
            f"The boundary {boundary:g} must be above 0"
            + (f" and below that of the switch before, {above[-1].below:g}." if len(above) > 1
               else ".")
        )  # fmt: skip
    return replace(high, patches=(), experts=(*above, Expert(low, boundary)))


def _own(model: Model) -> tuple[Expert, ...]:
    """The experts of a model, each with the patches that were laid on the whole."""
    return tuple(
        Expert(replace(e.model, patches=(*e.model.patches, *model.patches)), e.below)
        for e in model.experts
    ) or (Expert(model, math.inf),)


def _same_kind(high: Facts, low: Facts) -> None:
    """Refuse while editing what the node itself would refuse, as far as facts tell."""
    if high.family and low.family and high.family != low.family:
        raise UserError(
            f"The first model is a {high.family}, the second a {low.family}. Experts must be of "
            "one family."
        )
    for name in ("space", "text_space", "factor", "channels", "patch", "frame_factor"):
        one, other = getattr(high, name), getattr(low, name)
        if one is not None and other is not None and one != other:
            raise UserError(
                "The two models do not share their latents and texts. Choose models of one kind."
            )


@expert_switch.facts
def _(p: Any, high: Facts | None, low: Facts | None) -> Facts:
    known = high or facts_of("Model")
    runs_in_steps(high, low)
    if high and low:
        _same_kind(high, low)
    if high is None or low is None or not high.bytes or not low.bytes:
        return known
    # Only one is held at a time, so the larger one counts.
    return known.but(bytes=max(high.bytes, low.bytes), identity=None)


@node(category="Sampling/Parts", title="Expert guider", aliases=("cfg", "guidance scale 2"))
def expert_guider(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    scales: ScalarList = (4.0, 3.0),
) -> Guider:
    """Guide each expert of a model by a cfg of its own.

    `scales` run from high noise to low: Wan 2.2 with 4 and 3 follows the text more while the
    motion is laid out than while details are drawn. Where there are fewer scales than experts, the
    last one holds for the rest.

    Example: load_model (a Wan 2.2 with two transformers) -> expert_guider(scales=[4, 3]) ->
    sample_with_parts.
    """
    if not scales:
        raise UserError("There is no scale. Give one for each expert of the model.")
    terms, _ = pair(positive, negative, "cfg_experts")
    return Guider("cfg_experts", {"scales": tuple(float(s) for s in scales)}, model, terms)


@expert_guider.facts
def _(p: Any, model: Facts | None, positive: Facts | None, negative: Facts | None) -> Facts:
    return guider_facts("cfg_experts", model, positive, negative)
