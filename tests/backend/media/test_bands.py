"""A picture in bands: every row once, in order, with a check before each band."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.media.bands import VALUES, bands, by_rows
from tests.backend.media.banded import banded


@given(st.integers(0, 300), st.integers(0, 50), st.integers(1, 400))
def test_bands_cover_every_row_once_and_hold_no_more_than_they_may(count, values, most):
    found = list(bands(count, values, most))
    assert [row for part in found for row in range(count)[part]] == list(range(count))
    for part in found:
        rows = part.stop - part.start
        assert rows == 1 or rows * values <= most


def test_bands_are_as_high_as_they_must_be():
    assert list(bands(10, VALUES, least=4)) == [slice(0, 4), slice(4, 8), slice(8, 10)]


def test_a_row_longer_than_a_band_is_a_band_of_its_own():
    assert list(bands(3, 2 * VALUES)) == [slice(0, 1), slice(1, 2), slice(2, 3)]


@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 40), st.integers(0, 9))
def test_by_rows_gives_what_all_rows_at_once_give(height, width, most, seed):
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, height, width, 3), np.float32)
    checks = []

    def work(a, b):
        return np.sqrt(a * b).sum(axis=-1)

    with banded(most):
        found = by_rows(lambda: checks.append(1), work, first, second)
    assert np.array_equal(found, work(first, second))
    assert len(checks) == -(-height // max(1, most // (3 * width)))


def test_nothing_is_computed_after_the_check_that_raises():
    seen = []

    def check():
        if len(seen) == 2:
            raise InterruptedError

    def work(rows):
        seen.append(len(rows))
        return rows

    with banded(4), pytest.raises(InterruptedError):
        by_rows(check, work, np.zeros((10, 4), np.float32))
    assert seen == [1, 1]
