"""Tone and colour by their formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

from backend.media.pixels.tone import (
    adjust,
    grayscale,
    hue_matrix,
    levels,
    negative,
    saturation_matrix,
)
from backend.sdk import UserError
from backend.values import Image

images = st.sampled_from([1, 3, 4]).flatmap(
    lambda c: arrays(np.float32, (2, 2, 3, c), elements=st.floats(-1, 2, width=16)).map(Image)
)


def one(*values):
    return Image(np.array(values, np.float32).reshape(1, 1, 1, -1))


def colors(image):
    return image.pixels[..., :3]


def test_levels_follow_their_formula():
    """t = (0.5 - 0.2) / (0.8 - 0.2) = 0.5; 0.5^(1/2) = 0.7071; 0.1 + 0.7071 x 0.8."""
    done = levels(one(0.5), 0.2, 0.8, 2.0, 0.1, 0.9)
    assert done.pixels.item() == pytest.approx(0.1 + 0.70710678 * 0.8)


@pytest.mark.parametrize(("clip", "result"), [(True, [0, 1]), (False, [-0.5, 1.5])])
def test_levels_clip_beyond_black_and_white_if_asked(clip, result):
    done = levels(one(0.0, 1.0, 0.5), 0.25, 0.75, 1.0, 0, 1, clip).pixels[0, 0, 0]
    np.testing.assert_allclose(done[:2], result)


@given(images)
def test_levels_at_their_defaults_change_nothing(image):
    np.testing.assert_array_equal(levels(image, 0, 1, 1, 0, 1, clip=False).pixels, image.pixels)


@given(images, st.floats(0.2, 5))
def test_a_gamma_is_undone_by_its_inverse(image, gamma):
    there = levels(image, 0, 1, gamma, 0, 1, clip=False)
    back = levels(there, 0, 1, 1 / gamma, 0, 1, clip=False)
    np.testing.assert_allclose(back.pixels, image.pixels, atol=1e-4)


def test_levels_without_a_range_are_refused():
    with pytest.raises(UserError, match=r"black and white are both 0.5"):
        levels(one(0.5), 0.5, 0.5, 1, 0, 1)
    with pytest.raises(UserError, match="gamma is 0;"):
        levels(one(0.5), 0, 1, 0, 0, 1)


def test_adjusting_by_nothing_gives_the_same_image():
    image = one(0.1, 0.2, 0.3)
    assert adjust(image, 1, 1, 1, 0) is image


def test_brightness_multiplies_and_contrast_turns_around_the_middle():
    done = adjust(one(0.2, 0.4, 0.5), 1.5, 2.0, 1, 0).pixels[0, 0, 0]
    np.testing.assert_allclose(done, [0.1, 0.7, 1.0], atol=1e-6)


def test_saturation_is_the_matrix_of_filter_effects():
    done = adjust(one(1, 0, 0), 1, 1, 0.5, 0).pixels[0, 0, 0]
    np.testing.assert_allclose(done, [0.213 + 0.787 * 0.5, 0.213 * 0.5, 0.213 * 0.5], atol=1e-6)
    grey = adjust(one(0.2, 0.5, 0.9), 1, 1, 0, 0).pixels[0, 0, 0]
    np.testing.assert_allclose(grey, 0.213 * 0.2 + 0.715 * 0.5 + 0.072 * 0.9, atol=1e-6)


def test_hue_is_the_matrix_of_filter_effects():
    quarter = [[0, 0, 1], [0.356, 0.855, -0.211], [-0.574, 1.43, 0.144]]
    np.testing.assert_allclose(hue_matrix(90), quarter, atol=1e-9)
    done = adjust(one(1, 0.5, 0.25), 1, 1, 1, 90).pixels[0, 0, 0]
    np.testing.assert_allclose(done, np.array(quarter) @ [1, 0.5, 0.25], atol=1e-6)


@given(st.floats(-180, 180), st.floats(0, 4), st.floats(0, 1, width=16))
def test_greys_have_neither_hue_nor_saturation(hue, saturation, value):
    done = adjust(one(value, value, value), 1, 1, saturation, hue).pixels
    np.testing.assert_allclose(done, value, atol=1e-5)
    np.testing.assert_allclose(adjust(one(value), 1, 1, saturation, hue).pixels, value)


@given(st.floats(-180, 180))
def test_turning_hues_there_and_back_changes_nothing(hue):
    there_and_back = hue_matrix(-hue) @ hue_matrix(hue)
    assert np.abs(saturation_matrix(1) - np.eye(3)).max() < 1e-12
    np.testing.assert_allclose(there_and_back, np.eye(3), atol=2e-3)


def test_luma_agrees_with_pillow_within_one_step():
    codes = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    theirs = np.asarray(Pillow.fromarray(codes).convert("L"), np.float32)
    ours = grayscale(Image(codes[None].astype(np.float32) / 255), "luma").pixels[0, :, :, 0]
    np.testing.assert_allclose(ours * 255, theirs, atol=1)


@pytest.mark.parametrize("method", ["luminance", "luma"])
def test_greys_stay_as_they_are_and_channels_shrink(method):
    grey = grayscale(one(0.3, 0.3, 0.3), method)
    assert grey.channels == 1
    assert grey.pixels.item() == pytest.approx(0.3, abs=1e-6)
    clear = grayscale(one(0.3, 0.3, 0.3, 0.5), method)
    np.testing.assert_allclose(clear.pixels[0, 0, 0], [0.3, 0.3, 0.3, 0.5], atol=1e-6)


def test_luminance_of_linear_pixels_is_their_weighted_sum():
    green = Image(np.array([0, 1, 0], np.float32).reshape(1, 1, 1, 3), "linear")
    assert grayscale(green).pixels.item() == pytest.approx(0.7152)


@given(images)
def test_a_negative_of_a_negative_is_the_picture(image):
    twice = negative(negative(image))
    np.testing.assert_allclose(twice.pixels, image.pixels, atol=1e-6)


@given(images)
def test_alpha_is_never_touched(image):
    if image.has_alpha:
        for done in (
            negative(image),
            grayscale(image),
            levels(image, 0.2, 0.7, 1.5, 0, 1),
            adjust(image, 1.2, 0.8, 1.5, 30),
        ):
            np.testing.assert_array_equal(done.pixels[..., 3], image.pixels[..., 3])
