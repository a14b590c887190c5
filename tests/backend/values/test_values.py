"""Values are frozen: their arrays cannot be written to, and what cannot be is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.values import (
    Audio,
    Color,
    Conditioning,
    FrameFile,
    Image,
    Latent,
    Mask,
    Model,
    Patch,
    Phase,
    Schedule,
    Video,
    digest,
    freeze,
)

PIXELS = np.full((2, 3, 4, 3), 0.5, np.float32)


def arrays_of(value):
    return {
        "image": lambda: [value.pixels],
        "mask": lambda: [value.coverage],
        "latent": lambda: [value.samples, value.mask],
        "audio": lambda: [value.samples],
        "conditioning": lambda: list(value.tensors.values()),
    }[type(value).__name__.lower()]()


VALUES = [
    Image(PIXELS),
    Mask(PIXELS[..., 0]),
    Latent(PIXELS, "x", PIXELS[..., 0]),
    Conditioning("x", {"a": PIXELS}),
    Audio(PIXELS[0, 0], 8),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_arrays_are_read_only_float32_in_c_order(value):
    for array in arrays_of(value):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_whoever_keeps_the_original_cannot_change_the_value():
    original = PIXELS.copy()
    image = Image(original)
    before = digest(image)
    original[...] = 0
    assert image.pixels.max() == 0.5
    assert digest(Image(image.pixels)) == before


def test_what_is_frozen_already_is_not_copied():
    image = Image(PIXELS)
    assert Image(image.pixels).pixels is image.pixels
    assert freeze(image.pixels) is image.pixels


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64", "bool", "float16"])
def test_other_numbers_become_float32(dtype):
    assert freeze(np.ones((2, 2), dtype)).dtype == np.float32


def test_strided_arrays_become_contiguous():
    turned = Image(PIXELS.transpose(0, 2, 1, 3))
    assert turned.pixels.flags.c_contiguous
    assert (turned.height, turned.width) == (4, 3)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Image(np.zeros((2, 3, 4))), "4 dimensions"),
        (lambda: Image(np.zeros((1, 3, 4, 2))), "1, 3 or 4 channels"),
        (lambda: Image(np.zeros((1, 0, 4, 3))), "empty side"),
        (lambda: Image([["a"]]), "expected numbers"),
        (lambda: Audio(np.zeros((1, 0)), 8), "empty side"),
        (lambda: Audio(np.zeros(3), 8), "2 dimensions"),
        (lambda: Audio(np.zeros((1, 3)), 0), "at least 1 a second"),
        (lambda: Video(FrameFile("", 1, 2, 2, 3, "8", ""), 0), "above 0 frames a second"),
        (lambda: Video(FrameFile("", 0, 2, 2, 3, "8", ""), 24), "at least one frame"),
        (lambda: Mask(np.zeros((1, 2, 3, 1))), "3 dimensions"),
        (lambda: Mask(np.zeros((0, 2, 3))), "empty side"),
        (lambda: Latent(np.zeros((2, 2)), "x"), "4 or 5 dimensions"),
        (lambda: Latent(np.zeros((1, 4, 2, 2)), "x", np.zeros((2, 2))), "3 dimensions"),
    ],
)
def test_shapes_that_cannot_be_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_a_value_cannot_be_changed_but_has_a_changed_copy():
    image = Image(PIXELS, "linear")
    with pytest.raises(dataclasses.FrozenInstanceError):
        image.space = "srgb"
    assert image.but(PIXELS[:1]).space == "linear"
    assert (image.count, image.height, image.width, image.channels) == (2, 3, 4, 3)
    assert not image.has_alpha
    assert Latent(PIXELS, "x").but(sigma=2.0).sigma == 2.0
    assert Conditioning("x", {"a": PIXELS}).count == 2
    assert Conditioning("x", {}).count == 0


def test_a_conditioning_gives_way_to_later_ones():
    one, two = Conditioning("x", {"a": PIXELS}), Conditioning("x", {})
    both = Conditioning("x", {}, later=(Phase(0.3, one), Phase(0.7, two)))
    assert [both.at(done) for done in (0, 2 / 7, 3 / 10, 0.69, 7 / 10, 1)] == [
        both, both, one, one, two, two,
    ]  # fmt: skip
    assert one.at(0.9) is one


@pytest.mark.parametrize("begins", [(0.0,), (1.0,), (0.5, 0.5), (0.6, 0.4), (float("nan"),)])
def test_later_conditionings_come_in_order(begins):
    later = tuple(Phase(begin, Conditioning("x", {})) for begin in begins)
    with pytest.raises(ValueError, match="one after another"):
        Conditioning("x", {}, later=later)


def test_later_conditionings_are_of_one_space_and_flat():
    other = Conditioning("y", {})
    with pytest.raises(ValueError, match="the same space"):
        Conditioning("x", {}, later=(Phase(0.5, other),))
    with pytest.raises(ValueError, match="none themselves"):
        Conditioning(
            "y", {}, later=(Phase(0.5, Conditioning("y", {}, later=(Phase(0.7, other),))),)
        )


def test_a_changed_copy_has_a_digest_of_its_own():
    latent = Latent(PIXELS, "x")
    digest(latent)
    assert digest(latent.but(sigma=1.0)) == digest(Latent(PIXELS, "x", sigma=1.0))
    model = Model("flux", "transformer", "blake3:1", "a")
    digest(model)
    assert digest(model.with_(Patch("lora"))) != digest(model)


def test_settings_are_frozen_in_the_order_of_their_names():
    schedule = Schedule("karras", {"b": [1, 2], "a": 1})
    assert list(schedule.params.items()) == [("a", 1), ("b", (1, 2))]
    with pytest.raises(TypeError):
        schedule.params["a"] = 2


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_colours_are_read_as_they_are_written(red, green, blue, alpha):
    text = f"#{red:02x}{green:02x}{blue:02x}" + (f"{alpha:02x}" if alpha < 255 else "")
    assert Color.parse(text).hex() == text
    assert Color.parse(text.upper()) == Color.parse(text)


@pytest.mark.parametrize("text", ["", "red", "#12", "#12345", "#1234567", "#ggg", "#123456789"])
def test_what_is_no_colour_is_refused(text):
    with pytest.raises(ValueError, match="not a colour"):
        Color.parse(text)


def test_short_colours_and_colours_out_of_range():
    assert Color.parse("#f80") == Color.parse("#ff8800")
    assert Color(2, -1, 0.5).hex() == "#ff0080"


def test_a_read_only_view_of_memory_that_others_write_is_copied():
    mine = np.zeros((1, 2, 2, 3), np.float32)
    view = mine[:]
    view.setflags(write=False)
    image = Image(view)
    before = digest(image)
    mine[...] = 1
    assert image.pixels.max() == 0
    assert digest(Image(image.pixels)) == before
