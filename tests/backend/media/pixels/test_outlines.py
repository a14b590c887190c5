"""What a control follows, on pictures whose edges, colours and order are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.media.pixels.outlines import colour_grid, depth_order, edges, lines
from backend.sdk import UserError
from backend.values import Image, Mask

KINDS = {"edges": edges, "lines": lines, "colours": colour_grid}


def square(channels: int = 3, size: int = 32) -> Image:
    pixels = np.full((1, size, size, channels), 0.2, np.float32)
    pixels[:, 8:24, 8:24] = 0.9
    return Image(pixels)


def test_edges_lie_on_the_outline_and_nowhere_else() -> None:
    found = edges(square()).pixels[0, ..., 0]
    assert set(np.unique(found)) == {0.0, 1.0}
    rows, columns = np.nonzero(found)
    far = np.maximum(np.abs(rows - 15.5), np.abs(columns - 15.5))
    assert far.min() >= 6.5
    assert far.max() <= 9.5
    assert len(rows) > 50


def test_an_edge_in_one_channel_alone_is_found() -> None:
    """Equal lightness, other hue: a grey copy would not show it."""
    pixels = np.full((1, 32, 32, 3), 0.5, np.float32)
    pixels[:, 8:24, 8:24] = (0.9, 0.33, 0.5)
    assert edges(Image(pixels)).pixels.sum() > 100


def test_thresholds_choose_how_much_counts() -> None:
    pixels = square().pixels.copy()
    pixels[:, 8:24, 8:24] = 0.35
    faint = Image(pixels)
    assert edges(faint, 0.05, 0.1).pixels.any()
    assert not edges(faint, 0.9, 1.0).pixels.any()
    with pytest.raises(UserError, match=r"low threshold 0\.9 lies above"):
        edges(faint, 0.9, 0.1)


def test_lines_are_brightest_at_the_outline() -> None:
    found = lines(square()).pixels[0, ..., 0]
    assert found.max() == 1.0
    assert found[15, 7:9].max() > 0.5
    assert found[15, 15] < 0.1
    assert not lines(Image(np.full((1, 16, 16, 3), 0.4, np.float32))).pixels.any()


def test_a_grid_holds_means() -> None:
    found = colour_grid(square(), 4).pixels[0, ..., 0]
    assert found[0, 0] == pytest.approx(0.2, abs=0.01)
    assert found[15, 15] == pytest.approx(0.9, abs=0.01)
    assert len(np.unique(found)) == 2


def test_depth_goes_by_the_order_of_masks() -> None:
    back, front = np.zeros((2, 1, 8, 8), np.float32)
    back[:, :, :6], front[:, :, 4:] = 1, 1
    found = depth_order([Mask(back), Mask(front)]).pixels[0, 0, :, 0]
    assert found.tolist() == [0.5] * 4 + [1.0] * 4
    with pytest.raises(UserError, match="no mask to put in order"):
        depth_order([])
    with pytest.raises(UserError, match="sizes 4x4, 8x8"):
        depth_order([Mask(back), Mask(np.zeros((1, 4, 4), np.float32))])
    with pytest.raises(UserError, match="different lengths"):
        depth_order([Mask(np.zeros((n, 4, 4), np.float32)) for n in (2, 3)])


@pytest.mark.parametrize("kind", list(KINDS))
@given(
    st.tuples(
        st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4])
    ).flatmap(lambda shape: arrays(np.float32, shape, elements=st.floats(-1, 2, width=32)))
)
def test_any_picture_becomes_three_channels_of_its_size(kind: str, pixels: np.ndarray) -> None:
    before = pixels.copy()
    found = KINDS[kind](Image(pixels)).pixels
    assert found.shape == (*pixels.shape[:3], 3)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.array_equal(pixels, before)
