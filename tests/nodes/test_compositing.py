"""The nodes of nodes/compositing.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.sdk import Color, UserError, facts_of
from nodes.compositing import blend, composite, join_alpha, solid_image, split_alpha
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

offsets = st.integers(-12, 12)
amounts = st.sampled_from([0.0, 0.3, 1.0])


@given(pictures, pictures, st.none() | masks, st.booleans(), offsets, offsets, amounts)
@settings(deadline=None)
def test_composite_gives_or_refuses_what_its_facts_say(
    image, background, mask, fits, x, y, opacity
):
    if fits and mask is not None:
        mask = coverage(image.width, image.height, mask.count)
    given_values = {"image": image, "background": background, "mask": mask}
    run_as_forecast(composite, given_values, anchor="centre", x=x, y=y, opacity=opacity)


@given(pictures, pictures, st.booleans(), st.sampled_from(["normal", "screen", "soft light"]))
@settings(deadline=None)
def test_blend_gives_or_refuses_what_its_facts_say(image, background, fits, mode):
    if fits:
        background = picture(image.width, image.height, background.channels, background.count)
    run_as_forecast(blend, {"image": image, "background": background}, mode=mode)


@given(st.none() | pictures, st.integers(1, 9), st.integers(1, 9), colors, st.integers(1, 3))
def test_solid_image_gives_what_its_facts_say(like, width, height, color, count):
    given_values = {"like": like}
    run_as_forecast(solid_image, given_values, width=width, height=height, color=color, count=count)


@given(pictures)
def test_split_alpha_gives_what_its_facts_say_and_joins_again(image):
    parts = run_as_forecast(split_alpha, {"image": image})
    joined = run_as_forecast(join_alpha, {"image": parts.image, "mask": parts.mask})
    if image.has_alpha:
        np.testing.assert_array_equal(joined.pixels, image.pixels)
    else:
        np.testing.assert_array_equal(joined.pixels[..., 3], np.ones(image.pixels.shape[:3]))


@given(pictures, masks)
def test_join_alpha_gives_or_refuses_what_its_facts_say(image, mask):
    run_as_forecast(join_alpha, {"image": image, "mask": mask})


def test_the_anchor_moves_the_picture_to_the_middle():
    image, background = picture(2, 2), picture(8, 6)
    done = composite(QuietContext(), image, background, anchor="centre", x=1)
    np.testing.assert_array_equal(done.pixels[0, 2:4, 4:6], image.pixels[0])
    done = composite(QuietContext(), image, background)
    np.testing.assert_array_equal(done.pixels[0, :2, :2], image.pixels[0])


def test_multiply_darkens_by_the_product():
    image, background = picture(4, 4, seed=1), picture(4, 4, seed=2)
    done = blend(QuietContext(), image, background, mode="multiply", opacity=0.5)
    expected = background.pixels * (0.5 + 0.5 * image.pixels)
    np.testing.assert_allclose(done.pixels, expected, atol=1e-6)


def test_a_blend_of_different_sizes_is_refused_with_both():
    with pytest.raises(UserError, match=r"image is 4 x 4 .*background is 5 x 4.*Resize"):
        blend(QuietContext(), picture(4, 4), picture(5, 4))


def test_what_is_not_known_stays_unknown():
    alone = forecast(composite, {"image": None, "background": picture(5, 4, 4)})
    assert (alone.width, alone.channels, alone.count) == (5, 4, None)
    assert forecast(composite, {"image": picture(5, 4), "background": None}).width is None
    solid = forecast(solid_image, {"like": None}, color=None, width=None)
    assert solid == facts_of("Image", height=1024, count=1)
    assert forecast(join_alpha, {"image": picture(3, 2), "mask": None}).width == 3
    assert forecast(split_alpha, {"image": None})["image"].channels is None


def test_a_solid_beyond_the_cap_is_refused_before_and_in_the_run():
    said = run_as_forecast(
        solid_image, {"like": None}, width=32768, height=32768, color=Color(0, 0, 0)
    )
    assert "1074 million" in said


def test_a_cancel_is_seen_in_a_batch():
    context = QuietContext(stop_after=1)
    with pytest.raises(InterruptedError):
        composite(context, picture(4, 4, count=9), picture(4, 4))
    assert context.checks == 2
