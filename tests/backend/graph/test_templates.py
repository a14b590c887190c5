"""Templates: what they write, what they refuse and where."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.templates import TemplateError, fill, number_of, parse_template


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a {color} circle", "a red circle"),
        ("{n} {x} {flag}", "7 2.5 true"),
        ("{n:03}|{x:.2f}|{x:.0}|{x:f}", "007|2.50|2|2.500000"),
        ("{x:d}|{minus:05}|{x:08.2f}", "2|-0004|00002.50"),
        ("[{color:6}][{color:>6}][{color:^7}]", "[red   ][   red][  red  ]"),
        ("[{n:3}][{n:<3}]", "[  7][7  ]"),
        ("{whole} {whole:.1f}", "3 3.0"),
        ("{word:04}|{word:.1f}", "0012|12.0"),
        ("{{{n}}} {{n}} }}", "{7} {n} }"),
        ("", ""),
        ("{n:}", "7"),
        ("no fields", "no fields"),
        ("{color}\n{color}", "red\nred"),
    ],
)
def test_fills(text: str, result: str) -> None:
    values = {"color": "red", "n": 7, "x": 2.5, "flag": True, "minus": -4, "whole": 3.0}
    assert fill(text, {**values, "word": "12"}) == result


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{m}", "column 1: no value is called m; there are color, n"),
        ("a {colour}", "column 3: no value is called colour; did you mean color"),
        ("{n", "column 1: this { is not closed"),
        ("a\nb {n", "line 2, column 3: this { is not closed"),
        ("n}", "column 2: a } stands alone"),
        ("{}", "{} is no field"),
        ("{0}", "{0} is no field"),
        ("{n.real}", "{n.real} is no field"),
        ("{n[0]}", "{n[0]} is no field"),
        ("{n!r}", "{n!r} is no field"),
        ("{n.__class__.__mro__}", "is no field"),
        ("{n:{color}}", "is not closed"),
        ("{n:x}", "`x` is no way to write a value"),
        ("{n:,}", "is no way to write a value"),
        ("{n:*>5}", "is no way to write a value"),
        ("{n:2000}", "width is at most 1000"),
        ("{n:99999999999}", "is no way to write a value"),
        ("{n:.99f}", "digits are at most 20"),
        ("{n:.2d}", "no digits after the point"),
        ("{color:03}", "color is written as a number here, but it is 'red'"),
        ("{color:.2f}", "color is written as a number"),
        ("{\u0430}", "is no field"),
    ],
)
def test_refuses_with_what_and_where(text: str, says: str) -> None:
    with pytest.raises(TemplateError) as caught:
        fill(text, {"color": "red", "n": 7})
    assert says in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, None, [1]])
def test_a_value_that_cannot_be_written_is_refused(value: object) -> None:
    with pytest.raises(TemplateError, match="column 1: n is "):
        fill("{n}", {"n": value})  # type: ignore[dict-item]


def test_sizes_are_capped() -> None:
    with pytest.raises(TemplateError, match="at most 100000"):
        parse_template("a" * 100_001)
    with pytest.raises(TemplateError, match="more than 1000000"):
        fill("{n}" * 20, {"n": "a" * 60_000})
    with pytest.raises(TemplateError, match="more than 1000000"):
        fill("{n:1000}" * 1001, {"n": 1})


def test_names_are_those_of_its_fields() -> None:
    assert parse_template("{a} {{b}} {c:03} {a}").names == {"a", "c"}


@pytest.mark.parametrize("text", ["{" * 99_999, "{a" * 49_999, "}}{{" * 24_999, "{a:" * 30_000])
def test_reading_takes_linear_time(text: str) -> None:
    begin = time.perf_counter()
    try:
        read = parse_template(text)
    except TemplateError:
        read = None
    assert time.perf_counter() - begin < 2
    assert read is None or not read.names


@given(st.text(max_size=50))
def test_a_text_with_doubled_braces_comes_out_as_it_was(text: str) -> None:
    assert fill(text.replace("{", "{{").replace("}", "}}"), {}) == text


@given(st.integers(-(10**12), 10**12), st.integers(1, 30), st.integers(0, 6))
def test_numbers_are_written_as_python_writes_them(n: int, width: int, digits: int) -> None:
    assert fill(f"{{n:0{width}}}", {"n": n}) == format(n, f"0{width}")
    assert fill(f"{{n:{width}.{digits}f}}", {"n": n / 8}) == format(n / 8, f"{width}.{digits}f")


@given(st.floats(allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300))
def test_a_number_reads_back_as_the_same(x: float) -> None:
    assert number_of(fill("{x}", {"x": x})) == x


@given(st.text("{}ab:.03df<> \n", max_size=30))
def test_any_template_is_filled_or_gives_a_template_error(text: str) -> None:
    said = ""
    try:
        assert isinstance(fill(text, {"a": 1, "b": "two"}), str)
    except TemplateError as error:
        said = str(error)
    assert said == "" or said.startswith("Template, line ")
