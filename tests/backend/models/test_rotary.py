"""The formulas of scaled rotary positions, against each other's limits and plain arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from hypothesis import given
from hypothesis import strategies as st

from backend.models.rotary import (
    METHODS,
    Axis,
    banded,
    ntk,
    ntk_timed,
    plain,
    resonant,
    scaled,
    ultraflux,
    yarn,
)

FLUX = Axis(56, 10000.0, 64.0, 128, zoom=2.0)
"""FLUX.1's height at 2048 instead of 1024 pixels."""


def axes() -> st.SearchStrategy[Axis]:
    return st.builds(
        Axis,
        st.sampled_from([4, 12, 32, 56]),
        st.sampled_from([256.0, 2000.0, 10000.0]),
        st.sampled_from([8.0, 30.0, 64.0, 128.0]),
        st.integers(8, 512),
        st.floats(0.5, 4),
        st.floats(0, 1),
    )


def test_the_models_own_frequencies_are_diffusers() -> None:
    own = get_1d_rotary_pos_embed(56, np.arange(70), 10000.0, freqs_dtype=torch.float64)
    angles = np.arange(70)[:, None] * plain(56, 10000.0)
    assert np.abs(own.numpy() - np.exp(1j * angles)).max() < 1e-6


def test_ntk_is_diffusers_with_its_factor() -> None:
    """Written pair by pair here, and asked of diffusers with the base multiplied."""
    made = ntk(FLUX)
    assert made is not None
    by_hand = [1 / (10000 * 2 ** (56 / 54)) ** (2 * j / 56) for j in range(28)]
    assert np.abs(made.frequencies - by_hand).max() < 1e-12
    theirs = get_1d_rotary_pos_embed(
        56, np.arange(128), 10000.0, ntk_factor=2 ** (56 / 54), freqs_dtype=torch.float64
    )
    assert (
        np.abs(np.exp(1j * np.arange(128)[:, None] * made.frequencies) - theirs.numpy()).max()
        < 1e-6
    )
    assert made.frequencies[0] == 1
    assert made.frequencies[-1] == pytest.approx(plain(56, 10000.0)[-1] / 2)


def test_time_aware_scaling_goes_from_interpolation_to_ntk() -> None:
    own = plain(56, 10000.0)
    at = {t: ntk_timed(Axis(56, 10000.0, 64.0, 128, 2.0, t)) for t in (0.0, 0.5, 1.0)}
    made = {t: rotation.frequencies for t, rotation in at.items() if rotation}
    assert np.abs(made[0.0][1:] - own[1:] / 2).max() < 1e-12  # pair 0 has no base to scale
    assert np.abs(made[1.0] - (10000 * 2) ** (-np.arange(0, 56, 2) / 56)).max() < 1e-12
    halfway = [
        max((10000 * 2 ** (56 / (55 * 0.5 + 1))) ** (-2 * j / 56), 10000 ** (-2 * j / 56) / 2)
        for j in range(28)
    ]
    assert np.abs(made[0.5] - halfway).max() < 1e-12


def test_scaled_positions_share_the_middle_and_keep_round_things_round() -> None:
    tall, wide = Axis(56, 1e4, 64.0, 48, 1.5), Axis(56, 1e4, 64.0, 192, 1.5)  # 9216 = 1.5**2 * 4096
    for axis in (tall, wide):
        made = scaled(axis)
        assert made is not None
        middle = made.start + made.step * (axis.now - 1) / 2
        assert middle == pytest.approx(31.5, abs=1e-12)
        assert made.step == 1 / 1.5
        assert np.array_equal(made.frequencies, plain(56, 1e4))
    square = scaled(FLUX)
    assert square is not None
    ends = [square.start - square.step / 2, square.start + square.step * 127.5]
    assert ends == pytest.approx([-0.5, 63.5])  # the edges of the picture are where they were


def test_yarn_keeps_fast_pairs_interpolates_slow_ones_and_ntk_lies_between() -> None:
    """Bands by hand: a pair turns ``64 f / 2 pi`` times in the trained window."""
    own, made, middle = plain(56, 1e4), yarn(FLUX), ntk(FLUX)
    assert made is not None
    assert middle is not None
    assert made.frequencies[0] == own[0]
    turns = 64 * own / (2 * math.pi)
    slow = turns < 0.6  # below 0.75, and a pair further, as the ramp ends on a whole pair
    assert slow.sum() > 15
    assert np.abs(made.frequencies[slow] - own[slow] / 2).max() < 1e-12
    assert (made.frequencies <= own + 1e-12).all()
    assert (made.frequencies >= own / 2 - 1e-12).all()
    assert made.gain == pytest.approx(0.1 * math.log(2) + 1)
    # Pairs 1 to 4 are on the ramp from the model's own (16 turns) to NTK-aware (2 turns, pair 5).
    share = np.arange(5) / 5
    expected = middle.frequencies[:5] * share + own[:5] * (1 - share)
    assert np.abs(made.frequencies[:5] - expected).max() < 1e-12
    assert made.frequencies[5] == pytest.approx(middle.frequencies[5])


@given(axes())
def test_resonant_frequencies_complete_whole_turns(axis: Axis) -> None:
    own = plain(axis.width, axis.theta)
    made = resonant(own, axis.trained)
    turns = axis.trained * made / (2 * math.pi)
    whole = axis.trained * own / (2 * math.pi) >= 1
    assert np.abs(turns[whole] - np.rint(turns[whole])).max(initial=0) < 1e-6
    assert (turns[whole] >= 1 - 1e-9).all()
    assert np.array_equal(made[~whole], own[~whole])


def test_ultraflux_is_yarn_on_resonant_frequencies() -> None:
    made = ultraflux(FLUX)
    expected = banded(FLUX, resonant(plain(56, 1e4), 64.0))
    assert made is not None
    assert expected is not None
    assert np.array_equal(made.frequencies, expected.frequencies)
    assert 64 * made.frequencies[0] / (2 * math.pi) == pytest.approx(10, abs=1e-6)


@given(axes(), st.sampled_from(["ntk", "ntk_timed", "scaled", "yarn"]))
def test_no_pair_turns_faster_than_the_model_s_or_slower_than_interpolated(
    axis: Axis, method: str
) -> None:
    """Not so ``ultraflux``: rounding to whole turns moves a pair to either side."""
    made = METHODS[method](axis)
    if made is not None:
        own, scale = plain(axis.width, axis.theta), axis.scale if method != "scaled" else 1.0
        assert (made.frequencies <= own * (1 + 1e-9)).all()
        assert (made.frequencies >= own / scale * (1 - 1e-9)).all()


@pytest.mark.parametrize("method", METHODS)
def test_at_the_trained_size_every_method_leaves_the_model_alone(method: str) -> None:
    for width in (4, 56):
        assert METHODS[method](Axis(width, 1e4, 64.0, 64, 1.0, 0.3)) is None


@pytest.mark.parametrize("method", ["ntk", "ntk_timed", "yarn", "ultraflux"])
def test_below_the_trained_size_too(method: str) -> None:
    assert METHODS[method](Axis(56, 1e4, 64.0, 40, 0.7)) is None
