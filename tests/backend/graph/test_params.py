"""Parameters: what fits, and the one form in which it goes into keys."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from backend.graph.jsontext import Spelled
from backend.graph.params import Unfit, canonical
from backend.graph.spec import Param

NUMBER = Param("n", "number", 0.0, -10, 10)
INTEGER = Param("i", "integer", 0, -10, 10)
CHOICE = Param("c", "choice", "a", choices=("a", "b"))
COLOR = Param("k", "color", "#000000")
SEED = Param("s", "seed", 0, 0, 2**63 - 1)
VALUES = Param("v", "values", ())


@pytest.mark.parametrize(
    ("param", "value", "canon"),
    [
        (NUMBER, 4, 4.0),
        (NUMBER, Spelled("1.50"), 1.5),
        (INTEGER, 4.0, 4),
        (SEED, "random", "random"),
        (SEED, 2**63 - 1, 2**63 - 1),
        (COLOR, "#FfA", "#ffffaa"),
        (COLOR, "#112233FF", "#112233"),
        (COLOR, "#11223344", "#11223344"),
        (VALUES, [1, 2.5], (1.0, 2.5)),
        (Param("t", "text", ""), "x", "x"),
        (Param("b", "boolean", True), False, False),
    ],
)
def test_values_come_in_one_form(param, value, canon):
    found = canonical(param, value)
    assert found == canon
    assert type(found) is type(canon)


@pytest.mark.parametrize(
    ("param", "value", "code"),
    [
        (NUMBER, "4", "W202"),
        (NUMBER, True, "W202"),
        (NUMBER, None, "W202"),
        (NUMBER, 11, "W203"),
        (NUMBER, math.nan, "W204"),
        (NUMBER, Spelled("1e400"), "W204"),
        (NUMBER, 10**400, "W204"),
        (INTEGER, 4.5, "W202"),
        (INTEGER, -11, "W203"),
        (INTEGER, 10**400, "W203"),
        (SEED, "dice", "W202"),
        (SEED, -1, "W203"),
        (SEED, 2**63, "W203"),
        (CHOICE, "c", "W205"),
        (CHOICE, 1, "W202"),
        (COLOR, "red", "W206"),
        (VALUES, 3, "W202"),
        (VALUES, [1, "a"], "W202"),
        (VALUES, [1, math.inf], "W204"),
        (Param("t", "text", ""), {"a": 1}, "W202"),
        (Param("b", "boolean", True), 1, "W202"),
    ],
)
def test_values_that_do_not_fit_are_said(param, value, code):
    with pytest.raises(Unfit) as error:
        canonical(param, value)
    assert error.value.code == code
    assert len(error.value.said) < 120


@given(
    st.sampled_from([NUMBER, INTEGER, CHOICE, COLOR, SEED, VALUES]),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["a", "#FFF", "random"])
    | st.lists(st.floats(), max_size=2),
)
def test_the_one_form_is_its_own_form_and_equal_values_look_equal(param, value):
    try:
        once = canonical(param, value)
    except Unfit as unfit:
        note(unfit.said)
        return
    assert repr(canonical(param, once)) == repr(once)


def test_boxes_have_one_form() -> None:
    param = Param("b", "boxes", ())
    given = [{"box": [-0.1, 0, 0.5, 1], "caption": "a"}, {"box": [0.5, 0, 0.25, 1]}]
    found = canonical(param, given)
    assert found == (
        {"box": [0.0, 0.0, 0.4, 1.0], "caption": "a"},
        {"box": [0.5, 0.0, 0.25, 1.0], "caption": ""},
    )
    assert canonical(param, list(found)) == found
    with pytest.raises(Unfit, match="has box 1 outside of the picture") as caught:
        canonical(param, [{"box": [2, 2, 1, 1]}])
    assert caught.value.code == "W209"
