"""Layers of what a model says of them: alphas made clear, colours spread, the picture again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.media.pixels.flatten import laid
from backend.media.pixels.unblend import GREY, fitted, layer_of_panels, shares
from backend.train.tasks.layers import draw_stack
from backend.values import Layer


def stack_of(seed: int, count: int, height: int = 5, width: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    found = [rng.random((height, width, 4), dtype=np.float32) for _ in range(count)]
    found[0][..., 3] = 1
    return found


@given(st.integers(0, 999), st.integers(1, 4))
def test_what_shows_of_all_layers_is_the_whole(seed, count):
    seen = shares(stack_of(seed, count))
    assert np.allclose(seen.sum(0), 1, atol=1e-6)
    assert seen.min() >= 0


@given(st.integers(0, 999), st.integers(1, 4))
def test_fitted_layers_are_the_picture_where_that_can_be(seed, count):
    layers = stack_of(seed, count)
    rng = np.random.default_rng(seed + 1)
    # A picture near what the layers make: no colour is pushed out of its range.
    for each in layers:
        each[..., :3] = 0.3 + 0.4 * each[..., :3]
    drawn = [Layer(each) for each in layers]
    picture = laid(drawn, 4, 5)[..., :3] + rng.uniform(-0.02, 0.02, (5, 4, 3)).astype(np.float32)
    made = fitted(layers, picture)
    again = laid([Layer(each) for each in made], 4, 5)[..., :3]
    assert np.abs(again - picture).max() < 1e-4
    for old, new, seen in zip(layers, made, shares(layers), strict=True):
        assert np.array_equal(old[..., 3], new[..., 3])
        assert np.array_equal(old[seen == 0], new[seen == 0])


def test_the_panels_of_a_true_layer_give_it_back():
    stack = draw_stack(3, 5, count=2)
    for number in (1, 2):
        panels = stack.panels(number).astype(np.float32) / 255
        found = layer_of_panels(panels[:, :128], panels[:, 128:])
        truth = stack.scene.layers[number].astype(np.float32) / 255
        assert np.abs(found[..., 3] - truth[..., 3]).mean() < 0.003
        solid = truth[..., 3] == 1
        assert np.abs(found[solid, :3] - truth[solid, :3]).max() < 0.01
        # Beside it stands the colour of its nearest place, and no grey.
        clear = truth[..., 3] == 0
        assert np.abs(found[clear, :3] - GREY).min(-1).max() > 0.05


def test_a_layer_with_nothing_on_it_is_clear():
    haze = np.full((4, 4, 3), 0.06, np.float32)
    assert layer_of_panels(np.full((4, 4, 3), GREY, np.float32), haze)[..., 3].max() == 0
