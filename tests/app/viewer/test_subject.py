"""Every value of a run is shown in some way, and told in words."""

import numpy as np
import pytest

from app.viewer.subject import Row, figure_words, kind_of, numbers_of, rows_of, text_of, words_of
from backend.values import (
    VAE,
    Audio,
    Color,
    Conditioning,
    Guider,
    Image,
    Latent,
    Mask,
    Model,
    Noise,
    Schedule,
    Solver,
    Term,
)

TENSOR = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
CONDITIONING = Conditioning("t5", {"sequence": TENSOR}, {"guidance": 3.5})
MODEL = Model("flux", "transformer", "blake3:1", "/models/flux")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Image(np.zeros((1, 2, 2, 3))), "picture"),
        ([Mask(np.zeros((1, 2, 2)))], "picture"),
        (Latent(np.zeros((1, 4, 2, 2)), "x"), "picture"),
        ("words", "text"),
        (["a", "b"], "text"),
        (3, "figure"),
        (True, "figure"),
        (Color(1, 0, 0), "colour"),
        ([1, 2.5], "numbers"),
        (Schedule("karras", {}, 4, 0.0, (1.0, 0.5)), "numbers"),
        (Schedule("karras"), "parts"),
        (CONDITIONING, "parts"),
        ([True, False], "parts"),
        (MODEL, "parts"),
        (None, "nothing"),
        ([], "nothing"),
        ([[], []], "nothing"),
    ],
)
def test_how_a_value_is_shown(value, kind):
    assert kind_of(value) == kind


def test_a_conditioning_is_its_tensors_with_shape_and_range():
    assert rows_of(CONDITIONING) == (
        Row("sequence", "1 x 3 x 4", "0 to 11"),
        Row("guidance", "", "3.5"),
    )


def test_what_is_not_finite_is_counted():
    tensor = np.array([[1.0, np.nan, np.inf]], np.float32)
    (row,) = rows_of(Conditioning("t5", {"pooled": tensor}))
    assert row.value == "1 to 1 · 2 are not finite"


@pytest.mark.parametrize(
    "value",
    [
        MODEL,
        VAE("flux", "vae", "blake3:2", "/x"),
        Solver("euler", {"order": 2}),
        Noise("gaussian", {}, 7),
        Guider("cfg", {"scale": 3.0}, MODEL, (Term("positive", CONDITIONING),)),
        Audio(np.zeros((2, 8)), 44100),
        [CONDITIONING, CONDITIONING],
    ],
)
def test_any_other_value_is_told_part_by_part(value):
    rows = rows_of(value)
    assert rows
    assert all(isinstance(cell, str) for row in rows for cell in (row.name, row.shape, row.value))
    assert words_of(value)


def test_figures_read_as_people_write_them():
    assert [figure_words(each) for each in (True, False, 0.1 + 0.2, 7, None)] == [
        "Yes", "No", "0.3", "7", "none",
    ]  # fmt: skip


def test_texts_and_numbers_of_lists():
    assert text_of(["a", "b"]) == "a\n\nb"
    assert numbers_of([1, 2.5]) == (1.0, 2.5)
    assert numbers_of(Schedule("karras", {}, 2, 0.0, (1.0, 0.5))) == (1.0, 0.5)


def test_a_layout_is_seen_as_its_boxes():
    from app.viewer.picture import pictures_of
    from app.viewer.subject import kind_of, words_of
    from backend.values import Box, Layout

    layout = Layout((Box(0.25, 0.25, 0.5, 0.5, "a cat"),), 16384, 8192)
    assert kind_of(layout) == "picture"
    (seen,) = pictures_of(layout)
    assert (seen.width, seen.height) == (1024, 512)
    assert words_of(layout) == "1 box in 16384 x 8192"
