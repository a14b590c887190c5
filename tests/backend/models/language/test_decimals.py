"""Patterns for ranges of decimal numbers take exactly the numbers of the range."""

from __future__ import annotations

import re
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from backend.models.language.decimals import decimal_range


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Places, two limits and a number, all three in units of the last place."""
    places, top = draw(st.sampled_from([0, 1, 2, 6])), 10 ** draw(st.integers(0, 12))
    low, high = sorted([draw(st.integers(-top, top)), draw(st.integers(-top, top))])
    near = st.sampled_from([low, high, 0]).flatmap(lambda n: st.integers(n - 3, n + 3))
    return places, low, high, draw(near | st.integers(-2 * top, 2 * top))


@given(ranges(), st.integers(0, 6))
@example((6, -1, 0, 0), 0)
@example((0, 0, 0, 0), 0)
def test_a_number_matches_if_and_only_if_it_is_in_the_range(case, dropped):
    places, low, high, number = case
    pattern = re.compile(decimal_range(*(Decimal(n).scaleb(-places) for n in (low, high)), places))
    text = format(Decimal(number).scaleb(-places), "f")
    assert bool(pattern.fullmatch(text)) == (low <= number <= high)
    cut = min(dropped, places - 1)
    if cut > 0 and text.endswith("0" * cut):  # the same number with fewer digits
        assert bool(pattern.fullmatch(text[:-cut])) == (low <= number <= high)


def test_no_other_spelling_matches():
    pattern = re.compile(decimal_range(Decimal(-10), Decimal(10), 6))
    for text in ("-0", "-0.0", "00", "01", "1.", ".5", "1e1", "+1", "1.0000001", "", "-"):
        assert not pattern.fullmatch(text), text
    assert pattern.fullmatch("1.500000")
    assert not re.fullmatch(decimal_range(Decimal(-10), Decimal(10), 0), "1.0")
