"""Language models that plan pictures: boxes for a layout, panels for a set."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from backend.models.explain import explained
from backend.models.language.choose import Choice
from backend.models.language.plans import (
    BOXES_SYSTEM,
    MOST_BOXES,
    MOST_PANELS,
    PANELS_SYSTEM,
    PanelPlan,
    asking,
    boxes_schema,
    panels_schema,
    read_plan,
)
from backend.models.language.schema import read_schema
from backend.sdk import (
    Context,
    Facts,
    LanguageModel,
    Multiline,
    Peak,
    Range,
    SeedParam,
    UserError,
    facts_of,
    node,
)
from nodes.language import MaxTokens, Temperature, writing_peak


class Panels(NamedTuple):
    """Captions of the panels, of the whole, and how many there are and how many are given."""

    captions: list[str]
    joint: str
    panels: int
    known: int


@node(category="Language", lane="device", aliases=("layout", "boxes", "lay out", "bounding box"))
def plan_boxes(
    ctx: Context,
    model: LanguageModel,
    caption: Multiline = "",
    most: Annotated[int, Range(1, MOST_BOXES, 1)] = 3,
    max_tokens: MaxTokens = 220,
    temperature: Temperature = 0.0,
    seed: SeedParam = 0,
) -> str:
    """Let a language model say where the objects of a caption lie: boxes as JSON for a layout.

    The text is a list of {"box": [x, y, width, height], "caption": "..."}, with numbers from 0 to 1
    as shares of the picture's sides, `most` of them at most. Any language model can be asked;
    primer-language has learnt it for the captions of Primer, of up to three objects.

    Example: load_language_model("primer-language") -> plan_boxes(caption="a red circle above a
    blue square") -> layout_from_json.
    """
    from backend.models.language.write import Task, write_json

    if not caption.strip():
        raise UserError("There is no caption to lay out. Write or link one.")
    schema = boxes_schema(most)
    with explained():
        wanted, asked = read_schema(schema), asking(caption, schema)
        task = Task(asked, BOXES_SYSTEM, max_tokens, Choice(temperature), seed)
        return write_json(ctx, model, task, wanted)


@plan_boxes.facts
def _(p: Any, model: Facts | None) -> Facts:
    return facts_of("Text")


@plan_boxes.peak
def _(p: Any, model: Facts | None) -> Peak:
    return writing_peak(model, p.max_tokens, p.caption, BOXES_SYSTEM, boxes_schema(MOST_BOXES))


@node(category="Language", lane="device", aliases=("chatdit", "panels", "storyboard", "in-context"))
def plan_panels(
    ctx: Context,
    model: LanguageModel,
    request: Multiline = "",
    given: Multiline = "",
    count: Annotated[int, Range(0, MOST_PANELS, 1)] = 0,
    max_tokens: MaxTokens = 1024,
    temperature: Temperature = 0.3,
    seed: SeedParam = 0,
) -> Panels:
    """Let a language model plan a set of pictures that are made together, side by side (ChatDiT).

    `request` says what is wanted. `given` describes pictures that are there already, one on each
    line, such as caption_image wrote; they become the first panels. `count` is the number of all
    panels; 0 leaves it to the model. `captions` has a text for each panel, `joint` one for the
    whole canvas, `panels` and `known` say how many there are and how many of them are given. A plan
    that cannot be used is refused.

    Example: plan_panels(request="a mascot in four poses, one style", count=4) -> joint ->
    encode_text, on a canvas of four panels.
    """
    from backend.models.language.write import Task, write_json

    lines = [line.strip() for line in given.splitlines() if line.strip()]
    if not request.strip():
        raise UserError("Nothing is asked for. Write what the pictures should show.")
    if len(lines) >= (count or MOST_PANELS):
        raise UserError(
            f"{len(lines)} pictures are given, and there are to be {count or MOST_PANELS} panels "
            "at most, so none is left to be made. Raise count or give fewer."
        )
    told = "".join(f"\nGiven picture {n}: {line}" for n, line in enumerate(lines, 1))
    schema = panels_schema(count)
    with explained():
        asked = asking(f"{request}\nGiven pictures: {len(lines)}.{told}", schema)
        task = Task(asked, PANELS_SYSTEM, max_tokens, Choice(temperature), seed)
        plan = read_plan(write_json(ctx, model, task, read_schema(schema)))
    if plan.known != len(lines):
        raise UserError(
            f"{len(lines)} pictures are given, and the model's plan has {plan.known} known panels. "
            "Ask again with another seed, say it in the request, or choose a larger model."
        )
    return _panels(plan)


@plan_panels.facts
def _(p: Any, model: Facts | None) -> dict[str, Facts]:
    return _known(p.count or None)


@plan_panels.peak
def _(p: Any, model: Facts | None) -> Peak:
    schema = panels_schema(0)
    return writing_peak(model, p.max_tokens, p.request, p.given, PANELS_SYSTEM, schema)


@node(category="Language", aliases=("chatdit", "parse plan", "json", "panels"))
def read_panels(ctx: Context, reply: Multiline = "") -> Panels:
    """Read a plan of panels that a language model wrote elsewhere.

    `reply` is JSON, alone or in a fenced block: an object with `panels`, a list of objects with
    `role` (known or made) and `caption`, and `joint`, the caption of them all. What is not such a
    plan is refused, and the sentence says why.

    Example: paste a chat's answer here, and make its panels.
    """
    with explained():
        return _panels(read_plan(reply))


@read_panels.facts
def _(p: Any) -> dict[str, Facts]:
    return _known(None)


def _panels(plan: PanelPlan) -> Panels:
    return Panels(list(plan.captions), plan.joint, len(plan.captions), plan.known)


def _known(count: int | None) -> dict[str, Facts]:
    return {
        "captions": facts_of("Text").listed(count),
        "joint": facts_of("Text"),
        "panels": facts_of("Integer"),
        "known": facts_of("Integer"),
    }
