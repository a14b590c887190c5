"""The nodes of nodes/filters.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.sdk import UserError
from nodes.filters import adjust, blur, grayscale, invert, levels, sharpen
from tests.nodes.image_bench import (
    QuietContext,
    forecast,
    picture,
    pictures,
    run_as_forecast,
)


@given(pictures, st.floats(0, 4), st.booleans())
@settings(deadline=None)
def test_filters_give_what_their_facts_say(image, radius, linear):
    run_as_forecast(blur, {"image": image}, radius=radius, linear=linear)
    run_as_forecast(sharpen, {"image": image}, radius=radius, amount=0.7)
    run_as_forecast(levels, {"image": image}, black=0.1, gamma=1.4)
    run_as_forecast(adjust, {"image": image}, saturation=1.5, hue=20.0)
    run_as_forecast(grayscale, {"image": image}, method="luma" if linear else "luminance")
    run_as_forecast(invert, {"image": image})


def test_a_blurred_picture_is_sharpened_back_towards_itself():
    image = blur(QuietContext(), picture(32, 32), 3)
    soft = blur(QuietContext(), image, 0.7)
    sharp = sharpen(QuietContext(), soft, 1.0, 0.7)
    assert np.abs(sharp.pixels - image.pixels).mean() < np.abs(soft.pixels - image.pixels).mean()


def test_levels_stretch_a_flat_picture():
    flat = levels(QuietContext(), picture(8, 8), out_black=0.3, out_white=0.6)
    again = levels(QuietContext(), flat, 0.3, 0.6)
    np.testing.assert_allclose(again.pixels, picture(8, 8).pixels, atol=1e-5)


def test_levels_without_a_range_are_refused():
    with pytest.raises(UserError, match=r"black and white are both 0.4"):
        levels(QuietContext(), picture(2, 2), 0.4, 0.4)


def test_no_saturation_leaves_grey():
    done = adjust(QuietContext(), picture(4, 4), saturation=0.0).pixels
    np.testing.assert_allclose(done[..., 0], done[..., 1], atol=1e-6)
    np.testing.assert_allclose(done[..., 1], done[..., 2], atol=1e-6)


def test_grey_pictures_have_one_channel():
    assert grayscale(QuietContext(), picture(4, 4)).channels == 1
    assert grayscale(QuietContext(), picture(4, 4, 4)).channels == 4


def test_inverting_twice_gives_the_picture():
    image = picture(4, 4, 4)
    twice = invert(QuietContext(), invert(QuietContext(), image))
    np.testing.assert_allclose(twice.pixels, image.pixels, atol=1e-6)
    np.testing.assert_array_equal(twice.pixels[..., 3], image.pixels[..., 3])


def test_what_is_not_known_stays_unknown():
    assert forecast(blur, {"image": None}).width is None
    assert forecast(grayscale, {"image": None}).channels is None


@pytest.mark.parametrize("node", [blur, sharpen, levels, grayscale])
def test_a_cancel_is_seen_in_a_batch(node):
    context = QuietContext(stop_after=1)
    with pytest.raises(InterruptedError):
        node(context, picture(4, 4, count=9))
    assert context.checks == 2
