"""The number nodes, called as the plain functions they are."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.facts import Facts, facts_of
from backend.sdk import UserError
from nodes import numbers as nodes


class BareContext:
    """These nodes ask nothing of their context."""


CTX = BareContext()


def number_facts_for(node: Any, /, params: dict[str, Any], **inputs: Any) -> Any:
    defaults = {p.name: p.default for p in node.spec.params}
    return node.hooks["facts"](SimpleNamespace(**{**defaults, **params}), **inputs)


def known_number(value: float | None) -> Facts:
    return facts_of("Number", value=value)


@pytest.mark.parametrize(
    ("node", "value"), [(nodes.number, 2.5), (nodes.integer, 7), (nodes.boolean, False)]
)
def test_constants_give_their_value_and_know_it_before_the_run(node: Any, value: Any) -> None:
    assert node(CTX, value) == value
    assert number_facts_for(node, {"value": value}).value == value
    assert number_facts_for(node, {"value": None}).value is None


def test_a_number_is_a_float_also_when_written_as_a_whole_one() -> None:
    assert isinstance(nodes.number(CTX, 3), float)


def test_expression_gives_a_number_a_whole_number_and_a_boolean() -> None:
    result = nodes.expression(CTX, {"width": 500}, "round(width * 1.5 / 16) * 16")
    assert result == (752.0, 752, True)
    assert nodes.expression(CTX, {"x": 2.0}, "x > 3") == (0.0, 0, False)
    assert nodes.expression(CTX, expression="2.5") == (2.5, 2, True)
    assert nodes.expression(CTX, expression="2**62 + 1").integer == 2**62 + 1
    assert nodes.expression(CTX) == (2.0, 2, True)


@pytest.mark.parametrize("text", ["9**9**9", "1/0", "y", "(", "'a'*10**9"])
def test_expression_says_what_is_wrong_when_run_and_before(text: str) -> None:
    with pytest.raises(UserError, match="Expression, column"):
        nodes.expression(CTX, {"x": 1.0}, text)
    with pytest.raises(UserError, match="Expression, column"):
        number_facts_for(nodes.expression, {"expression": text}, values={"x": known_number(1.0)})


def test_expression_facts_are_values_where_all_inputs_are_known() -> None:
    facts = number_facts_for(
        nodes.expression, {"expression": "x * 2"}, values={"x": known_number(1.5)}
    )
    assert [facts[name].value for name in ("number", "integer", "boolean")] == [3.0, 3, True]
    unknown = number_facts_for(
        nodes.expression, {"expression": "x * 2"}, values={"x": known_number(None)}
    )
    assert unknown["integer"].value is None
    unused = {"x": known_number(None), "y": known_number(2.0)}
    known = number_facts_for(nodes.expression, {"expression": "y"}, values=unused)
    assert known["number"].value == 2.0
    assert (
        number_facts_for(nodes.expression, {"expression": None}, values={})["number"].value is None
    )


@pytest.mark.parametrize(
    ("number", "digits", "mode", "result"),
    [
        (2.345, 1, "nearest", 2.3),
        (2.345, 1, "up", 2.4),
        (-2.345, 1, "down", -2.4),
        (2.3, 1, "down", 2.3),
        (0.1 + 0.2, 15, "nearest", 0.3),
        (2.5, 0, "nearest", 2.0),
        (1e300, 2, "up", 1e300),
        (1e-300, 15, "up", 1e-15),
        (7, 2, "nearest", 7.0),
    ],
)
def test_round_number(number: float, digits: int, mode: str, result: float) -> None:
    rounded = nodes.round_number(CTX, number, digits, mode)
    assert rounded == (result, round(result))
    settings = {"digits": digits, "mode": mode}
    facts = number_facts_for(nodes.round_number, settings, number=known_number(number))
    assert facts["number"].value == result


def test_round_number_refuses_what_is_not_finite() -> None:
    with pytest.raises(UserError, match="only finite numbers"):
        nodes.round_number(CTX, math.nan)


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_rounding_goes_no_further_than_the_next_step(number: float, digits: int) -> None:
    down = nodes.round_number(CTX, number, digits, "down").number
    near = nodes.round_number(CTX, number, digits, "nearest").number
    up = nodes.round_number(CTX, number, digits, "up").number
    step = 10.0**-digits
    assert down <= number <= up
    assert near in (down, up)
    assert up - down <= step * (1 + 1e-6) + 1e-6
    assert nodes.round_number(CTX, near, digits, "down").number == near


@given(st.floats(-1e300, 1e300))
def test_the_whole_number_of_an_expression_is_the_nearest(x: float) -> None:
    result = nodes.expression(CTX, {"x": x}, "x")
    assert result.number == x
    assert abs(result.integer - x) <= 0.5
