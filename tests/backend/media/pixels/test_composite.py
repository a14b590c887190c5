"""Laying pictures over each other: Porter and Duff's `over` on straight alpha."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

from backend.media.pixels.composite import (
    alpha_of,
    composite,
    composite_channels,
    joined_alpha,
    solid,
    without_alpha,
)
from backend.sdk import UserError
from backend.values import Color, Image, Mask

units = st.floats(0, 1, width=16)
pictures = st.sampled_from([1, 3, 4]).flatmap(
    lambda c: arrays(np.float32, (1, 2, 3, c), elements=units).map(Image)
)
layers = arrays(np.float32, (1, 2, 3, 4), elements=units).map(Image)


def premultiplied(image):
    pixels = image.pixels.copy()
    pixels[..., :3] *= pixels[..., 3:]
    return pixels


@given(pictures, pictures)
def test_no_opacity_leaves_the_background_to_the_bit(image, background):
    done = composite(image, background, opacity=0)
    assert done.channels == composite_channels(image.channels, background.channels)
    shared = min(done.channels, background.channels)
    if background.channels == done.channels:
        np.testing.assert_array_equal(done.pixels[..., :shared], background.pixels)


@given(arrays(np.float32, (1, 2, 3, 3), elements=units).map(Image), layers)
def test_an_opaque_picture_replaces_the_background(image, background):
    done = composite(image, background)
    np.testing.assert_array_equal(done.pixels[..., :3], image.pixels)
    np.testing.assert_array_equal(done.pixels[..., 3], np.ones((1, 2, 3)))


@given(layers, layers, layers)
@settings(deadline=None)
def test_over_is_associative(a, b, c):
    """(a over b) over c is a over (b over c), seen in premultiplied colours."""
    left = composite(composite(a, b), c)
    right = composite(a, composite(b, c))
    np.testing.assert_allclose(premultiplied(left), premultiplied(right), atol=1e-5)


@given(layers, layers)
def test_over_follows_porter_and_duff(top, bottom):
    done = premultiplied(composite(top, bottom))
    expected = premultiplied(top) + premultiplied(bottom) * (1 - top.pixels[..., 3:])
    np.testing.assert_allclose(done, expected, atol=1e-6)


def test_alpha_compositing_agrees_with_pillow_on_8_bit():
    codes = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 4), dtype=np.uint8)
    expected = Pillow.alpha_composite(*(Pillow.fromarray(c) for c in codes[::-1]))
    ours = composite(*(Image(c[None].astype(np.float32) / 255) for c in codes)).pixels[0]
    theirs = np.asarray(expected, np.float32)
    np.testing.assert_allclose(ours[..., 3] * 255, theirs[..., 3], atol=1)
    np.testing.assert_allclose(
        ours[..., :3] * ours[..., 3:] * 255, theirs[..., :3] * theirs[..., 3:] / 255, atol=1.5
    )


@given(layers, layers)
def test_blending_follows_the_compositing_formula(top, bottom):
    """co = as (1 - ab) Cs + as ab B(Cb, Cs) + (1 - as) ab Cb, for multiply."""
    cs, cb = top.pixels[..., :3], bottom.pixels[..., :3]
    as_, ab = top.pixels[..., 3:], bottom.pixels[..., 3:]
    expected = as_ * (1 - ab) * cs + as_ * ab * cs * cb + (1 - as_) * ab * cb
    done = premultiplied(composite(top, bottom, mode="multiply"))
    np.testing.assert_allclose(done[..., :3], expected, atol=1e-6)


@given(st.integers(-6, 6), st.integers(-6, 6))
def test_a_picture_is_placed_and_cut_off_but_never_stretched(x, y):
    image = Image(np.arange(1, 13, dtype=np.float32).reshape(1, 3, 4, 1))
    background = Image(np.zeros((1, 5, 4, 1), np.float32))
    expected = np.zeros((5, 4), np.float32)
    for row in range(3):
        for column in range(4):
            if 0 <= y + row < 5 and 0 <= x + column < 4:
                expected[y + row, x + column] = image.pixels[0, row, column, 0]
    done = composite(image, background, x=x, y=y)
    np.testing.assert_array_equal(done.pixels[0, :, :, 0], expected)


def test_alpha_mask_and_opacity_multiply():
    image = Image(np.array([1, 1, 1, 0.5], np.float32).reshape(1, 1, 1, 4))
    mask = Mask(np.full((1, 1, 1), 0.5, np.float32))
    done = composite(image, solid(1, 1, Color(0, 0, 0)), mask, opacity=0.5)
    np.testing.assert_allclose(done.pixels, 0.125)


def test_a_mask_of_another_size_is_refused_with_both_sizes():
    with pytest.raises(UserError, match=r"mask is 2 x 2 .*image is 3 x 4"):
        composite(
            solid(3, 4, Color(0, 0, 0)), solid(9, 9, Color(0, 0, 0)), Mask(np.ones((1, 2, 2)))
        )


def test_one_picture_meets_every_picture_of_a_batch():
    batch = solid(2, 2, Color(0, 0, 1), count=3)
    assert composite(solid(1, 1, Color(1, 0, 0)), batch).count == 3
    spread = composite(batch, solid(2, 2, Color(1, 0, 0)))
    np.testing.assert_array_equal(spread.pixels, batch.pixels)


def test_batches_that_do_not_match_are_refused_with_both_lengths():
    two, three = (solid(2, 2, Color(0, 0, 0), count=n) for n in (2, 3))
    with pytest.raises(UserError, match="image is a batch of 2 and the background a batch of 3"):
        composite(two, three)


def test_a_linear_picture_is_encoded_for_an_srgb_background():
    light = Image(np.full((1, 1, 1, 3), 0.5, np.float32), "linear")
    done = composite(light, solid(1, 1, Color(0, 0, 0)))
    assert done.space == "srgb"
    np.testing.assert_allclose(done.pixels, 0.735357, atol=1e-5)


def test_a_solid_has_alpha_only_where_its_colour_has():
    assert solid(3, 2, Color(1, 0, 0)).pixels.shape == (1, 2, 3, 3)
    clear = solid(3, 2, Color(1, 0, 0, 0.5), count=2)
    np.testing.assert_array_equal(clear.pixels[1, 0, 0], [1, 0, 0, 0.5])
    with pytest.raises(UserError, match="4096 pictures"):
        solid(1024, 1024, Color(0, 0, 0), count=4096)


@given(layers)
def test_alpha_that_is_split_off_and_joined_gives_the_picture_back(image):
    again = joined_alpha(without_alpha(image), alpha_of(image))
    np.testing.assert_array_equal(again.pixels, image.pixels)


def test_a_grey_picture_becomes_rgb_with_its_new_alpha():
    grey = Image(np.full((1, 1, 2, 1), 0.25, np.float32))
    done = joined_alpha(grey, Mask(np.array([[[0, 1]], [[1, 0.5]]])))
    assert done.pixels.shape == (2, 1, 2, 4)
    np.testing.assert_array_equal(done.pixels[1, 0, 1], [0.25, 0.25, 0.25, 0.5])
    assert alpha_of(grey).coverage.tolist() == [[[1, 1]]]
