"""Gaussian blur against its formula and Pillow; the unsharp mask made of it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageFilter

from backend.media.color import srgb_from_linear
from backend.media.pixels.blur import blur, sharpen
from backend.values import Image


def grain(height, width, channels, count=1, seed=0):
    pixels = np.random.default_rng(seed).random((count, height, width, channels), np.float32)
    return Image(pixels)


@pytest.mark.parametrize("radius", [0.5, 2.0, 7.5])
def test_a_point_spreads_as_a_gaussian(radius):
    point = np.zeros((1, 81, 81, 1), np.float32)
    point[0, 40, 40] = 1
    y, x = np.mgrid[-40:41, -40:41]
    expected = np.exp(-(x**2 + y**2) / (2 * radius**2))
    spread = blur(Image(point), radius).pixels[0, :, :, 0]
    np.testing.assert_allclose(spread, expected / expected.sum(), atol=1e-4)


def test_it_agrees_with_pillows_approximation_away_from_the_border_within_two_steps():
    smooth = blur(grain(60, 60, 1), 3).pixels[0, :, :, 0]
    stretched = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    codes = np.rint(stretched * 255).astype(np.uint8)
    theirs = np.asarray(Pillow.fromarray(codes).filter(ImageFilter.GaussianBlur(2)), np.float32)
    ours = blur(Image(codes[None, :, :, None].astype(np.float32)), 2).pixels[0, :, :, 0]
    assert np.abs(ours - theirs)[8:-8, 8:-8].max() <= 2.0


@pytest.mark.parametrize("radius", [1.0, 3.0, 12.0, 20.0])
def test_it_agrees_with_opencv_on_a_repeated_border(radius):
    image = grain(30, 40, 3)
    size = 2 * int(4 * radius) + 1
    theirs = cv2.GaussianBlur(
        image.pixels[0], (size, size), radius, borderType=cv2.BORDER_REPLICATE
    )
    np.testing.assert_allclose(blur(image, radius).pixels[0], theirs, atol=1e-5)


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.1, 20), st.floats(-1, 2, width=16))
@settings(deadline=None)
def test_a_flat_picture_stays_flat_to_its_border(height, width, radius, value):
    flat = Image(np.full((1, height, width, 3), value, np.float32))
    np.testing.assert_allclose(blur(flat, radius).pixels, value, atol=1e-5)


def test_no_radius_changes_nothing():
    image = grain(5, 5, 4)
    assert blur(image, 0) is image
    assert sharpen(image, 0, 3, 0) is image


def test_blurring_twice_adds_the_variances():
    image = grain(64, 64, 3)
    twice = blur(blur(image, 3), 4).pixels[:, 20:44, 20:44]
    np.testing.assert_allclose(twice, blur(image, 5).pixels[:, 20:44, 20:44], atol=2e-4)


def test_hidden_colours_do_not_bleed_out():
    pixels = np.zeros((1, 16, 16, 4), np.float32)
    pixels[:, :, 8:] = 1
    done = blur(Image(pixels), 2).pixels
    seen = done[..., 3] > 1e-3
    np.testing.assert_allclose(done[seen][:, :3], 1, atol=1e-4)
    np.testing.assert_allclose(done[..., 3], blur(Image(pixels[..., 3:]), 2).pixels[..., 0])


def test_linear_light_keeps_highlights_bright():
    stripes = Image(np.tile([0, 1], 32)[None, None, :, None] * np.ones((1, 8, 1, 1)))
    np.testing.assert_allclose(blur(stripes, 4).pixels[:, :, 20:40], 0.5, atol=1e-3)
    done = blur(stripes, 4, linear=True).pixels[:, :, 20:40]
    np.testing.assert_allclose(done, srgb_from_linear(0.5), atol=1e-3)


def test_the_unsharp_mask_adds_what_the_blur_took():
    image = grain(20, 20, 3)
    expected = image.pixels + 0.75 * (image.pixels - blur(image, 1.5).pixels)
    np.testing.assert_allclose(sharpen(image, 0.75, 1.5, 0).pixels, expected, atol=1e-6)


def test_small_differences_are_left_alone():
    image = grain(20, 20, 1)
    detail = image.pixels - blur(image, 1).pixels
    done = sharpen(image, 1, 1, 0.2).pixels
    strong = np.abs(detail) > 0.2
    assert strong.any()
    np.testing.assert_array_equal(done[~strong], image.pixels[~strong])
    np.testing.assert_allclose(done[strong], (image.pixels + detail)[strong], atol=1e-6)


def test_sharpening_leaves_alpha_and_hidden_colours_alone():
    pixels = grain(10, 10, 4).pixels.copy()
    pixels[:, :5, :, 3] = 0
    done = sharpen(Image(pixels), 2, 1, 0).pixels
    np.testing.assert_array_equal(done[..., 3], pixels[..., 3])
    np.testing.assert_array_equal(done[:, :5], pixels[:, :5])


def test_a_batch_is_blurred_as_its_pictures_are():
    batch = grain(9, 9, 4, count=3)
    done = blur(batch, 1.5).pixels
    for index in range(3):
        one = blur(Image(batch.pixels[index : index + 1]), 1.5).pixels
        np.testing.assert_array_equal(done[index], one[0])
