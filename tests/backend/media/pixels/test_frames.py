"""Cropping, padding and turning keep every pixel's value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.media.pixels.frames import crop, pad, plan_crop, turn, turned_size
from backend.sdk import UserError
from backend.values import Color, Image

BLACK = Color(0, 0, 0)


def numbered(height, width, channels=1, count=1):
    """A picture in which no two values are the same."""
    values = np.arange(count * height * width * channels, dtype=np.float32)
    return Image(values.reshape(count, height, width, channels))


def test_the_centre_of_a_picture_is_cut_out():
    assert plan_crop((768, 512), "centre", 0, 0, 512, 512) == (128, 0, 640, 512)
    assert plan_crop((10, 10), "centre", 0, 0, 0, 4) == (0, 3, 10, 7)


def test_a_box_of_no_width_reaches_to_the_edge():
    assert plan_crop((100, 50), "position", 30, 10, 0, 0) == (30, 10, 100, 50)


def test_what_hangs_over_is_clamped_or_refused():
    assert plan_crop((100, 50), "position", -10, 40, 30, 30) == (0, 40, 20, 50)
    with pytest.raises(UserError, match=r"hangs over.*100 x 50"):
        plan_crop((100, 50), "position", -10, 40, 30, 30, "refuse")
    assert plan_crop((100, 50), "position", 70, 20, 30, 30, "refuse") == (70, 20, 100, 50)


@pytest.mark.parametrize("outside", ["clamp", "refuse"])
def test_a_box_outside_the_picture_is_refused(outside):
    with pytest.raises(UserError, match="lies outside the picture, which is 100 x 50"):
        plan_crop((100, 50), "position", 100, 0, 30, 30, outside)


def test_a_crop_holds_the_pixels_of_its_box():
    image = numbered(6, 8, 3, count=2)
    np.testing.assert_array_equal(crop(image, (2, 1, 5, 6)).pixels, image.pixels[:, 1:6, 2:5])


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.data())
def test_cropping_a_padded_picture_gives_it_back(left, top, right, bottom, data):
    fill = data.draw(st.sampled_from(["color", "edge", "reflect"]))
    image = numbered(4, 3, 3)
    padded = pad(image, left, top, right, bottom, fill, BLACK)
    assert (padded.width, padded.height) == (3 + left + right, 4 + top + bottom)
    again = crop(padded, (left, top, left + 3, top + 4))
    np.testing.assert_array_equal(again.pixels, image.pixels)


@pytest.mark.parametrize(("fill", "mode"), [("edge", "edge"), ("reflect", "reflect")])
def test_borders_are_continued_as_numpy_does(fill, mode):
    image = numbered(4, 3)
    expected = np.pad(image.pixels, ((0, 0), (11, 2), (1, 7), (0, 0)), mode)
    np.testing.assert_array_equal(pad(image, 1, 11, 7, 2, fill, BLACK).pixels, expected)


def test_reflecting_a_single_pixel_repeats_it():
    image = Image(np.full((1, 1, 1, 1), 0.25, np.float32))
    np.testing.assert_array_equal(
        pad(image, 2, 1, 0, 3, "reflect", BLACK).pixels, 0.25 * np.ones((1, 5, 3, 1))
    )


def test_a_colour_widens_the_picture_to_the_channels_that_it_needs():
    grey = numbered(2, 2)
    assert pad(grey, 1, 0, 0, 0, "color", Color(0.5, 0.5, 0.5)).channels == 1
    red = pad(grey, 1, 0, 0, 0, "color", Color(1, 0, 0))
    np.testing.assert_array_equal(red.pixels[0, :, 0], [[1, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(red.pixels[0, :, 1:], np.repeat(grey.pixels[0], 3, axis=-1))
    clear = pad(grey, 1, 0, 0, 0, "color", Color(0, 0, 0, 0))
    np.testing.assert_array_equal(clear.pixels[0, :, 0], np.zeros((2, 4)))
    np.testing.assert_array_equal(clear.pixels[0, :, 1:, 3], np.ones((2, 2)))


def test_a_colour_is_painted_on_the_pictures_own_curve():
    image = Image(np.ones((1, 1, 1, 3), np.float32), "linear")
    padded = pad(image, 1, 0, 0, 0, "color", Color(0.5, 0.5, 0.5))
    np.testing.assert_allclose(padded.pixels[0, 0, 0], 0.2140411, atol=1e-6)


def test_a_padding_beyond_the_cap_is_refused():
    with pytest.raises(UserError, match="million"):
        pad(numbered(2, 2), 30000, 30000, 0, 0, "color", BLACK)


def test_turning_right_moves_the_top_row_to_the_right():
    turned = turn(numbered(2, 3), "90 right").pixels[0, :, :, 0]
    np.testing.assert_array_equal(turned, [[3, 0], [4, 1], [5, 2]])


def test_flipping_swaps_sides():
    image = numbered(2, 3).pixels[0, :, :, 0]
    across = turn(numbered(2, 3), "flip horizontal").pixels[0, :, :, 0]
    np.testing.assert_array_equal(across, image[:, ::-1])
    upside = turn(numbered(2, 3), "flip vertical").pixels[0, :, :, 0]
    np.testing.assert_array_equal(upside, image[::-1])


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (["90 right"], ["90 left"]),
        (["90 right", "90 right"], ["180"]),
        (["flip horizontal"], ["flip horizontal"]),
        (["flip vertical"], ["180", "flip horizontal"]),
        (["90 right"] * 3, ["90 right"]),
    ],
)
def test_turns_form_the_group_of_the_square(there, back):
    image = numbered(3, 5, 4, count=2)
    turned = image
    for how in (*there, *back):
        assert turned_size(turned.width, turned.height, how)[0] == turn(turned, how).width
        turned = turn(turned, how)
    np.testing.assert_array_equal(turned.pixels, image.pixels)
