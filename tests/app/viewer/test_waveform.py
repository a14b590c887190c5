"""Peaks of sounds, against those of each stretch looked up one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.viewer import waveform
from app.viewer.waveform import peaks_of
from backend.values import Audio


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5000), st.integers(1, 3), st.integers(1, 64), st.integers(1, 999))
def test_peaks_are_those_of_each_stretch(length, channels, bins, part):
    samples = np.random.default_rng(length).normal(size=(channels, length)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waveform, "_PART", part)
        found = peaks_of(Audio(samples, 100), bins=bins)
    count = min(bins, length)
    edges = [n * length // count for n in range(count)] + [length]
    lanes = samples[:, None] if channels <= 2 else samples[None]
    for lane, each in enumerate(lanes):
        for n in range(count):
            piece = each[:, edges[n] : edges[n + 1]]
            assert found.low[lane, n] == piece.min()
            assert found.high[lane, n] == piece.max()
    assert (found.lanes, found.done, found.seconds) == (len(lanes), count, length / 100)


def test_what_is_no_number_is_silence():
    samples = np.array([[np.nan, 0.5, np.nan, np.nan]], np.float32)
    found = peaks_of(Audio(samples, 100), bins=2)
    assert found.high.tolist() == [[0.5, 0.0]]


def test_it_stops_where_nobody_wants_it():
    def check():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        peaks_of(Audio(np.zeros((1, 10)), 10), check)
