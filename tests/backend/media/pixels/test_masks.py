"""Masks: soft set operations, growing by a disc, and masks made from pictures and shapes."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import ImageColor

from backend.media.color import linear_from_srgb
from backend.media.pixels.blur import feather
from backend.media.pixels.masks import (
    combine,
    draw_shape,
    from_channel,
    from_color,
    grow,
    invert,
    to_image,
)
from backend.sdk import UserError
from backend.values import Color, Image, Mask

masks = arrays(np.float32, (1, 3, 4), elements=st.floats(0, 1, width=16)).map(Mask)
hard_masks = arrays(np.bool_, (1, 9, 11)).map(Mask)
soft_masks = arrays(np.float32, (1, 9, 11), elements=st.floats(0, 1, width=16)).map(Mask)
radii = st.floats(0, 7)


def same(a, b):
    np.testing.assert_allclose(a.coverage, b.coverage, atol=1e-6)


@given(masks, masks)
def test_de_morgan(a, b):
    same(invert(combine(a, b, "union")), combine(invert(a), invert(b), "intersect"))


@given(masks, masks)
def test_exclusion_is_the_union_less_the_intersection(a, b):
    union, both = combine(a, b, "union"), combine(a, b, "intersect")
    same(combine(a, b, "exclude"), combine(union, both, "subtract"))
    same(combine(a, b, "exclude"), combine(b, a, "exclude"))


@given(masks)
def test_a_mask_united_with_itself_keeps_its_soft_edge(a):
    same(combine(a, a, "union"), a)
    same(combine(a, a, "intersect"), a)


def test_hard_masks_combine_as_sets():
    a, b = Mask(np.array([[[0, 0, 1, 1]]])), Mask(np.array([[[0, 1, 0, 1]]]))
    results = {
        how: combine(a, b, how).coverage[0, 0].tolist()
        for how in ("union", "intersect", "subtract", "exclude")
    }
    assert results == {
        "union": [0, 1, 1, 1],
        "intersect": [0, 0, 0, 1],
        "subtract": [0, 0, 1, 0],
        "exclude": [0, 1, 1, 0],
    }


def test_masks_of_different_sizes_are_refused_with_both_sizes():
    with pytest.raises(UserError, match=r"mask is 4 x 3 .*other is 2 x 5"):
        combine(Mask(np.ones((1, 3, 4))), Mask(np.ones((1, 5, 2))), "union")


@given(hard_masks, radii)
@settings(deadline=None)
def test_a_hard_mask_grows_by_exactly_the_disc(mask, radius):
    """In is what lies within the radius of the mask: the exact Euclidean distance says it."""
    outside = (mask.coverage[0] == 0).astype(np.uint8)
    if not mask.coverage.any():
        expected = np.zeros_like(mask.coverage)
    else:
        away = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        squared = np.rint(away.astype(np.float64) ** 2)
        expected = (squared <= (radius if radius >= 1 else 0) ** 2)[None]
    np.testing.assert_array_equal(grow(mask, radius).coverage, expected)


@given(soft_masks, radii)
@settings(deadline=None)
def test_a_soft_mask_grows_as_opencv_dilates_by_a_disc(mask, radius):
    reach = math.floor(radius)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (dx**2 + dy**2 <= radius**2).astype(np.uint8)
    border = {"borderType": cv2.BORDER_CONSTANT, "borderValue": -1e9}
    expected = cv2.dilate(mask.coverage[0], disc, **border)
    np.testing.assert_array_equal(grow(mask, radius).coverage[0], expected)


@given(soft_masks, st.floats(-7, 7))
@settings(deadline=None)
def test_shrinking_a_mask_is_growing_what_is_not_in_it(mask, radius):
    shrunk = -grow(Mask(-mask.coverage), radius).coverage
    np.testing.assert_array_equal(grow(mask, -radius).coverage, shrunk)


def test_a_mask_that_reaches_the_border_is_not_eaten_from_there():
    full = Mask(np.ones((1, 6, 6)))
    np.testing.assert_array_equal(grow(full, -3).coverage, full.coverage)


def test_a_disc_larger_than_the_picture_fills_it():
    dot = np.zeros((2, 5, 3), np.float32)
    dot[:, 4, 0] = 0.5
    np.testing.assert_array_equal(grow(Mask(dot), 400).coverage, np.full((2, 5, 3), 0.5))


def test_feathering_keeps_the_amount_and_softens_the_edge():
    step = np.zeros((1, 64, 64), np.float32)
    step[:, :, 32:] = 1
    soft = feather(Mask(step), 4).coverage
    assert soft.mean() == pytest.approx(0.5, abs=1e-6)
    expected = [0.5 * (1 + math.erf((x - 31.5) / (4 * math.sqrt(2)))) for x in range(64)]
    np.testing.assert_allclose(soft[0, 30], expected, atol=2e-3)
    assert feather(Mask(step), 0).coverage is not soft


def test_channels_become_masks():
    pixels = np.array([0.1, 0.5, 1.5, 0.25], np.float32).reshape(1, 1, 1, 4)
    values = {
        channel: float(from_channel(Image(pixels), channel).coverage[0, 0, 0])
        for channel in ("red", "green", "blue", "alpha")
    }
    assert values == pytest.approx({"red": 0.1, "green": 0.5, "blue": 1.0, "alpha": 0.25})


def test_a_picture_without_alpha_is_opaque():
    grey = Image(np.full((2, 3, 4, 1), 0.3, np.float32))
    np.testing.assert_array_equal(from_channel(grey, "alpha").coverage, np.ones((2, 3, 4)))
    np.testing.assert_allclose(from_channel(grey, "green").coverage, 0.3)


def test_luminance_weighs_light_and_keeps_greys():
    grey = Image(np.full((1, 1, 1, 3), 0.3, np.float32))
    np.testing.assert_allclose(from_channel(grey, "luminance").coverage, 0.3, atol=1e-6)
    green = Image(np.array([0, 1, 0], np.float32).reshape(1, 1, 1, 3))
    value = from_channel(green, "luminance").coverage
    np.testing.assert_allclose(linear_from_srgb(value), 0.7152, atol=1e-5)


def color(name):
    return Color(*(v / 255 for v in ImageColor.getrgb(name)))


def patches(*names):
    row = [[c.red, c.green, c.blue] for c in map(color, names)]
    return Image(np.array(row, np.float32)[None, None])


def test_a_colour_is_selected_with_what_looks_like_it():
    image = patches("#ff0000", "#f81010", "#800000", "#00ff00", "#ffffff")
    picked = from_color(image, color("#ff0000"), 0.1, 0.0).coverage[0, 0]
    np.testing.assert_array_equal(picked, [1, 1, 0, 0, 0])


def test_distances_run_from_black_to_white():
    image = patches("#000000", "#ffffff")
    half = from_color(image, color("#000000"), 0.0, 2.0).coverage[0, 0]
    np.testing.assert_allclose(half, [1, 0.5], atol=1e-4)


def test_a_colour_that_cannot_be_seen_is_not_selected():
    pixels = np.concatenate([np.ones((1, 1, 2, 3)), [[[[0.0], [0.5]]]]], axis=-1)
    picked = from_color(Image(pixels), Color(1, 1, 1), 0.1, 0.1).coverage
    np.testing.assert_allclose(picked[0, 0], [0, 0.5])


@given(masks)
def test_a_mask_shown_as_a_picture_is_the_mask_again(mask):
    np.testing.assert_array_equal(from_channel(to_image(mask), "luminance").coverage, mask.coverage)


places = st.floats(-8, 24)
lengths = st.floats(0, 30)


@given(places, places, lengths, lengths)
def test_a_rectangle_covers_its_area_exactly(left, top, width, height):
    drawn = draw_shape((20, 16), "rectangle", left, top, width, height).coverage
    across = max(0, min(left + width, 20) - max(left, 0))
    down = max(0, min(top + height, 16) - max(top, 0))
    assert float(drawn.sum()) == pytest.approx(across * down, rel=1e-4, abs=1e-4)
    assert drawn.max() <= 1


@given(st.floats(5, 12), st.floats(5, 12), st.floats(1, 20), st.floats(1, 20))
def test_an_ellipse_covers_its_area(left, top, width, height):
    drawn = draw_shape((40, 40), "ellipse", left, top, width, height).coverage
    assert float(drawn.sum()) == pytest.approx(math.pi / 4 * width * height, rel=0.01, abs=0.05)
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_an_ellipse_agrees_with_a_finely_sampled_one():
    drawn = draw_shape((24, 20), "ellipse", 3.3, 2.2, 17.5, 14.25).coverage[0]
    y, x = (np.mgrid[0:640, 0:768] + 0.5) / 32
    inside = ((x - 3.3 - 8.75) / 8.75) ** 2 + ((y - 2.2 - 7.125) / 7.125) ** 2 <= 1
    expected = inside.reshape(20, 32, 24, 32).mean(axis=(1, 3))
    np.testing.assert_allclose(drawn, expected, atol=0.02)


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
def test_a_shape_of_no_height_is_empty(shape):
    assert not draw_shape((8, 8), shape, 1, 1, 5, 0).coverage.any()


def test_a_tall_ellipse_is_the_same_whether_drawn_in_strips_or_not(monkeypatch):
    whole = draw_shape((30, 40), "ellipse", 2, 3, 25, 33).coverage
    monkeypatch.setattr("backend.media.pixels.masks._STRIP", 90)
    np.testing.assert_array_equal(draw_shape((30, 40), "ellipse", 2, 3, 25, 33).coverage, whole)
