"""Nodes from text to what guides a sampling run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from backend.diffusion.guide import guidance_kinds
from backend.graph.prompts import read_prompt
from backend.models.agree import runs_in_steps, same_text_space
from backend.models.costs import branches_of, encoding
from backend.models.encode import check_prompt, coder, encode_plain, encode_prompt
from backend.models.explain import explained
from backend.models.family import describe
from backend.sdk import (
    Conditioning,
    Context,
    Facts,
    Guider,
    Model,
    Multiline,
    Peak,
    Range,
    ScalarList,
    TextEncoder,
    UserError,
    facts_of,
    node,
)
from backend.values import Patch, Term

SIMPLE_GUIDANCE = tuple(kind for kind, entry in guidance_kinds().items() if entry.simple)
if TYPE_CHECKING:
    GuidanceName: TypeAlias = str
else:
    GuidanceName = Literal[SIMPLE_GUIDANCE]


Syntax: TypeAlias = Literal["weights", "plain"]


@node(
    category="Conditioning",
    lane="device",
    version=2,
    aliases=("prompt", "clip text encode", "weights", "prompt schedule"),
)
def encode_text(
    ctx: Context,
    text_encoder: TextEncoder,
    text: Multiline = "",
    guidance: Annotated[float, Range(0, 30, 0.1)] = 3.5,
    clip_skip: Annotated[int, Range(0, 23, 1)] = 0,
    syntax: Syntax = "weights",
    negative: bool = False,
) -> Conditioning:
    """Turn a text into the conditioning that a model understands.

    In the text `(word:1.3)` weighs a word, `[a:b:0.4]` changes from one text to another after 0.4
    of the steps, and `BREAK` begins a text that is encoded apart; a backslash before a bracket
    makes it text. With `syntax` at `plain`, all of it is text.
    `guidance` is the embedded guidance of distilled models such as FLUX.1-dev, which learned to
    imitate CFG; others do not heed it. It is another thing than the `cfg` of the sample node.
    `clip_skip` leaves out as many more of CLIP's last layers than a Stable Diffusion or SDXL
    model does by itself, which some of them were trained for (mostly with 1); others do not heed
    it.
    `negative` is for a text that goes into `negative`: Lumina 2 and Sana read an instruction before
    a prompt, but none before what a picture shall not show. It makes no difference to others, nor
    to an empty text.
    Text beyond the encoder's length is cut off, and the run says so; Stable Diffusion and SDXL
    read it in pieces unless it is `plain`. An empty text is what models learned as "no
    prompt", the usual negative.

    Example: encode_text(text="a red circle left of a blue square") -> sample.positive, and
    encode_text(text="") -> sample.negative.
    """
    with explained():
        options = {"guidance": guidance, "clip_skip": clip_skip, "negative": negative}
        asked = coder(text_encoder, options, ctx.load, ctx.device)
        plain = syntax == "plain"
        made = encode_plain(asked, text) if plain else encode_prompt(asked, read_prompt(text))
    for note in made.notes:
        ctx.note(note)
    return made.conditioning


@encode_text.migrate(1)
def _(params: dict[str, Any], inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {**params, "syntax": "plain"}, inputs  # brackets were text


@encode_text.facts
def _(p: Any, text_encoder: Facts | None) -> Facts:
    if p.text is not None and p.syntax is not None:
        with explained():
            check_prompt(p.text, p.syntax)
    return conditioning_facts(text_encoder)


@encode_text.peak
def _(p: Any, text_encoder: Facts | None) -> Peak:
    return encoding(text_encoder, p.text, p.syntax == "weights")


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
    `cfg_token_norm` turns predictions and does not lengthen them, as Qwen-Image is sampled.
    `none`, or no negative, samples the model as it is.

    Example: guider(kind="cfg_interval", cfg=5, begin=0.1, end=0.7) -> sample_with_parts.
    """
    terms, kind = pair(positive, negative, kind)
    settings = {"cfg": cfg, "begin": begin, "end": end, "zero_steps": zero_steps}
    used = {
        "none": (), "cfg": ("cfg",), "cfg_interval": ("cfg", "begin", "end"),
        "cfg_zero": ("cfg", "zero_steps"), "cfg_token_norm": ("cfg",),
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


@node(category="Sampling/Parts", title="Skip-layer guider", aliases=("slg", "skip layer guidance"))
def skip_layer_guider(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    cfg: Annotated[float, Range(0, 30, 0.1)] = 3.5,
    skip: Annotated[float, Range(0, 20, 0.1)] = 2.0,
    layers: ScalarList = (),
    begin: Annotated[float, Range(0, 1, 0.01)] = 0.01,
    end: Annotated[float, Range(0, 1, 0.01)] = 0.2,
) -> Guider:
    """Guide by CFG, and away from what the model makes without some of its blocks.

    The third prediction leaves out the blocks `layers` (counted from 0; none takes those that the
    model was published with, as Stable Diffusion 3.5 medium was) and is pushed away from
    by `skip`, from the fraction `begin` to `end` of the steps; it helps anatomy and structure, as
    in Stable Diffusion 3.5. It costs one more evaluation in those steps. `skip` 0 is CFG.

    Example: skip_layer_guider(cfg=4, skip=2.5, layers=[7, 8, 9]) -> sample_with_parts.
    """
    terms, _ = pair(positive, negative, "skip_layer")
    without: tuple[Term, ...] = ()
    if skip:
        with explained():
            numbers = _whole(layers) or _published_layers(model)
        without = (
            Term("skip", positive, patches=(Patch("skip_blocks", 1.0, {"layers": numbers}),)),
        )
    settings = {"cfg": cfg, "skip": skip, "begin": begin, "end": end}
    return Guider("skip_layer", settings, model, (*terms, *without))


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


def conditioning_facts(text_encoder: Facts | None) -> Facts:
    """Facts of the conditioning of one text."""
    if text_encoder is None:
        return facts_of("Conditioning", count=1)
    known = facts_of("Conditioning", space=text_encoder.space, count=1)
    return known.but(bytes=text_encoder.told_bytes)


def pair(
    positive: Conditioning, negative: Conditioning | None, kind: str
) -> tuple[tuple[Term, ...], str]:
    """The terms of a guider and its kind: ``none`` where there is no negative."""
    if negative is None:
        return (Term("positive", positive),), "none"
    return (Term("positive", positive), Term("negative", negative)), kind


def _whole(layers: tuple[float, ...]) -> tuple[int, ...]:
    """The numbers of blocks.

    Raises:
        UserError: one is no whole number from 0 on.
    """
    for layer in layers:
        if layer < 0 or layer % 1:
            raise UserError(
                f"Blocks are counted 0, 1, 2 and so on; there is no block {layer:g}. Write whole "
                "numbers in layers."
            )
    return tuple(int(layer) for layer in layers)


def _published_layers(model: Model) -> tuple[int, ...]:
    """The blocks that a model's authors leave out for skip-layer guidance.

    Raises:
        UserError: they name none.
    """
    said = describe(model).settings.get("skip_layer")
    if not said:
        raise UserError("This model names no blocks to leave out. Give their numbers in layers.")
    return tuple(int(layer) for layer in said["layers"])


def guider_facts(
    kind: str, model: Facts | None, *conditionings: Facts | None, more: int = 0
) -> Facts:
    """Facts of a guider with a term for each conditioning that is linked, and ``more`` beside.

    Raises:
        UserError: the model runs whole, or a conditioning is of another text space.
    """
    runs_in_steps(model)
    same_text_space(model, conditionings)
    known = facts_of("Guider", kind=kind, branches=branches_of(kind, len(conditionings) + more))
    if model is None:
        return known
    return known.but(
        family=model.family, space=model.space, patch=model.patch, token_bytes=model.token_bytes
    )


@guider.facts
def _(p: Any, model: Facts | None, positive: Facts | None, negative: Facts | None = None) -> Facts:
    if negative is None:
        return guider_facts("none", model, positive)
    return guider_facts(p.kind, model, positive, negative)


@cfg_pp_guider.facts
def _(p: Any, model: Facts | None, positive: Facts | None, negative: Facts | None) -> Facts:
    return guider_facts("cfg_pp", model, positive, negative)


@skip_layer_guider.facts
def _(p: Any, model: Facts | None, positive: Facts | None, negative: Facts | None) -> Facts:
    _whole(p.layers or ())
    return guider_facts("skip_layer", model, positive, negative, more=1 if p.skip else 0)


@compose_conditions.facts
def _(p: Any, model: Facts | None, negative: Facts | None, conditions: Any = ()) -> Facts:
    return guider_facts("compose", model, negative, *(conditions or ()))
