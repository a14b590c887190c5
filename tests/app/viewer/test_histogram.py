"""A histogram counts what is shown, and says what is cut off."""

import numpy as np
import pytest

from app.viewer.histogram import BINS, count
from app.viewer.picture import Picture

RGB = ("R", "G", "B")


def test_every_pixel_is_counted_once_in_each_channel():
    pixels = np.random.default_rng(0).random((37, 41, 4), np.float32)
    counts = count(Picture(pixels, names=("R", "G", "B", "A")))
    assert counts.bins.shape == (3, BINS)
    assert (counts.bins.sum(axis=1) == 37 * 41).all()
    expected = np.histogram(pixels[..., 1], BINS, (0, 1))[0]
    assert np.array_equal(counts.bins[1], expected)


def test_what_is_cut_off_is_told():
    pixels = np.full((10, 10, 3), 0.5, np.float32)
    pixels[:2] = 1.5
    pixels[2] = -0.5
    counts = count(Picture(pixels, names=RGB))
    assert (counts.above, counts.below) == pytest.approx((0.2, 0.1))
    assert counts.words() == "-0.5 to 1.5 · 10.0 % black · 20.0 % white"


@pytest.mark.parametrize("curve", ["srgb", "linear", "plain"])
def test_exposure_moves_the_white_point(curve):
    ramp = np.linspace(0, 1, 1000, dtype=np.float32).reshape(1, -1, 1).repeat(3, 2)
    counts = count(Picture(ramp, curve, names=RGB), 1.0)
    white = 0.7354 if curve == "srgb" else 0.5  # half the light is 0.735 in sRGB
    assert counts.above == pytest.approx(1 - white, abs=0.002)


def test_numbers_that_are_none_are_told_and_spoil_nothing():
    pixels = np.full((4, 4, 1), 0.5, np.float32)
    pixels[0, 0] = np.nan
    counts = count(Picture(pixels, "plain", names=("M",)))
    assert counts.bad == 1
    assert (counts.low, counts.high) == (0.5, 0.5)
    assert counts.words().endswith("1 not finite")


def test_a_huge_picture_is_counted_by_every_second_pixel():
    pixels = np.broadcast_to(np.float32(0.5), (3000, 3000, 1))
    counts = count(Picture(pixels, "plain", names=("M",)))
    assert counts.step == 2
    assert counts.bins.sum() == 1500 * 1500
