"""The value of a stack of layers."""

import numpy as np
import pytest

from backend.values import Layer, Layers, digest, nbytes, pack, unpack

PIXELS = np.random.default_rng(0).random((5, 7, 4), np.float32)


def stack(**changes):
    low = Layer(PIXELS, "unten", x=-3, y=2)
    return Layers(8, 6, (low, Layer(PIXELS, "層", "multiply", 0.5).but(**changes)))


def test_a_stack_travels_and_is_the_same_afterwards():
    there = unpack(pack(stack()))
    assert isinstance(there, Layers)
    assert there.names == ("unten", "層")
    assert digest(there) == digest(stack())
    assert nbytes(there) >= 2 * PIXELS.nbytes


@pytest.mark.parametrize(
    "change",
    [{"name": "x"}, {"mode": "screen"}, {"opacity": 0.4}, {"x": 1}, {"y": 1}, {"visible": False}],
)
def test_whatever_one_sees_of_a_layer_is_in_its_digest(change):
    assert digest(stack(**change)) != digest(stack())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "dissolve"}, "dissolve"),
        ({"opacity": 1.5}, "opacity"),
        ({"opacity": float("nan")}, "opacity"),
        ({"x": 1 << 30}, "pixels off"),
        ({"pixels": PIXELS[..., :3]}, "height, width, 4"),
        ({"pixels": PIXELS[:0]}, "not empty"),
    ],
)
def test_nonsense_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        stack(**change)


@pytest.mark.parametrize(("size", "count"), [((0, 5), 1), ((1 << 19, 1), 1), ((5, 5), 0)])
def test_a_stack_has_layers_and_a_canvas(size, count):
    with pytest.raises(ValueError, match=r"canvas|at least one"):
        Layers(*size, (Layer(PIXELS),) * count)


def test_there_is_a_largest_stack():
    with pytest.raises(ValueError, match="1000 layers"):
        Layers(5, 5, (Layer(PIXELS),) * 1001)


def test_nobody_changes_a_layer_behind_its_digest():
    own = PIXELS.copy()
    layer = Layer(own)
    own[:] = 0
    assert np.array_equal(layer.pixels, PIXELS)
