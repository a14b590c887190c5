"""Numbers: constants, expressions, rounding."""

from __future__ import annotations

import decimal
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

from backend.graph.expressions import parse
from backend.sdk import Context, Expression, Facts, Range, UserError, facts_of, node


@node(category="Number", aliases=("float", "value", "constant"))
def number(ctx: Context, value: Annotated[float, Range(-1e15, 1e15, 0.1)] = 0.0) -> float:
    """A number.

    Example: one number linked to the guidance of two samplers changes both at once.
    """
    return float(value)


@number.facts
def _(p: Any) -> Facts:
    return facts_of("Number", value=None if p.value is None else float(p.value))


@node(category="Number", aliases=("int", "whole number", "value", "constant"))
def integer(ctx: Context, value: Annotated[int, Range(-(2**53), 2**53, 1)] = 0) -> int:
    """A whole number.

    Example: one width linked to an empty latent and to a resize keeps them the same.
    """
    return value


@integer.facts
def _(p: Any) -> Facts:
    return facts_of("Integer", value=p.value)


@node(category="Number", aliases=("toggle", "yes or no", "bool", "constant"))
def boolean(ctx: Context, value: bool = True) -> bool:
    """Yes or no.

    Example: linked to several switches it turns one part of the graph on and another off.
    """
    return value


@boolean.facts
def _(p: Any) -> Facts:
    return facts_of("Boolean", value=p.value)


class Result(NamedTuple):
    """The result of an expression in three forms."""

    number: float
    integer: int
    boolean: bool


@node(category="Number", aliases=("math", "formula", "calculate", "compare"))
def expression(
    ctx: Context, values: dict[str, float] | None = None, expression: Expression = "1 + 1"
) -> Result:
    """Calculate with numbers.

    Each link has a name that the expression may use. There are `+ - * / // % **`, comparisons
    (`0 < x <= 1`), `and or not`, `a if condition else b`, pi, e, and functions such as min, max,
    round, clamp, lerp, sqrt and sin. `integer` is the result rounded to the nearest whole number
    (a half to the even one), `boolean` whether it is anything but 0.

    Example: `round(width * 1.5 / 16) * 16` with width = 500 gives 752.
    """
    return _result(parse(expression).evaluate(values or {}))


@expression.facts
def _(p: Any, values: Mapping[str, Facts]) -> Mapping[str, Facts]:
    unknown = {
        "number": facts_of("Number"),
        "integer": facts_of("Integer"),
        "boolean": facts_of("Boolean"),
    }
    if p.expression is None:
        return unknown
    read = parse(p.expression)
    known = {name: fact.value for name, fact in (values or {}).items()}
    read.check(known)
    if any(known[name] is None for name in read.names):
        return unknown
    result = _result(read.evaluate(known))
    return {name: fact.but(value=getattr(result, name)) for name, fact in unknown.items()}


def _result(value: int | float) -> Result:
    return Result(float(value), round(value), bool(value))


class Rounded(NamedTuple):
    """A rounded number, and the whole number nearest to it."""

    number: float
    integer: int


@node(category="Number", aliases=("floor", "ceil", "nearest"))
def round_number(
    ctx: Context,
    number: float,
    digits: Annotated[int, Range(0, 15, 1)] = 0,
    mode: Literal["nearest", "down", "up"] = "nearest",
) -> Rounded:
    """Round a number to some digits after the point.

    `nearest` rounds a half to the even neighbour, `down` goes towards minus infinity, `up` towards
    plus infinity.

    Example: 2.345 with 1 digit is 2.3, up 2.4; with 0 digits it is 2.
    """
    return _rounded(number, digits, mode)


@round_number.facts
def _(p: Any, number: Facts) -> Mapping[str, Facts]:
    facts = {"number": facts_of("Number"), "integer": facts_of("Integer")}
    if None in (number.value, p.digits, p.mode):
        return facts
    result = _rounded(number.value, p.digits, p.mode)
    return {name: fact.but(value=getattr(result, name)) for name, fact in facts.items()}


_MODES = {
    "nearest": decimal.ROUND_HALF_EVEN,
    "down": decimal.ROUND_FLOOR,
    "up": decimal.ROUND_CEILING,
}


def _rounded(number: float, digits: int, mode: str) -> Rounded:
    """Rounding of the number as it is written in decimal, so that 2.3 down to 1 digit is 2.3."""
    if not math.isfinite(number):
        raise UserError(f"The number to round is {number}; only finite numbers can be rounded.")
    if abs(number) < 2**53:  # beyond that every float is whole
        exact = Decimal(repr(number)).quantize(
            Decimal(1).scaleb(-digits), _MODES[mode], decimal.Context(prec=60)
        )
        number = float(exact)
    return Rounded(float(number), round(number))
