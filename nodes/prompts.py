"""Nodes that look at prompts, and that combine conditionings."""

from __future__ import annotations

from typing import Annotated, Any

from backend.diffusion.phases import join, mix, over, zeros
from backend.graph.prompts import Prompt, Words, check_characters, read_prompt
from backend.models.encode import check_prompt, coder
from backend.models.explain import explained
from backend.models.token_view import token_view as view_of
from backend.sdk import (
    Conditioning,
    Context,
    Facts,
    Multiline,
    Peak,
    Range,
    TextEncoder,
    UserError,
    facts_of,
    node,
)
from nodes.conditioning import Syntax


@node(category="Conditioning", lane="device", aliases=("tokenizer", "count tokens", "truncation"))
def token_view(
    ctx: Context,
    text_encoder: TextEncoder,
    text: Multiline = "",
    syntax: Syntax = "weights",
) -> str:
    """Show which tokens a text encoder makes of a text, and what is cut off.

    For each tokenizer of the model: how many tokens there are of how many that it reads, those of
    the beginning and the end among them; the pieces between bars, with their weights; and the rest
    of the text if it is too long. A prompt with changes or `BREAK` is shown part by part.

    Example: load_model.text_encoder -> token_view(text="a (red:1.3) cat") shows
    `a | red x1.3 | cat`.
    """
    with explained():
        check_characters(text)
        asked = coder(text_encoder, {}, ctx.load, ctx.device)
        plain = Prompt((Words(text),))
        return view_of(asked, plain if syntax == "plain" else read_prompt(text))


@node(category="Conditioning", aliases=("conditioning zero out", "empty conditioning"))
def zero_out(ctx: Context, conditioning: Conditioning) -> Conditioning:
    """Set all that a conditioning says to 0.

    Some models, among them SDXL and Stable Diffusion 3, were trained with zeros now and then, and
    take them as a negative in place of an encoded empty text. Settings that go along stay.

    Example: encode_text -> zero_out -> sample.negative.
    """
    return over(zeros, (conditioning,))


@node(category="Conditioning", aliases=("conditioning average", "blend prompts", "lerp"))
def average_conditions(
    ctx: Context,
    a: Conditioning,
    b: Conditioning,
    t: Annotated[float, Range(0, 1, 0.01)] = 0.5,
) -> Conditioning:
    """Mix two conditionings: `a` at 0, `b` at 1, between them the mean of their numbers.

    The mean is taken token by token, so prompts of like wording mix best. Both need one length,
    which they have unless one of them has a BREAK more or is so long that a Stable Diffusion or
    SDXL model reads it in pieces; where a model reads texts of any length, the shorter one counts
    as 0 behind its end.

    Example: "a red circle" and "a blue circle" with t=0.5 give a circle between the colours.
    """
    with explained():
        return over(lambda one, two: mix(one, two, t), (a, b))


@node(category="Conditioning", aliases=("conditioning concat", "join prompts", "and"))
def concat_conditions(ctx: Context, *conditions: Conditioning) -> Conditioning:
    """Put conditionings one behind the other, so that the model reads all their tokens.

    Each was encoded without knowing of the others, which keeps their words apart, as BREAK in a
    prompt does. Pooled vectors and settings are those of the first. More tokens take more time.

    Example: "a red circle on the left" and "a blue square on the right" -> concat_conditions ->
    sample.positive.
    """
    if not conditions:
        raise UserError("There is nothing to put together. Connect at least one condition.")
    with explained():
        return over(join, conditions)


@token_view.facts
def _(p: Any, text_encoder: Facts | None) -> Facts:
    if p.text is not None and p.syntax is not None:
        with explained():
            check_prompt(p.text, p.syntax)
    return facts_of("Text")


@token_view.peak
def _(p: Any, text_encoder: Facts | None) -> Peak:
    return Peak()  # tokenizers alone


@zero_out.facts
def _(p: Any, conditioning: Facts | None) -> Facts:
    return conditioning or facts_of("Conditioning")


@average_conditions.facts
def _(p: Any, a: Facts | None, b: Facts | None) -> Facts:
    return _same_space("a", a, "b", b)


@concat_conditions.facts
def _(p: Any, conditions: Any = ()) -> Facts:
    known = [each for each in conditions or () if each is not None]
    for other in known[1:]:
        _same_space("the first", known[0], "another", other)
    return known[0].but(tokens=None) if known else facts_of("Conditioning")


def _same_space(name: str, one: Facts | None, other_name: str, other: Facts | None) -> Facts:
    """What is known of one, unless the other is of another text space.

    Raises:
        UserError: it is.
    """
    if one and other and one.space and other.space and one.space != other.space:
        raise UserError(
            f"The conditionings are of different text spaces: {name} of {one.space}, {other_name} "
            f"of {other.space}. Encode both with one text encoder."
        )
    return one or facts_of("Conditioning")
