"""More room around a picture: what is old stays, and the mask says softly where the new is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.sdk import Image, UserError, facts_of
from nodes.outpainting import extend_canvas
from tests.nodes.image_bench import QuietContext

SIDES = ("left", "top", "right", "bottom")


def picture(width: int, height: int) -> Image:
    return Image(np.random.default_rng(3).random((1, height, width, 3), dtype=np.float32))


@given(st.tuples(*[st.integers(0, 9)] * 4), st.integers(0, 6), st.sampled_from(["edge", "reflect"]))
def test_the_old_part_is_untouched_and_the_new_part_white(sides, feather, fill):
    if not any(sides):
        return
    given_one = picture(13, 12)
    params = dict(zip(SIDES, sides, strict=True))
    made = extend_canvas(QuietContext(), given_one, **params, feather=feather, fill=fill)
    left, top, right, bottom = sides
    inside = np.s_[:, top : top + 12, left : left + 13]
    assert np.array_equal(made.image.pixels[inside], given_one.pixels)
    cover = made.mask.coverage
    assert cover.shape == made.image.pixels.shape[:3] == (1, 12 + top + bottom, 13 + left + right)
    new = np.ones(cover.shape, bool)
    new[inside] = False
    assert np.all(cover[new] == 1)
    core = np.s_[
        :,
        top + feather * bool(top) : top + 12 - feather * bool(bottom),
        left + feather * bool(left) : left + 13 - feather * bool(right),
    ]
    assert np.all(cover[core] == 0)
    facts = extend_canvas.hooks["facts"](
        SimpleNamespace(**params, feather=feather, fill=fill),
        image=facts_of("Image", width=13, height=12, channels=3, count=1),
    )
    size = (cover.shape[2], cover.shape[1])
    assert (facts["image"].width, facts["image"].height) == size
    assert (facts["mask"].width, facts["mask"].height) == size


def test_the_mask_falls_evenly_into_the_picture():
    mask = extend_canvas(QuietContext(), picture(16, 4), right=4, feather=8).mask.coverage[0, 0]
    inside = mask[8:16]
    assert np.allclose(np.diff(inside), 1 / 8)
    assert 0 < inside[0] < inside[-1] < 1


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "Nothing is added"),
        ({"left": 8, "feather": 9}, "16 pixels wide, so that a feather of 9"),
        ({"top": 8, "feather": 9}, "16 pixels high, so that a feather of 9"),
        ({"left": -1, "right": 3, "feather": 0}, "can only add pixels"),
    ],
)
def test_no_room_and_no_picture_left_are_told(params, says):
    given_one = picture(16, 16)
    with pytest.raises(UserError, match=says):
        extend_canvas(QuietContext(), given_one, **params)
    whole = {**dict.fromkeys(SIDES, 0), "feather": 16, "fill": "edge", **params}
    with pytest.raises(UserError, match=says):
        extend_canvas.hooks["facts"](
            SimpleNamespace(**whole),
            image=facts_of("Image", width=16, height=16, channels=3, count=1),
        )
