"""Panels: pictures side by side in one, made in the light of one another, and apart again."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.sdk import Image, Mask, UserError, facts_of
from nodes.conditioning import encode_text
from nodes.loaders import load_model
from nodes.panels import compose_panels, in_context_generate, split_panels
from tests.backend.models import tiny
from tests.nodes.fake_device import FakeDevice


@cache
def nowhere() -> FakeDevice:
    """A context that has no models."""
    return FakeDevice({})


def noise(width: int = 32, height: int = 16, count: int = 1, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    return Image(rng.random((count, height, width, 3), dtype=np.float32))


DEFAULTS = {"panels": 2, "columns": 0, "places": "", "width": 0, "height": 0}


@given(
    st.integers(1, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 7), st.integers(1, 7)
)
def test_what_is_composed_comes_apart_as_it_was(known, columns, count, width, height):
    count = max(known, count)
    singles = [noise(width, height, seed=i) for i in range(known)]
    made = compose_panels(nowhere(), *singles, panels=count, columns=columns)
    apart = split_panels(nowhere(), made.canvas, count, columns)
    assert len(apart) == count
    for single, panel in zip(singles, apart, strict=False):
        assert np.array_equal(single.pixels, panel.pixels)
    new = split_panels(nowhere(), Image(made.mask.coverage[..., None]), count, columns)
    assert [float(panel.pixels.mean()) for panel in new] == [0.0] * known + [1.0] * (count - known)


def test_pictures_go_where_they_are_told():
    one, two = noise(seed=1), noise(seed=2)
    made = compose_panels(nowhere(), one, two, panels=4, columns=2, places="4, 1")
    apart = split_panels(nowhere(), made.canvas, 4, 2)
    assert np.array_equal(apart[3].pixels, one.pixels)
    assert np.array_equal(apart[0].pixels, two.pixels)
    assert np.all(apart[1].pixels == 0.5)


def test_a_batch_fills_a_panel_with_each_picture():
    both = noise(count=2)
    made = compose_panels(nowhere(), both, panels=3)
    assert np.array_equal(split_panels(nowhere(), made.canvas, 3)[1].pixels, both.pixels[1:])


def test_each_caption_stands_behind_its_mark():
    words = ["a cup ", "the same cup from above"]
    made = compose_panels(nowhere(), noise(), title="two views of a cup", captions=words)
    told = "two views of a cup [IMAGE1] a cup [IMAGE2] the same cup from above"
    assert made.caption == told
    assert compose_panels(nowhere(), noise(), title="two views").caption == "two views"


@pytest.mark.parametrize(
    ("pictures", "params", "says"),
    [
        ([], {}, "no picture to take the panels' size from"),
        ([(32, 16), (16, 16)], {}, "Picture 2 is 16x16, and the panels are 32x16"),
        ([(32, 16)], {"width": 64}, "Picture 1 is 32x16, and the panels are 64x16"),
        ([(8, 8)] * 3, {}, "3 pictures for 2 panels"),
        ([(8, 8)], {"places": "3"}, "the panels are numbered 1 to 2"),
        ([(8, 8)], {"places": "0"}, "the panels are numbered 1 to 2"),
        ([(8, 8)], {"places": "first"}, "Write the numbers of panels"),
        ([(8, 8)] * 2, {"places": "1 1"}, "Give each one panel of its own"),
    ],
)
def test_what_does_not_fit_is_told(pictures, params, says):
    with pytest.raises(UserError, match=says):
        compose_panels(nowhere(), *(noise(*size) for size in pictures), **params)
    facts = [facts_of("Image", width=w, height=h, count=1) for w, h in pictures]
    with pytest.raises(UserError, match=says):
        compose_panels.hooks["facts"](SimpleNamespace(**{**DEFAULTS, **params}), images=facts)


def test_a_picture_of_other_panels_is_not_cut():
    with pytest.raises(UserError, match="32x16, which is not 3 panels across and 1 down"):
        split_panels(nowhere(), noise(), 3)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tiny.write(tmp_path_factory.mktemp("model") / "model")
    ctx = FakeDevice({"model": folder})
    found = load_model(ctx, "model")
    return ctx, found, encode_text(ctx, found.text_encoder, "two pictures")


def test_known_panels_come_out_as_they_went_in_and_new_ones_look_at_them(desk):
    ctx, found, told = desk

    def made(known: Image) -> list[Image]:
        canvas, mask, _ = compose_panels(ctx, known)
        whole = in_context_generate(
            ctx, found.model, found.vae, told, canvas, mask, steps=3, seed=4
        )
        return split_panels(ctx, whole)

    first, second = made(noise(32, 32, seed=1)), made(noise(32, 32, seed=2))
    assert np.array_equal(first[0].pixels, noise(32, 32, seed=1).pixels)
    assert first[1].pixels.std() > 0
    assert np.abs(first[1].pixels - second[1].pixels).max() > 1e-4


def test_several_canvases_go_together(desk):
    ctx, found, told = desk
    canvas = noise(64, 32, count=2)
    mask = Mask(np.ones((1, 32, 64), np.float32))
    whole = in_context_generate(ctx, found.model, found.vae, told, canvas, mask, steps=2)
    assert whole.pixels.shape == (2, 32, 64, 3)
