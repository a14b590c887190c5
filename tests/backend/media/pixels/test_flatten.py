"""Stacks of layers laid over each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageChops

from backend.media.layer_tree import Branch, Coverage, opened
from backend.media.pixels.flatten import flatten
from backend.values import Layer, Layers
from backend.values.layers import MODES


def layer(width, height, seed=0, **told):
    pixels = np.random.default_rng(seed).random((height, width, 4), np.float32)
    return Layer(pixels, **{"name": f"layer {seed}", **told})


def plain(width, height, color, **told):
    return Layer(np.tile(np.array(color, np.float32), (height, width, 1)), **told)


def flat(*layers, width=8, height=6):
    return flatten(Layers(width, height, layers)).pixels[0]


def over(below, above, opacity=1.0):
    """Porter and Duff's source-over on straight alpha."""
    a, b = above[..., 3:] * opacity, below[..., 3:]
    whole = a + b * (1 - a)
    colors = above[..., :3] * a + below[..., :3] * b * (1 - a)
    return np.dstack([colors / np.where(whole > 0, whole, 1), whole])


def test_normal_layers_are_source_over_from_the_bottom_up():
    a, b, c = (layer(8, 6, seed) for seed in (1, 2, 3))
    wanted = over(over(a.pixels, b.pixels, 0.5), c.pixels)
    assert flat(a, b.but(opacity=0.5), c) == pytest.approx(wanted, abs=1e-5)


def test_a_single_layer_keeps_its_bits():
    one = layer(8, 6, 4)
    assert np.array_equal(flat(one), one.pixels)


@given(st.integers(-9, 9), st.integers(-9, 9))
def test_a_layer_may_hang_over_every_side(x, y):
    ground, one = plain(8, 6, (0, 0, 0, 1)), plain(5, 4, (1, 1, 1, 1), x=x, y=y)
    wanted = np.zeros((6, 8))
    wanted[max(y, 0) : max(y + 4, 0), max(x, 0) : max(x + 5, 0)] = 1
    assert np.array_equal(flat(ground, one)[..., 0], wanted)


def test_hidden_layers_and_those_of_no_opacity_change_nothing():
    ground, one = layer(8, 6, 1), layer(8, 6, 2)
    wanted = flat(ground)
    assert np.array_equal(flat(ground, one.but(visible=False)), wanted)
    assert np.array_equal(flat(ground, one.but(opacity=0.0, mode="multiply")), wanted)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_plain_where_nothing_lies_below(mode):
    one = layer(8, 6, 3, mode=mode)
    assert flat(one) == pytest.approx(one.pixels, abs=1e-6)


@pytest.mark.parametrize(
    ("mode", "chops"),
    [
        ("multiply", ImageChops.multiply),
        ("screen", ImageChops.screen),
        ("darken", ImageChops.darker),
        ("lighten", ImageChops.lighter),
        ("difference", ImageChops.difference),
        ("add", ImageChops.add),
        ("overlay", ImageChops.overlay),
        ("hard light", ImageChops.hard_light),
    ],
)
def test_opaque_layers_agree_with_pillow(mode, chops):
    codes = np.random.default_rng(7).integers(0, 256, (2, 6, 8, 3), np.uint8)
    below, above = (
        Layer(np.dstack([c / np.float32(255), np.ones((6, 8), np.float32)]), mode=m)
        for c, m in zip(codes, ("normal", mode), strict=True)
    )
    wanted = np.asarray(chops(*map(Pillow.fromarray, codes)), np.float32)
    assert np.abs(flat(below, above)[..., :3] * 255 - wanted).max() <= 1.01


def test_a_group_that_changes_nothing_gives_its_layers():
    a, b = layer(8, 6, 1), layer(8, 6, 2, visible=False)
    notes: list[str] = []
    inner = opened([Branch("inner", (b,)), a], notes)
    found = opened([Branch("group", inner, visible=False)], notes)
    assert [(each.name, each.visible) for each in found] == [
        ("group/inner/layer 2", False),
        ("group/layer 1", False),
    ]
    assert not notes


def test_a_group_with_an_opacity_is_one_layer_that_looks_the_same():
    ground, a, b = (plain(8, 6, (g, 1 - g, 0.2, 1)) for g in (0.1, 0.5, 0.9))
    notes: list[str] = []
    found = opened([ground, Branch("group", (a, b.but(x=2)), opacity=0.5)], notes)
    assert [each.name for each in found] == ["", "group"]
    assert "group" in notes[0]
    together = flat(a, b.but(x=2), width=10)
    wanted = over(ground.pixels, together[:, :8], 0.5)
    assert flat(*found) == pytest.approx(wanted, abs=1e-6)


def test_members_of_an_isolated_group_do_not_blend_with_what_lies_below():
    ground = plain(8, 6, (0.5, 0.5, 0.5, 1))
    one = plain(8, 6, (0.5, 0.5, 0.5, 1), mode="multiply")
    apart = opened([ground, Branch("g", (one,))], [])
    through = opened([ground, Branch("g", (one,), isolated=False)], [])
    assert flat(*apart)[0, 0, 0] == pytest.approx(0.5)
    assert flat(*through)[0, 0, 0] == pytest.approx(0.25)


def test_a_mask_covers_at_its_own_place():
    one = plain(4, 4, (1, 1, 1, 1), x=1, y=1)
    mask = Coverage(np.full((2, 2), 0.5, np.float32), 0, 0, outside=1.0)
    alpha = mask.over(one).pixels[..., 3]
    assert alpha[0, 0] == 0.5
    assert alpha.sum() == pytest.approx(15.5)


@given(st.integers(-5, 7), st.integers(-4, 5))
def test_a_merged_group_stays_where_its_members_are(x, y):
    ground, one = plain(8, 6, (0, 0, 0, 1)), plain(3, 2, (1, 1, 1, 1), x=x, y=y)
    other = one.but(x=x + 2, y=y - 1)
    found = opened([ground, Branch("g", (one, other), opacity=0.5)], [])
    wanted = np.maximum(flat(ground, one), flat(ground, other))[..., 0] * 0.5
    assert flat(*found)[..., 0] == pytest.approx(wanted)
