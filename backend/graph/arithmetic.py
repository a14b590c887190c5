"""The arithmetic of expressions: exact while whole numbers are small, floats else, never infinite.

Whole numbers stay exact up to 2^63 in size and become floats beyond it, so that no operation can
take long or much memory; every result is finite. What has no such result raises ``NoResult``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

Real: TypeAlias = int | float
"""A value of an expression; ``bool`` counts as the whole numbers 0 and 1, as in Python."""

EXACT = 2**63
"""Whole numbers up to this size are exact."""


class NoResult(ArithmeticError):
    """An operation without a finite real result; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of expressions: how it is called, and how many arguments it takes."""

    call: Callable[..., Real]
    usage: str
    least: int = 1
    most: int | None = 1
    about: str = ""


def shown(value: Real) -> str:
    """A number as it stands in a sentence: short."""
    return repr(value) if isinstance(value, int) else f"{value:.6g}"


def settle(value: Real) -> Real:
    """The number as expressions keep it: a small whole number exactly, else a finite float.

    Raises:
        NoResult: it is infinite, not a number, or too large for a float.
    """
    if isinstance(value, int):
        if -EXACT <= value <= EXACT:
            return value
        try:
            return float(value)
        except OverflowError:
            raise NoResult("a number beyond 1.8e308 came out") from None
    if math.isnan(value):
        raise NoResult("no number came out")
    if math.isinf(value):
        raise NoResult("a number beyond 1.8e308 came out")
    return value


def power(base: Real, exponent: Real) -> Real:
    """``base ** exponent`` over the real numbers, in bounded time.

    Raises:
        NoResult: a negative power of 0, or a root of a negative number.
        OverflowError: the result is too large for a float.
    """
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        # Each step multiplies by at least 2^(bits - 1); past 64 bits the float decides.
        if abs(base) <= 1 or exponent * (abs(base).bit_length() - 1) <= 64:
            return int(base**exponent)
    elif base == 0 and exponent < 0:
        raise NoResult("0 has no negative power")
    elif base < 0 and exponent != math.floor(exponent):
        raise NoResult("a negative number has no such root among the real numbers")
    return math.pow(base, exponent)


def _divide(by: Callable[[Real, Real], Real]) -> Callable[[Real, Real], Real]:
    def divide(left: Real, right: Real) -> Real:
        if right == 0:
            raise NoResult("nothing can be divided by 0")
        return by(left, right)

    return divide


OPERATORS: Mapping[str, Callable[[Real, Real], Real]] = MappingProxyType(
    {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": _divide(operator.truediv),
        "//": _divide(operator.floordiv),
        "%": _divide(operator.mod),
        "**": power,
    }
)

COMPARISONS: Mapping[str, Callable[[Real, Real], bool]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "==": operator.eq,
        "!=": operator.ne,
    }
)


def combine(symbol: str, left: Real, right: Real) -> Real:
    """The result of an operator of ``OPERATORS``.

    Raises:
        NoResult: it has none that is finite; the message names the operation.
    """
    try:
        return settle(OPERATORS[symbol](left, right))
    except OverflowError:
        reason = "the number is too large (beyond 1.8e308)"
    except NoResult as error:
        reason = str(error)
    raise NoResult(f"{shown(left)} {symbol} {shown(right)} has no result: {reason}")


def call(name: str, arguments: list[Real]) -> Real:
    """The result of a function of ``FUNCTIONS``; the number of arguments is right already.

    Raises:
        NoResult: it has none that is finite; the message names the call.
    """
    try:
        return settle(FUNCTIONS[name].call(*arguments))
    except OverflowError:
        reason = "the number is too large (beyond 1.8e308)"
    except ValueError:
        reason = "the function is not defined there"
    except NoResult as error:
        reason = str(error)
    given = ", ".join(shown(a) for a in arguments[:4]) + (", ..." if len(arguments) > 4 else "")
    raise NoResult(f"{name}({given}) has no result: {reason}")


def _round(number: Real, digits: Real = 0) -> Real:
    """Halves go to the even neighbour, as in IEEE 754."""
    if digits != int(digits) or not -15 <= digits <= 15:
        raise NoResult("the number of digits is a whole number from -15 to 15")
    return round(number, int(digits)) if digits else round(number)


def _log(number: Real, base: Real = math.e) -> Real:
    return (
        math.log(number)
        if base == math.e
        else _divide(operator.truediv)(math.log(number), math.log(base))
    )


def _clamp(number: Real, low: Real, high: Real) -> Real:
    if low > high:
        raise NoResult("the low end is above the high end")
    return min(max(number, low), high)


def _lerp(start: Real, end: Real, fraction: Real) -> Real:
    return start + (end - start) * fraction


def _sign(number: Real) -> Real:
    return (number > 0) - (number < 0)


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "abs": Function(abs, "abs(x)", about="x without its sign"),
        "acos": Function(math.acos, "acos(x)", about="angle in radians whose cosine is x"),
        "asin": Function(math.asin, "asin(x)", about="angle in radians whose sine is x"),
        "atan": Function(math.atan, "atan(x)", about="angle in radians whose tangent is x"),
        "atan2": Function(math.atan2, "atan2(y, x)", 2, 2, "angle of the point (x, y) in radians"),
        "ceil": Function(math.ceil, "ceil(x)", about="next whole number up"),
        "clamp": Function(_clamp, "clamp(x, low, high)", 3, 3, "x kept between low and high"),
        "cos": Function(math.cos, "cos(x)", about="cosine of x in radians"),
        "degrees": Function(math.degrees, "degrees(x)", about="radians to degrees"),
        "exp": Function(math.exp, "exp(x)", about="e to the power x"),
        "float": Function(float, "float(x)", about="x as a number with a fraction"),
        "floor": Function(math.floor, "floor(x)", about="next whole number down"),
        "hypot": Function(math.hypot, "hypot(x, y)", 2, 2, "length of the vector (x, y)"),
        "int": Function(int, "int(x)", about="x without its fraction"),
        "lerp": Function(_lerp, "lerp(a, b, t)", 3, 3, "a at t = 0, b at t = 1, straight between"),
        "log": Function(_log, "log(x) or log(x, base)", 1, 2, "logarithm, to base e if not said"),
        "log10": Function(math.log10, "log10(x)", about="logarithm to base 10"),
        "log2": Function(math.log2, "log2(x)", about="logarithm to base 2"),
        "max": Function(lambda *a: max(a), "max(a, b, ...)", 1, None, "the largest"),
        "min": Function(lambda *a: min(a), "min(a, b, ...)", 1, None, "the smallest"),
        "pow": Function(power, "pow(x, y)", 2, 2, "x ** y"),
        "radians": Function(math.radians, "radians(x)", about="degrees to radians"),
        "round": Function(
            _round, "round(x) or round(x, digits)", 1, 2, "to the nearest, halves to the even one"
        ),
        "sign": Function(_sign, "sign(x)", about="-1, 0 or 1"),
        "sin": Function(math.sin, "sin(x)", about="sine of x in radians"),
        "sqrt": Function(math.sqrt, "sqrt(x)", about="square root"),
        "tan": Function(math.tan, "tan(x)", about="tangent of x in radians"),
    }
)

CONSTANTS: Mapping[str, Real] = MappingProxyType(
    {"pi": math.pi, "e": math.e, "tau": math.tau, "true": True, "false": False}
)
