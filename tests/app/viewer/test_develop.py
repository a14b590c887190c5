"""The bytes on the screen are those of the float pixels: colour, exposure and size are exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.viewer.develop import Development, axis, codes, halved, resampled
from app.viewer.picture import ALL, LUMINANCE, Picture
from app.viewer.tiles import TILE, Place, Pyramid, cut
from backend.media.color import linear_from_srgb, srgb_from_linear

RGB, RGBA = ("R", "G", "B"), ("R", "G", "B", "A")


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).random(shape, np.float32)


def shown(picture: Picture, stops: float = 0.0, channel: int = ALL) -> np.ndarray:
    """Red, green, blue of every pixel as codes."""
    return codes(picture.pixels, picture, Development(stops, channel))[..., 2::-1]


def test_srgb_is_shown_as_it_is():
    picture = Picture(random(9, 7, 3) * 1.5 - 0.2, names=RGB)
    expected = np.rint(np.clip(picture.pixels, 0, 1) * 255)
    assert np.array_equal(shown(picture), expected)


def test_every_code_of_a_file_comes_back():
    every = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)
    picture = Picture(every / np.float32(255), names=RGB)
    assert np.array_equal(shown(picture), every)


@pytest.mark.parametrize("stops", [-2.0, 0.0, 1.0, 3.5])
@pytest.mark.parametrize("curve", ["srgb", "linear"])
def test_exposure_multiplies_linear_light(curve, stops):
    pixels = random(16, 16, 3)
    light = linear_from_srgb(pixels) if curve == "srgb" else pixels
    expected = np.clip(srgb_from_linear(light * 2**stops), 0, 1) * 255
    assert np.abs(shown(Picture(pixels, curve, names=RGB), stops) - expected).max() <= 0.51


def test_plain_numbers_are_shown_by_their_range_and_exposure_multiplies_them():
    pixels = np.array([[[-3.0], [0.0], [3.0]]], np.float32)
    picture = Picture(pixels, "plain", -3, 3, ("1",))
    assert shown(picture)[0, :, 0].tolist() == [0, 128, 255]
    assert shown(picture, -1.0)[0, :, 0].tolist() == [0, 64, 128]


def test_a_channel_alone_is_grey():
    picture = Picture(random(4, 5, 4), names=RGBA)
    for channel in range(4):
        expected = np.rint(picture.pixels[..., channel] * 255)
        assert np.array_equal(shown(picture, channel=channel), expected[..., None].repeat(3, 2))


def test_luminance_of_a_grey_is_the_grey():
    grey = random(4, 5, 1).repeat(3, 2)
    picture = Picture(grey, names=RGB)
    apart = shown(picture, channel=LUMINANCE).astype(int) - shown(picture)
    assert np.abs(apart).max() <= 1


def test_numbers_that_are_none_are_black_and_infinite_ones_white():
    pixels = np.array([[[np.nan], [np.inf], [-np.inf]]], np.float32).repeat(3, 2)
    assert shown(Picture(pixels, names=RGB))[0, :, 0].tolist() == [0, 255, 0]
    large = Picture(pixels.repeat(300, 0).repeat(90, 1), names=RGB)
    cut(Pyramid(large).built(), Place(80, 90, 0, 0, 80, 90), Development(1.0))


def test_alpha_is_premultiplied():
    pixels = np.array([[[1.0, 0.5, 0.0, 0.5]]], np.float32)
    made = codes(pixels, Picture(pixels, names=RGBA), Development())
    assert made[0, 0].tolist() == [0, 64, 128, 128]


@given(size=st.integers(1, 40), target=st.integers(1, 70))
def test_each_pixel_of_the_screen_is_the_mean_of_what_it_covers(size, target):
    along = axis(0, target, target / size, size)
    row = np.arange(size, dtype=np.float32)[None, :, None]
    found = resampled(row, along, axis(0, 1, 1.0, 1))[0, :, 0]
    if target > 2 * size or target == size:
        expected = np.floor((np.arange(target) + 0.5) * size / target + 1e-9)
    else:
        fine = np.arange(size).repeat(target).reshape(target, size)
        expected = fine.mean(axis=1)
    assert found == pytest.approx(expected, abs=1e-3)


@given(size=st.integers(1, 40), target=st.integers(1, 70))
def test_shares_sum_to_one(size, target):
    along = axis(0, target, target / size, size)
    assert along.weights.sum(axis=0) == pytest.approx(np.ones(target), abs=1e-5)
    assert 0 <= along.taps.min() <= along.taps.max() < size


def test_copies_are_exact_means():
    pixels = random(7, 10, 3)
    assert halved(pixels)[0, 0] == pytest.approx(pixels[:2, :2].mean((0, 1)), abs=1e-6)
    assert halved(pixels)[3, 0] == pytest.approx(pixels[6:, :2].mean((0, 1)), abs=1e-6)


def test_a_small_copy_of_a_large_picture_is_the_mean_of_its_areas():
    picture = Picture(random(1024, 2048, 3), names=RGB)
    made = cut(Pyramid(picture).built(), Place(256, 128, 0, 0, 256, 128), Development())
    means = picture.pixels.reshape(128, 8, 256, 8, 3).mean((1, 3))
    assert np.abs(made[..., 2::-1] - means * 255).max() <= 0.51


def test_what_is_transparent_does_not_bleed_when_made_small():
    pixels = np.zeros((512, 512, 4), np.float32)
    pixels[..., 0] = 1  # red that is not seen
    pixels[:, 1::2] = (0, 1, 0, 1)
    picture = Picture(pixels, names=RGBA)
    for size in (128, 300):  # from a copy, and from the picture itself
        made = cut(Pyramid(picture).built(), Place(size, size, 0, 0, size, size), Development())
        assert made[..., 2].max() == 0
        assert made[..., 3].mean() == pytest.approx(128, abs=1)


@pytest.mark.parametrize("scale", [0.13, 0.4, 0.77, 1.0, 1.6, 5.0])
@pytest.mark.parametrize("names", [RGB, RGBA])
def test_tiles_are_pieces_of_the_whole(scale, names):
    picture = Picture(random(300, 401, len(names)), names=names)
    pyramid, stops = Pyramid(picture).built(), Development(0.5)
    width, height = round(401 * scale), round(300 * scale)
    whole = cut(pyramid, Place(width, height, 0, 0, width, height), stops)
    for left, top in ((0, 0), (width // 3, height // 2)):
        across, down = min(TILE, width - left), min(TILE, height - top)
        piece = cut(pyramid, Place(width, height, left, top, across, down), stops)
        apart = piece.astype(int) - whole[top : top + down, left : left + across]
        assert np.abs(apart).max() <= (1 if scale < 1 else 0)
