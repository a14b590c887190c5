"""The nodes of nodes/geometry.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.sdk import UserError
from nodes.geometry import crop, pad, resize, turn
from tests.nodes.image_bench import (
    QuietContext,
    colors,
    forecast,
    picture,
    pictures,
    run_as_forecast,
)

edge = st.integers(0, 12)


@given(
    pictures,
    st.fixed_dictionaries(
        {
            "by": st.sampled_from(["size", "scale", "longest side"]),
            "width": edge,
            "height": edge,
            "scale": st.floats(0.1, 3),
            "side": st.integers(1, 12),
            "mode": st.sampled_from(["stretch", "fit", "fill", "pad"]),
            "filter": st.sampled_from(["nearest", "lanczos"]),
            "multiple": st.sampled_from([1, 4]),
            "color": colors,
        }
    ),
)
@settings(deadline=None)
def test_resize_gives_what_its_facts_say(image, params):
    run_as_forecast(resize, {"image": image}, **params)


@given(
    pictures,
    st.sampled_from(["centre", "position"]),
    st.integers(-9, 9),
    st.integers(-9, 9),
    edge,
    edge,
    st.sampled_from(["clamp", "refuse"]),
)
def test_crop_gives_or_refuses_what_its_facts_say(image, place, x, y, width, height, outside):
    run_as_forecast(
        crop, {"image": image}, place=place, x=x, y=y, width=width, height=height, outside=outside
    )


@given(pictures, edge, edge, edge, edge, st.sampled_from(["color", "edge", "reflect"]), colors)
def test_pad_gives_what_its_facts_say(image, left, top, right, bottom, fill, color):
    run_as_forecast(
        pad,
        {"image": image},
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        fill=fill,
        color=color,
    )


@given(
    pictures,
    st.sampled_from(["90 right", "90 left", "180", "flip horizontal", "flip vertical"]),
)
def test_turn_gives_what_its_facts_say(image, how):
    run_as_forecast(turn, {"image": image}, how=how)


def test_the_examples_of_the_help_come_true():
    thumbnail = resize(QuietContext(), picture(400, 300), by="longest side", side=102)
    assert (thumbnail.width, thumbnail.height) == (102, 77)
    square = crop(QuietContext(), picture(768, 512), width=512, height=512)
    assert (square.width, square.height) == (512, 512)
    wide = pad(QuietContext(), picture(512, 512), left=128, right=128, fill="edge")
    assert (wide.width, wide.height) == (768, 512)
    assert turn(QuietContext(), picture(64, 48)).width == 48


def test_what_is_not_known_stays_unknown():
    unknown = forecast(resize, {"image": picture(8, 6)}, width=None)
    assert (unknown.width, unknown.height, unknown.channels) == (None, None, 3)
    assert forecast(resize, {"image": None}).width is None
    assert forecast(resize, {"image": picture(8, 6)}, by=None).count == 1
    padded = forecast(resize, {"image": picture(8, 6)}, mode="pad", color=None)
    assert (padded.width, padded.height, padded.channels) == (1024, 1024, None)
    assert forecast(turn, {"image": picture(8, 6)}, how=None).width is None
    assert forecast(crop, {"image": picture(8, 6)}, x=None).height is None
    assert forecast(pad, {"image": picture(8, 6)}, left=None).channels == 3
    assert forecast(pad, {"image": picture(8, 6)}, color=None).channels is None


def test_a_resize_beyond_the_cap_is_refused_before_and_in_the_run():
    said = run_as_forecast(resize, {"image": picture(2, 2)}, width=30000, height=30000)
    assert "900 million pixels" in said


def test_resize_keeps_proportions_unless_told_otherwise():
    image = picture(40, 20)
    sizes = {}
    for mode in ("stretch", "fit", "fill", "pad"):
        done = resize(QuietContext(), image, width=16, height=16, mode=mode)
        sizes[mode] = (done.width, done.height)
    assert sizes == {"stretch": (16, 16), "fit": (16, 8), "fill": (16, 16), "pad": (16, 16)}


def test_padding_cannot_take_pixels_away():
    assert "Use crop" in run_as_forecast(pad, {"image": picture(8, 8)}, left=-1)


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_scale_that_is_no_size_is_refused(scale):
    said = run_as_forecast(resize, {"image": picture(8, 8)}, by="scale", scale=scale)
    assert "must be a number above 0" in said


def test_a_cancel_is_seen_in_a_batch():
    context = QuietContext(stop_after=2)
    with pytest.raises(InterruptedError):
        resize(context, picture(8, 8, count=50), width=4, height=4)
    assert context.checks == 3


def test_a_box_outside_is_refused_with_a_sentence():
    with pytest.raises(UserError, match=r"lies outside the picture, which is 8 x 8\."):
        crop(QuietContext(), picture(8, 8), place="position", x=9)


def test_a_half_turn_is_two_quarter_turns():
    image = picture(5, 3, 4, 2)
    twice = turn(QuietContext(), turn(QuietContext(), image))
    np.testing.assert_array_equal(twice.pixels, turn(QuietContext(), image, "180").pixels)
