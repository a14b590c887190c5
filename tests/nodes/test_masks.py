"""The nodes of nodes/masks.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.sdk import UserError
from nodes.masks import (
    combine_masks,
    feather_mask,
    grow_mask,
    invert_mask,
    mask_from_color,
    mask_from_image,
    mask_to_image,
    shape_mask,
)
from tests.nodes.image_bench import (
    QuietContext,
    colors,
    coverage,
    forecast,
    masks,
    picture,
    pictures,
    run_as_forecast,
)

hows = st.sampled_from(["union", "intersect", "subtract", "exclude"])


@given(masks, masks, st.booleans(), hows)
def test_combine_masks_gives_or_refuses_what_its_facts_say(mask, other, fits, how):
    if fits:
        other = coverage(mask.width, mask.height, other.count)
    run_as_forecast(combine_masks, {"mask": mask, "other": other}, how=how)


@given(masks, st.floats(-9, 9))
@settings(deadline=None)
def test_shaping_a_mask_gives_what_the_facts_say(mask, radius):
    run_as_forecast(grow_mask, {"mask": mask}, radius=radius)
    run_as_forecast(feather_mask, {"mask": mask}, radius=abs(radius))
    run_as_forecast(invert_mask, {"mask": mask})
    run_as_forecast(mask_to_image, {"mask": mask})


@given(pictures, st.sampled_from(["luminance", "red", "green", "blue", "alpha"]), colors)
def test_masks_from_pictures_are_what_the_facts_say(image, channel, color):
    made = run_as_forecast(mask_from_image, {"image": image}, channel=channel)
    assert made.coverage.min() >= 0
    assert made.coverage.max() <= 1
    run_as_forecast(mask_from_color, {"image": image}, color=color)


@given(st.none() | pictures, st.integers(1, 9), st.integers(1, 9))
def test_shape_mask_gives_what_its_facts_say(like, width, height):
    for shape in ("rectangle", "ellipse"):
        run_as_forecast(shape_mask, {"like": like}, shape=shape, width=width, height=height)


def test_an_ellipse_less_a_smaller_one_is_a_ring():
    def disc(inset):
        side = 40 - 2 * inset
        return shape_mask(QuietContext(), None, "ellipse", 40, 40, inset, inset, side, side)

    ring = combine_masks(QuietContext(), disc(2), disc(10), "subtract").coverage[0]
    assert ring[20, 20] == 0
    assert ring[20, 5] == 1
    assert ring[0, 0] == 0


def test_growing_and_feathering_move_the_edge():
    half = shape_mask(QuietContext(), None, "rectangle", 40, 8, 20, 0, 20, 8)
    grown = grow_mask(QuietContext(), half, 5)
    assert grown.coverage[0, 4, 15] == 1
    assert grown.coverage[0, 4, 14] == 0
    soft = feather_mask(QuietContext(), half, 3).coverage[0, 4]
    assert np.all(np.diff(soft) >= -1e-6)
    assert 0 < soft[18] < soft[21] < 1


def test_a_green_screen_is_selected():
    pixels = picture(6, 2).pixels.copy()
    pixels[:, :, :3] = [0.05, 0.95, 0.1]
    pixels[:, :, 3:] = [0.8, 0.5, 0.4]
    from backend.sdk import Color, Image

    picked = mask_from_color(QuietContext(), Image(pixels), Color(0, 1, 0), 0.25)
    np.testing.assert_array_equal(picked.coverage[0, 0], [1, 1, 1, 0, 0, 0])


def test_masks_of_different_batches_are_refused_with_both():
    with pytest.raises(UserError, match="mask is a batch of 2 and the other a batch of 3"):
        combine_masks(QuietContext(), coverage(2, 2, 2), coverage(2, 2, 3))


def test_what_is_not_known_stays_unknown():
    assert forecast(combine_masks, {"mask": coverage(3, 2), "other": None}).width == 3
    assert forecast(grow_mask, {"mask": None}).width is None
    assert forecast(mask_to_image, {"mask": None}).channels is None
    assert forecast(mask_from_image, {"image": None}).width is None
    assert forecast(shape_mask, {"like": None}, width=None).width is None


def test_a_mask_beyond_the_cap_is_refused_before_and_in_the_run():
    said = run_as_forecast(shape_mask, {"like": None}, width=32768, height=32768)
    assert "million" in said


def test_a_cancel_is_seen_while_growing():
    context = QuietContext(stop_after=4)
    with pytest.raises(InterruptedError):
        grow_mask(context, coverage(8, 8), 200)
    assert context.checks == 5
