"""The values of a sweep: ``a,b,c``, or ``lo:hi:n`` for n evenly spaced ones, ends included."""

from __future__ import annotations

import csv
import re
from fractions import Fraction

from backend.batch.errors import BatchError
from backend.batch.rows import MOST_JOBS

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_SPAN = re.compile(rf"\s*({_NUMBER})\s*:\s*({_NUMBER})\s*:\s*([0-9]+)\s*")

_SPANNED = ("number", "integer", "seed")
"""Kinds of parameters that can be swept over a span."""


def split_sweep(text: str, option: str = "--sweep") -> tuple[str, str]:
    """The parameter and what is said of it in ``NODE.PARAM=VALUES``.

    Raises:
        BatchError: one of them is missing.
    """
    name, equals, said = text.partition("=")
    if not equals or not name.strip() or not said:
        form = "GLOB, like photo.file=photos/*.jpg" if option == "--each" else (
            "a,b,c or NODE.PARAM=lo:hi:n, like sample.cfg=1:5:9"
        )  # fmt: skip
        raise BatchError(f"{option} {text}: write NODE.PARAM={form}.")
    return name.strip(), said


def sweep_values(where: str, said: str, kind: str) -> tuple[str, ...]:
    """The values of a sweep as they would stand behind ``--set``.

    Args:
        where: What sentences begin with.
        said: ``a,b,c`` (a value that holds a comma in double quotes), or for numbers ``lo:hi:n``.
        kind: That of the parameter. Of whole numbers the nearest ones are taken.

    Raises:
        BatchError: it is no such thing.
    """
    match = _SPAN.fullmatch(said) if kind in _SPANNED else None
    if match is not None:
        return _span(where, match[1], match[2], match[3], whole=kind != "number")
    if kind in _SPANNED and ":" in said:
        raise BatchError(f"{where}: write lo:hi:n for n evenly spaced numbers, like 1:5:9.")
    if "\n" in said or "\r" in said:
        rows = [[said]]
    else:
        try:
            rows = list(csv.reader([said], strict=True))
        except csv.Error:
            raise BatchError(
                f'{where}: the double quotes do not fit. Write "a, b",c for a value with a comma.'
            ) from None
    values = tuple(rows[0])
    if len(values) > MOST_JOBS:
        raise BatchError(f"{where[:200]}: more than {MOST_JOBS} values.")
    return values


def _span(where: str, low: str, high: str, number: str, *, whole: bool) -> tuple[str, ...]:
    count = int(number) if len(number) < 10 else MOST_JOBS + 1
    first, last = Fraction(low), Fraction(high)
    if count > MOST_JOBS:
        raise BatchError(f"{where}: at most {MOST_JOBS} values can be.")
    if count < 2 and not (count == 1 and first == last):
        raise BatchError(f"{where}: both ends are included, so write at least 2 values.")
    spaced = [first + (last - first) * place / max(count - 1, 1) for place in range(count)]
    if not whole:
        return tuple(repr(float(each)) for each in spaced)
    if first.denominator != 1 or last.denominator != 1:
        raise BatchError(f"{where}: this parameter takes whole numbers; both ends must be ones.")
    found = [_nearest(each) for each in spaced]
    if len(set(found)) < len(found):
        there = abs(int(last) - int(first)) + 1
        raise BatchError(f"{where}: there are only {there} whole numbers from {low} to {high}.")
    return tuple(map(str, found))


def _nearest(number: Fraction) -> int:
    """The nearest whole number; of two, the one farther from zero."""
    size = int(abs(number) + Fraction(1, 2))
    return size if number >= 0 else -size
