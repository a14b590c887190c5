"""Layouts: boxes in their one form, and a sentence for what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.values import Box, Layout, digest, pack, unpack
from backend.values.layout import MOST, BadBoxes, overlap, read_boxes, read_text, write_boxes

SHARES = st.floats(-0.5, 1.5)


def entry(*box: Any, caption: Any = "a cat") -> dict[str, Any]:
    return {"box": list(box), "caption": caption}


@given(SHARES, SHARES, st.floats(0.01, 2), st.floats(0.01, 2))
def test_what_was_read_is_read_again_as_it_is(x: float, y: float, w: float, h: float) -> None:
    try:
        boxes = read_boxes([entry(x, y, w, h)])
    except BadBoxes:
        return
    left, top, right, bottom = boxes[0].edges
    assert 0 <= left < right <= 1 + 1e-6
    assert 0 <= top < bottom <= 1 + 1e-6
    assert read_boxes(json.loads(json.dumps(write_boxes(boxes)))) == boxes


def test_what_reaches_over_the_edge_is_cut_there() -> None:
    (box,) = read_boxes([entry(-0.25, 0.5, 0.5, 1)])
    assert box == Box(0.0, 0.5, 0.25, 0.5, "a cat")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("a", "is no list of boxes"),
        ([3], 'has no "box" in entry 1'),
        ([{"caption": "a"}], 'has no "box" in entry 1'),
        ([entry(0, 0, 1, 1), entry(0, 0, 1)], "has box 2 that is no list of four numbers"),
        ([entry(0, 0, "1", 1)], "box 1 that is no list of four numbers"),
        ([entry(0, 0, True, 1)], "box 1 that is no list of four numbers"),
        ([entry(0, 0, float("nan"), 1)], "box 1 with a number that is not finite"),
        ([entry(0, 0, 10**400, 1)], "box 1 with a number that is not finite"),
        ([entry(1.2, 0.1, 0.2, 0.2)], "box 1 outside of the picture"),
        ([entry(100, 100, 200, 200)], "box 1 outside of the picture"),
        ([entry(0.1, 0.1, 0, 0.2)], r"box 1 with no area \(0 x 0.2\)"),
        ([entry(0.1, 0.1, -0.1, 0.2)], "box 1 with no area"),
        ([entry(0.1, 0.1, 1e-7, 0.2)], "box 1 too small"),
        ([entry(0, 0, 1, 1, caption=3)], "caption of box 1 that is no text"),
        ([entry(0, 0, 1, 1, caption="x" * 3000)], "caption of box 1 with 3000 characters"),
        ([{**entry(0, 0, 1, 1), "label": "a"}], "says 'label' of box 1"),
        ([entry(0, 0, 1, 1)] * 2, "box 1 and box 2 in the same place"),
        ([entry(0, k / 300, 1, 1 / 300) for k in range(200)], "has 200 boxes, but must have at"),
    ],
)
def test_what_is_no_list_of_boxes_is_told(data: Any, said: str) -> None:
    with pytest.raises(BadBoxes, match=said):
        read_boxes(data)


def test_boxes_may_lie_in_one_another_and_be_many() -> None:
    inside = [entry(0, 0, 1, 1), entry(0.25, 0.25, 0.5, 0.5)]
    assert overlap(*read_boxes(inside)) == pytest.approx(0.25)
    assert len(read_boxes([entry(0, k / MOST, 1, 1 / MOST) for k in range(MOST)])) == MOST


def test_a_layout_travels_and_knows_its_digest() -> None:
    layout = Layout(read_boxes([entry(0.1, 0.2, 0.3, 0.4)]), 640, 480)
    assert unpack(pack(layout)) == layout
    assert digest(layout) == digest(unpack(pack(layout)))
    assert digest(layout) != digest(Layout(layout.boxes, 640, 481))
    with pytest.raises(BadBoxes, match="has no box"):
        Layout((), 640, 480)


@pytest.mark.parametrize(
    "text",
    [
        '[{"box": [0.1, 0.2, 0.3, 0.4], "caption": "a cat"}]',
        'Here:\n```json\n{"boxes": [{"box": [0.1, 0.2, 0.3, 0.4], "caption": "a cat"}]}\n```',
        '{"box": [0.1, 0.2, 0.3, 0.4], "caption": "a cat"} and that is all',
    ],
)
def test_boxes_are_found_in_what_a_language_model_writes(text: str) -> None:
    assert read_text(text) == (Box(0.1, 0.2, 0.3, 0.4, "a cat"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no JSON"),
        ("a cat on the left", "holds no JSON"),
        ('[{"box": [0.1, 0.2', r"holds broken JSON \(line 1, column 19"),
        ("[" * 100_000, "its numbers or its depth are too large"),
        ('{"a": 1}', 'holds an object without "boxes"'),
        ("[]", "has no box"),
        (" " * 300_000, "has 300000 characters"),
        ('[{"box": [0, 0, NaN, 1]}]', "not finite"),
    ],
)
def test_what_holds_no_boxes_is_told(text: str, said: str) -> None:
    with pytest.raises(BadBoxes, match=said):
        read_text(text)
