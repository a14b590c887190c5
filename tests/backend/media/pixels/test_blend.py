"""Blend modes by the formulas of W3C Compositing and Blending Level 1, one number at a time."""

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.media.pixels.blend import BlendMode, blend_colors

units = st.floats(0, 1, width=32)


def hard(b, s):
    return b * 2 * s if s <= 0.5 else b + (2 * s - 1) - b * (2 * s - 1)


def soft(b, s):
    if s <= 0.5:
        return b - (1 - 2 * s) * b * (1 - b)
    d = ((16 * b - 12) * b + 4) * b if b <= 0.25 else math.sqrt(b)
    return b + (2 * s - 1) * (d - b)


def dodge(b, s):
    if b == 0:
        return 0
    return 1 if s == 1 else min(1, b / (1 - s))


def burn(b, s):
    if b == 1:
        return 1
    return 0 if s == 0 else 1 - min(1, (1 - b) / s)


FORMULAS = {
    "normal": lambda b, s: s,
    "multiply": lambda b, s: b * s,
    "screen": lambda b, s: b + s - b * s,
    "overlay": lambda b, s: hard(s, b),
    "soft light": soft,
    "hard light": hard,
    "darken": min,
    "lighten": max,
    "add": lambda b, s: b + s,
    "subtract": lambda b, s: b - s,
    "difference": lambda b, s: abs(b - s),
    "color dodge": dodge,
    "color burn": burn,
    "exclusion": lambda b, s: b + s - 2 * b * s,
    "hue": lambda b, s: b,  # a grey has no hue and no saturation
    "saturation": lambda b, s: b,
    "color": lambda b, s: b,
    "luminosity": lambda b, s: s,
}


def blended(b, s, mode):
    pair = (np.full((1, 1, 1), value, np.float32) for value in (b, s))
    result = blend_colors(*pair, mode)
    assert result.dtype == np.float32
    return float(result[0, 0, 0])


def test_every_mode_is_checked_here():
    assert set(FORMULAS) == set(get_args(BlendMode))


@pytest.mark.parametrize("mode", FORMULAS)
@given(b=units, s=units)
def test_modes_follow_their_formula(mode, b, s):
    if mode in ("color dodge", "color burn") and (0 < 1 - s < 1e-3 or 0 < s < 1e-3):
        return  # the quotient of two tiny numbers says nothing in float32
    assert blended(b, s, mode) == pytest.approx(FORMULAS[mode](b, s), abs=1e-4)


@pytest.mark.parametrize(
    ("mode", "b", "s", "result"),
    [
        ("color dodge", 0.0, 1.0, 0.0),
        ("color dodge", 0.3, 1.0, 1.0),
        ("color burn", 1.0, 0.0, 1.0),
        ("color burn", 0.7, 0.0, 0.0),
        ("soft light", 0.25, 1.0, 0.5),
        ("overlay", 0.5, 0.25, 0.25),
        ("multiply", 3.0, 2.0, 6.0),
        ("add", 0.75, 0.75, 1.5),
        ("subtract", 0.25, 0.75, -0.5),
        ("soft light", -1.0, 2.0, 0.0),
    ],
)
def test_corners_and_values_outside_the_range(mode, b, s, result):
    assert blended(b, s, mode) == pytest.approx(result)


@pytest.mark.parametrize(
    ("mode", "neutral"),
    [
        ("multiply", 1),
        ("screen", 0),
        ("add", 0),
        ("hard light", 0.5),
        ("soft light", 0.5),
        ("color dodge", 0),
        ("color burn", 1),
        ("lighten", 0),
        ("darken", 1),
    ],
)
@given(b=units)
def test_a_neutral_colour_changes_nothing(mode, neutral, b):
    assert blended(b, neutral, mode) == pytest.approx(b, abs=1e-6)


def lum(c):
    return 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]


def set_lum(c, wanted):
    c = [part + wanted - lum(c) for part in c]
    middle, low, high = lum(c), min(c), max(c)
    if low < 0:
        c = [middle + (part - middle) * middle / (middle - low) for part in c]
    if high > 1:
        c = [middle + (part - middle) * (1 - middle) / (high - middle) for part in c]
    return c


def set_sat(c, wanted):
    low, high = min(c), max(c)
    return [(part - low) * wanted / (high - low) if high > low else 0 for part in c]


def sat(c):
    return max(c) - min(c)


TOGETHER = {
    "hue": lambda b, s: set_lum(set_sat(s, sat(b)), lum(b)),
    "saturation": lambda b, s: set_lum(set_sat(b, sat(s)), lum(b)),
    "color": lambda b, s: set_lum(s, lum(b)),
    "luminosity": lambda b, s: set_lum(b, lum(s)),
}
triples = st.tuples(*[st.integers(0, 16).map(lambda n: n / 16)] * 3)


@pytest.mark.parametrize("mode", TOGETHER)
@given(b=triples, s=triples)
def test_modes_over_all_channels_follow_their_formula(mode, b, s):
    pair = (np.array(c, np.float32).reshape(1, 1, 3) for c in (b, s))
    result = blend_colors(*pair, mode)[0, 0]
    assert result == pytest.approx(np.clip(TOGETHER[mode](b, s), 0, 1), abs=1e-4)
