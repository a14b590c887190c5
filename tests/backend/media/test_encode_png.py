"""PNG files that are written in bands: other programs read them, and bands leave no mark."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from backend.media.encode_png import png_bytes
from tests.backend.media.banded import WHOLE, banded

WIDTH = 5


def codes(height, channels, kind, seed=0, width=WIDTH):
    """Noise beside a smooth slope, so that rows differ in the filter that suits them."""
    most = np.iinfo(kind).max
    rng = np.random.default_rng(seed)
    found = rng.integers(0, most, (height, width, channels), endpoint=True)
    found[::2] = np.linspace(0, most, width, dtype=int)[None, :, None]
    return found.astype(kind)


def written(values, rows):
    """The file of bands of so many rows, and how often it was asked."""
    asked = []
    with banded(rows * values[0].size):
        return png_bytes(values, lambda: asked.append(1)), len(asked)


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 6, 7, 8, 9])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_pictures_around_the_edges_of_bands_come_back(kind, channels, height):
    values = codes(height, channels, kind)
    data, asked = written(values, rows=4)
    assert asked == -(-height // 4)
    with Pil.open(io.BytesIO(data)) as picture:
        picture.load()  # it tests every checksum
        back = np.asarray(picture).reshape(height, WIDTH, channels)
    if kind == np.uint16 and channels > 1:  # of these Pillow has only the upper half
        assert np.array_equal(back, values >> 8)
        back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        back = back[..., [2, 1, 0, 3][:channels]]
    assert np.array_equal(back, values)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3, 4]), st.booleans(),
    st.integers(1, 20), st.integers(0, 99),
)  # fmt: skip
def test_bands_leave_no_mark_in_the_file(height, width, channels, deep, rows, seed):
    values = codes(height, channels, np.uint16 if deep else np.uint8, seed, width)
    assert written(values, rows)[0] == written(values, WHOLE)[0]


def test_a_large_picture_is_asked_for_before_each_band_and_has_many_chunks():
    values = np.random.default_rng(0).integers(0, 256, (1100, 1000, 3), dtype=np.uint8)
    asked = []
    data = png_bytes(values, lambda: asked.append(1))
    assert len(asked) >= 12
    assert data.count(b"IDAT") >= 3
    with Pil.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.asarray(picture), values)


def test_a_cancel_stops_it_at_that_band():
    asked = []

    def check():
        asked.append(1)
        if len(asked) == 3:
            raise InterruptedError

    with banded(2 * WIDTH * 3), pytest.raises(InterruptedError):
        png_bytes(codes(40, 3, np.uint8), check)
    assert len(asked) == 3
