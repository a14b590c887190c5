"""Nodes from text to what guides a sampling run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from backend.diffusion.guide import guidance_kinds
from backend.models.explain import explained
from backend.models.family import family_of
from backend.sdk import (
    Conditioning,
    Context,
    Facts,
    Guider,
    Model,
    Multiline,
    Range,
    ScalarList,
    TextEncoder,
    UserError,
    facts_of,
    node,
)
from backend.values import Term

SIMPLE_GUIDANCE = tuple(kind for kind, entry in guidance_kinds().items() if entry.simple)
if TYPE_CHECKING:
    GuidanceName: TypeAlias = str
else:
    GuidanceName = Literal[SIMPLE_GUIDANCE]


@node(category="Conditioning", lane="device", aliases=("prompt", "clip text encode"))
def encode_text(
    ctx: Context,
    text_encoder: TextEncoder,
    text: Multiline = "",
    guidance: Annotated[float, Range(0, 30, 0.1)] = 3.5,
) -> Conditioning:
    """Turn a text into the conditioning that a model understands.

    `guidance` is the embedded guidance of distilled models such as FLUX.1-dev, which learned to
    imitate CFG; others do not heed it. It is another thing than the `cfg` of the sample node.
    Text beyond the encoder's length is cut off. An empty text is what models learned as "no
    prompt", the usual negative.

    Example: encode_text(text="a red circle left of a blue square") -> sample.positive, and
    encode_text(text="") -> sample.negative.
    """
    with explained():
        family = family_of(text_encoder)
        options = {"guidance": guidance}
        return family.encode_text(text_encoder, [text], options, ctx.load, ctx.device)


@encode_text.facts
def _(p: Any, text_encoder: Facts | None) -> Facts:
    return facts_of("Conditioning", space=text_encoder and text_encoder.space, count=1)


@node(category="Sampling/Parts", title="Guider", aliases=("cfg", "cfg-zero", "guidance"))
def guider(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    negative: Conditioning | None = None,
    kind: GuidanceName = "cfg",
    cfg: Annotated[float, Range(0, 30, 0.1)] = 2.0,
    begin: Annotated[float, Range(0, 1, 0.01)] = 0.0,
    end: Annotated[float, Range(0, 1, 0.01)] = 1.0,
    zero_steps: Annotated[int, Range(0, 20, 1)] = 1,
) -> Guider:
    """Choose how a model is guided: the first part of "sample with parts".

    `cfg` pushes from the negative to the positive conditioning by `cfg`. `cfg_interval` does so
    only from the fraction `begin` to `end` of the steps, which keeps variety and saves time.
    `cfg_zero` scales the negative prediction to fit first and stands still for `zero_steps` steps.
    `none`, or no negative, samples the model as it is.

    Example: guider(kind="cfg_interval", cfg=5, begin=0.1, end=0.7) -> sample_with_parts.
    """
    terms, kind = pair(positive, negative, kind)
    settings = {"cfg": cfg, "begin": begin, "end": end, "zero_steps": zero_steps}
    used = {
        "none": (), "cfg": ("cfg",), "cfg_interval": ("cfg", "begin", "end"),
        "cfg_zero": ("cfg", "zero_steps"),
    }.get(kind, tuple(settings))  # fmt: skip
    return Guider(kind, {name: settings[name] for name in used}, model, terms)


@node(category="Sampling/Parts", title="CFG++ guider", aliases=("cfg pp", "manifold guidance"))
def cfg_pp_guider(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    strength: Annotated[float, Range(0, 1, 0.01)] = 0.6,
) -> Guider:
    """Guide by CFG++: denoise with guidance, put the noise back without it.

    `strength` runs from 0 (unconditional) to 1, where plain CFG needs values far above 1; colours
    burn less, and pictures invert well. Works with every solver.

    Example: cfg_pp_guider(strength=0.6) -> sample_with_parts with the Euler solver.
    """
    terms, _ = pair(positive, negative, "cfg_pp")
    return Guider("cfg_pp", {"strength": strength}, model, terms)


@node(category="Sampling/Parts", aliases=("and", "not", "composable", "negate"))
def compose_conditions(
    ctx: Context,
    model: Model,
    negative: Conditioning,
    *conditions: Conditioning,
    weights: ScalarList = (3.5,),
) -> Guider:
    """Compose several conditionings: all that have a weight above 0, without those below 0.

    Each condition pushes away from `negative` (usually an empty text) by its own weight, in the
    order of the row; a single weight serves all. Every condition costs one more evaluation, all
    in one batch. With one condition this is CFG with its weight.

    Example: conditions "a red circle", "a blue square", "stripes" with weights 4, 4, -2: a red
    circle AND a blue square, NOT striped.
    """
    if not conditions:
        raise UserError("There is nothing to compose. Connect at least one condition.")
    given = weights * len(conditions) if len(weights) == 1 else weights
    if len(given) != len(conditions):
        raise UserError(
            f"There are {len(conditions)} conditions but {len(weights)} weights. Give one weight "
            "for each condition, or a single one for all."
        )
    terms = [
        Term("positive", condition, float(weight))
        for condition, weight in zip(conditions, given, strict=True)
    ]
    return Guider("compose", {}, model, (*terms, Term("negative", negative)))


def pair(
    positive: Conditioning, negative: Conditioning | None, kind: str
) -> tuple[tuple[Term, ...], str]:
    """The terms of a guider and its kind: ``none`` where there is no negative."""
    if negative is None:
        return (Term("positive", positive),), "none"
    return (Term("positive", positive), Term("negative", negative)), kind


def _guider_facts(kind: str, model: Facts | None) -> Facts:
    return facts_of("Guider", kind=kind, family=model and model.family, space=model and model.space)


@guider.facts
def _(p: Any, model: Facts | None, positive: Facts | None, negative: Facts | None = None) -> Facts:
    return _guider_facts(p.kind if negative is not None else "none", model)


@cfg_pp_guider.facts
def _(p: Any, model: Facts | None, positive: Facts | None, negative: Facts | None) -> Facts:
    return _guider_facts("cfg_pp", model)


@compose_conditions.facts
def _(p: Any, model: Facts | None, negative: Facts | None, conditions: Any = ()) -> Facts:
    return _guider_facts("compose", model)
