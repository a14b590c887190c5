"""Expressions: what they calculate, what they refuse and where, and that nothing gets past that."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.graph.arithmetic import CONSTANTS, EXACT, FUNCTIONS
from backend.graph.expressions import MAX_DEPTH, MAX_LENGTH, ExpressionError, evaluate, parse
from backend.sdk import UserError


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("2 ** 3 ** 2", 512),
        ("7 // 2 + 7 % 4", 6),
        ("-7 // 2", -4),
        ("10 - 4 - 3", 3),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("not 1 < 2", False),
        ("1 if x > 2 else 5 if x > 1 else 7", 5),
        ("x and 4 or 9", 4),
        ("True + True", 2),
        ("round(width * 1.5 / 16) * 16", 752),
        ("clamp(20, 0, 10) + lerp(0, 8, 0.25)", 12),
        ("min(3, 1, 2) + max(4)", 5),
        ("sqrt(16) + abs(-3) + sign(-9)", 6),
        ("log(8, 2)", 3),
        ("sin(pi / 2) + cos(0)", 2),
        ("floor(2.7) + ceil(2.1) + int(-2.7)", 3),
        ("round(2.5) + round(1.2345, 2)", 3.23),
        (".5e1\n + 1.", 6),
        ("-(-(2))", 2),
    ],
)
def test_calculates_as_python_does(text: str, result: float) -> None:
    got = evaluate(text, {"x": 2, "width": 500})
    assert got == pytest.approx(result)
    assert isinstance(got, bool) == isinstance(result, bool)


def test_whole_numbers_are_exact_up_to_two_to_63_and_floats_beyond() -> None:
    assert evaluate("2**53 + 1", {}) == 2**53 + 1
    assert evaluate("2**63", {}) == 2**63
    assert isinstance(evaluate("2**63", {}), int)
    assert isinstance(evaluate("2**63 + 1", {}), float)
    assert evaluate("2**1000", {}) == 2.0**1000


def test_a_branch_that_is_not_taken_is_not_calculated() -> None:
    assert evaluate("0 if x == 0 else 1 / x", {"x": 0}) == 0
    assert evaluate("x != 0 and 1 / x > 2", {"x": 0}) is False
    assert evaluate("x == 0 or 1 / x", {"x": 0}) is True
    assert evaluate("1 < 0 < 1 / x", {"x": 0}) is False


def test_a_value_hides_a_constant_and_may_be_called_like_a_function() -> None:
    assert evaluate("e", {"e": 5}) == 5
    assert evaluate("min + min(1, 2)", {"min": 3}) == 4
    assert evaluate("pi + tau", {}) == pytest.approx(3 * math.pi)


def test_names_are_those_from_outside() -> None:
    assert parse("a + sin(b) * pi").names == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "says", "column"),
    [
        ("9**9**9", "too large", 2),
        ("1e308*10", "beyond 1.8e308", 6),
        ("2**100000", "2 ** 100000 has no result", 2),
        ("1/0", "divided by 0", 2),
        ("5 % 0", "divided by 0", 3),
        ("0**-1", "negative power", 2),
        ("(-8)**(1/3)", "no such root", 5),
        ("sqrt(-1)", "sqrt(-1) has no result", 1),
        ("log(0)", "not defined there", 1),
        ("log(8, 1)", "divided by 0", 1),
        ("exp(1000)", "too large", 1),
        ("1e999", "too large", 1),
        ("round(5, -10**18)", "digits", 1),
        ("clamp(1, 2, 0)", "low end is above", 1),
        ('"a"*10**9', "numbers, no text", 1),
        ("x.real", "no attributes", 2),
        ("x.__class__", "no attributes", 2),
        ("__import__('os')", "no text", 12),
        ("__import__", "no value `__import__`", 1),
        ("open(1)", "no function `open`", 1),
        ("sqr(1)", "did you mean `sqrt`", 1),
        ("lambda", "`lambda` has no meaning", 1),
        ("lambda: 1", "`:` has no meaning", 7),
        ("(x := 2)", "sets no names", 4),
        ("x = 2", "write `==`", 3),
        ("[i for i in x]", "no lists", 1),
        ("(x for i in x)", "`for` has no meaning", 4),
        ("x[0]", "no lists", 2),
        ("2 ^ 3", "write `**`", 3),
        ("x && x", "write `and`", 3),
        ("\u0430 + 1", "CYRILLIC SMALL LETTER A", 1),
        ("1 \u00d7 2", "write `*`", 3),
        ("٣ + 1", "ARABIC-INDIC DIGIT THREE", 1),
        ("1 + \x00", "U+0000", 5),
        ("1 + \ud800", "U+D800", 5),
        ("2x", "operator is missing before `x`", 2),
        ("1 2", "operator is missing before `2`", 3),
        ("(1, 2)", "comma", 3),
        ("(1", "`(` is not closed", 1),
        ("min(1, 2", "`(` of `min` is not closed", 1),
        ("1)", "closes no parenthesis", 2),
        ("1 +", "ends where a value should stand", 4),
        ("1 + * 2", "value should stand before `*`", 5),
        ("2 ** not 1", "parentheses", 6),
        ("1 if 2", "wants an `else`", 3),
        ("1 if 0 if 1 else 1 else 2", "wants an `else`", 3),
        ("7**300000000", "too large", 2),
        ("min", "write min(a, b, ...)", 1),
        ("clamp(1)", "called as clamp(x, low, high)", 1),
        ("", "empty", 1),
        ("y + 1", "no value `y`; there are width, x", 1),
        ("widht", "did you mean `width`", 1),
    ],
)
def test_refuses_with_what_and_where(text: str, says: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, {"x": 2, "width": 500})
    assert says in str(caught.value)
    assert caught.value.column == column
    assert f"column {column}: " in str(caught.value)


def test_an_error_in_a_text_of_many_lines_names_the_line() -> None:
    with pytest.raises(ExpressionError, match="line 2, column 3: `\\$`"):
        evaluate("1 +\n  $", {})


def test_a_name_without_a_value_is_refused_also_where_it_is_not_reached() -> None:
    with pytest.raises(ExpressionError, match="no value `y`; nothing is linked"):
        evaluate("1 if True else y", {})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "3", None, [1], 10**400])
def test_a_value_that_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(ExpressionError, match=r"`x` is no (finite )?number"):
        evaluate("x", {"x": value})  # type: ignore[dict-item]


def test_an_expression_error_is_one_that_the_user_sees() -> None:
    assert issubclass(ExpressionError, UserError)


@pytest.mark.parametrize(
    "text",
    ["(" * 1000 + "1" + ")" * 999, "-" * 1999 + "1", "2**" * 600 + "2", "not " * 400 + "1"],
)
def test_nesting_is_capped(text: str) -> None:
    with pytest.raises(ExpressionError, match=f"more than {MAX_DEPTH} deep"):
        parse(text)


def test_length_is_capped_but_a_long_flat_expression_works() -> None:
    with pytest.raises(ExpressionError, match="at most 2000"):
        parse("1" + "+1" * MAX_LENGTH)
    assert evaluate("1" + "+1" * 999, {}) == 1000
    assert evaluate("(" * 60 + "1" + ")" * 60, {}) == 1


def test_every_function_and_constant_can_be_used() -> None:
    for name, function in FUNCTIONS.items():
        arguments = ", ".join(["0.5", "1", "2"][: function.least])
        assert math.isfinite(evaluate(f"{name}({arguments})", {})), name
    for name in CONSTANTS:
        assert math.isfinite(evaluate(name, {}))


# --- laws -------------------------------------------------------------------------------------

_NUMBERS = st.one_of(
    st.integers(-1000, 1000).map(lambda n: f"({n})" if n < 0 else str(n)),
    st.floats(-1000, 1000, allow_nan=False).map(lambda x: f"({x!r})"),
    st.sampled_from(["a", "b", "True", "False"]),
)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(
        ["+", "-", "*", "/", "//", "%", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
    )
    return st.one_of(
        st.tuples(inner, operators, inner).map(" ".join),
        st.tuples(inner, st.integers(0, 3)).map(lambda t: f"({t[0]}) ** {t[1]}"),
        inner.map(lambda t: f"({t})"),
        inner.map(lambda t: f"-{t}"),
        inner.map(lambda t: f"(not {t})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
        inner.map(lambda t: f"abs({t})"),
    )


@given(
    st.recursive(_NUMBERS, _grow, max_leaves=12),
    st.integers(-100, 100),
    st.floats(-100, 100, allow_nan=False),
)
@example("1 - 2 - 3 * 4 ** 2 ** 1", 1, 1.0)
@example("1 < 2 == 2 < 3 != 4", 1, 1.0)
@example("- 2 ** 2 if not a < b else 1", 1, 2.0)
def test_agrees_with_python(text: str, a: int, b: float) -> None:
    """Python's own reading of the same text is the reference."""
    values = {"a": a, "b": b}
    try:
        wanted = eval(text, {"__builtins__": {}, "max": max, "abs": abs}, dict(values))
    except (ZeroDivisionError, OverflowError):
        with pytest.raises(ExpressionError):
            evaluate(text, values)
        return
    got = evaluate(text, values)
    assert isinstance(got, bool) == isinstance(wanted, bool)
    if abs(wanted) <= EXACT:
        assert got == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    else:
        assert got == pytest.approx(float(wanted), rel=1e-9)


_PIECES = st.sampled_from(
    [
        *"0123456789()+-*/%<>=!,.xyeE \n[]{}'\"@&|^~:é\U0001d41a",
        *("**", "//", "==", "if ", " else ", " and ", " or ", "not ", "pi", "lambda"),
        *("min(", "pow(", "round(", "log(", "1e300", "9**9"),
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=40).map("".join)))
def test_any_text_gives_a_finite_number_or_an_expression_error_at_once(text: str) -> None:
    begin = time.perf_counter()
    result, problem = 0.0, None
    try:
        result = evaluate(text, {"x": 3, "y": 0.5})
    except ExpressionError as error:
        problem = error
    assert time.perf_counter() - begin < 2
    assert math.isfinite(result)
    assert not isinstance(result, int) or abs(result) <= EXACT
    assert problem is None or 1 <= problem.column <= len(text) + 1


def test_the_page_on_expressions_names_every_function_and_constant() -> None:
    page = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text(encoding="utf-8")
    for name in FUNCTIONS:
        assert f"`{name}(" in page
    for name in CONSTANTS:
        assert f"`{name}`" in page
