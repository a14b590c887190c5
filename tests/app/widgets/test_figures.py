"""Numbers under the hand keep their range, their grid and their exact words."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.widgets.figures import (
    COARSE,
    FINE,
    bounded,
    dragged,
    is_slider,
    share,
    stepped,
    typed,
    written,
)
from backend.graph.params import canonical
from backend.graph.spec import Param

STEPS = Param("steps", "integer", 20, 1, 100, 1)
SCALE = Param("scale", "number", 3.5, 0, 30, 0.1)
WIDTH = Param("width", "integer", 1024, 1, 32768, 8)
FREE = Param("value", "number", 0.0)

PARAMS = st.sampled_from([STEPS, SCALE, WIDTH, FREE])
NUMBERS = st.floats(-1e6, 1e6)


@given(PARAMS, NUMBERS, st.floats(-5000, 5000), st.sampled_from([FINE, 1.0, COARSE]))
def test_wherever_the_hand_goes_the_parameter_can_have_the_number(param, start, pixels, scale):
    found = dragged(param, bounded(param, start), pixels, 300, scale)
    assert canonical(param, found) == found
    assert isinstance(found, float if param.kind == "number" else int)


@given(PARAMS, NUMBERS, st.integers(-50, 50))
def test_steps_there_and_back_meet(param, start, steps):
    start = bounded(param, round(start, 1))
    there = stepped(param, start, steps)
    assume(there == stepped(FREE, start, steps * (param.step or 0.1) / 0.1) or steps == 0)
    assert stepped(param, there, -steps) == pytest.approx(start)


@given(NUMBERS)
def test_what_is_written_is_typed_again_exactly(value):
    assert typed(FREE, written(value), 0.0) == value


def test_a_drag_over_a_slider_goes_with_the_hand():
    assert dragged(STEPS, 1, 300, 300) == 100
    assert dragged(SCALE, 3.5, 30, 300) == 6.5
    assert dragged(SCALE, 3.5, 30, 300, FINE) == 3.8
    assert dragged(STEPS, 20, 100, 300, COARSE) % 10 == 0


def test_a_number_without_a_slider_takes_a_step_every_few_pixels():
    assert dragged(WIDTH, 1024, 40, 300) == 1024 + 80
    assert dragged(WIDTH, 1024, 4, 300) == 1032
    assert dragged(WIDTH, 1024, 4, 300, FINE) == 1024


def test_steps_leave_no_dust_of_binary_fractions():
    value = 0.0
    for _ in range(3):
        value = stepped(SCALE, value, 1)
    assert value == 0.3


def test_only_a_range_that_a_hand_can_aim_into_is_a_slider():
    assert is_slider(STEPS)
    assert is_slider(SCALE)
    assert not is_slider(WIDTH)
    assert not is_slider(FREE)
    assert share(STEPS, 50.5) == 0.5
    assert share(STEPS, 1000) == 1
    assert share(WIDTH, 5) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [("7", 7.0), ("x*2", 7.0), ("2,5", 2.5), (" 1/4 ", 0.25), ("max(1, x)", 3.5), ("2 ** 3", 8.0)],
)  # fmt: skip
def test_formulas_are_typed(text, found):
    assert typed(SCALE, text, 3.5) == found


def test_whole_numbers_are_rounded_from_formulas():
    assert typed(STEPS, "20 / 3", 20) == 7


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("40", "must be from 0 to 30"),
        ("", "empty"),
        ("5 apples", "apples"),
        ("1/0", "divided by 0"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(text, word):
    with pytest.raises(ValueError, match=word) as told:
        typed(SCALE, text, 1.0)
    assert str(told.value).endswith(".")
