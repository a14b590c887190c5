"""Plans that language models write: recorded replies that serve, and such that do not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.diffusion.errors import DiffusionError
from backend.models.language.plans import (
    MOST_PANELS,
    PanelPlan,
    boxes_schema,
    panels_schema,
    read_plan,
)
from backend.models.language.schema import read_schema

REPLY = """Here is the plan:
```json
{"panels": [
  {"role": "known", "caption": "A photo of a small  red fox."},
  {"role": "made", "caption": "The fox sleeps under a fir."}],
 "joint": "Two panels show one red fox: [1] standing, [2] asleep under a fir."}
```
Tell me if you want more panels."""


def test_a_recorded_reply_becomes_a_plan() -> None:
    plan = read_plan(REPLY)
    assert plan == PanelPlan(
        ("A photo of a small red fox.", "The fox sleeps under a fir."),
        1,
        "Two panels show one red fox: [1] standing, [2] asleep under a fir.",
    )
    bare = REPLY.split("```json")[1].split("```")[0]
    assert read_plan(bare) == plan


def panel(role: object = "made", caption: object = "a fox") -> dict[str, object]:
    return {"role": role, "caption": caption}


def reply(*panels: object, joint: object = "foxes") -> str:
    return json.dumps({"panels": list(panels), "joint": joint})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "reply is empty"),
        ("```json\n```", "reply is empty"),
        ("I cannot do that.", "is no JSON"),
        ('{"panels": [', "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1, 2]", "no object with panels"),
        ("{}", "no list of them"),
        (reply(), "this reply has 0"),
        (reply(*[panel()] * 10), "this reply has 10"),
        (reply("a fox"), "Panel 1 is neither known nor made"),
        (reply(panel(), panel("input")), "Panel 2 is neither"),
        (reply(panel(caption="  ")), "Panel 1 has no caption"),
        (reply(panel(caption=7)), "Panel 1 has no caption"),
        (reply(panel(caption="x" * 401)), "401 characters, more than 400"),
        (reply(panel(), panel("known")), "Panel 2 is known but comes after"),
        (reply(panel(), joint=""), "The plan has no joint"),
        (reply(panel(), joint=None), "The plan has no joint"),
    ],
)
def test_a_malformed_reply_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(DiffusionError, match=said) as told:
        read_plan(text)
    assert str(told.value).endswith("Ask the model again, or write the plan by hand.")


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        plan = read_plan(text)
    except DiffusionError:
        return
    assert 1 <= len(plan.captions) <= MOST_PANELS


def test_the_schemas_are_such_as_are_followed() -> None:
    for count in range(MOST_PANELS + 1):
        read_schema(panels_schema(count))
    read_schema(boxes_schema(20))
