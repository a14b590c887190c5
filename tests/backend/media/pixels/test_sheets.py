"""Contact sheets and batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.media.pixels.sheets import make_sheet, plan_sheet, sheet_channels, spelled
from backend.media.pixels.stacks import stack, take, unstack
from backend.sdk import UserError
from backend.values import Color, Image

BLUE, WHITE = Color(0, 0, 1), Color(1, 1, 1)


def flat(width, height, *color, count=1):
    pixels = np.broadcast_to(np.array(color, np.float32), (count, height, width, len(color)))
    return Image(pixels)


@pytest.mark.parametrize(
    ("cells", "columns", "shape"),
    [
        (1, 0, (1, 1)),
        (4, 0, (2, 2)),
        (5, 0, (3, 2)),
        (5, 5, (5, 1)),
        (5, 2, (2, 3)),
        (3, 9, (3, 1)),
    ],
)
def test_cells_fill_columns_and_rows(cells, columns, shape):
    sheet = plan_sheet(cells, (10, 6), columns, gap=2)
    assert (sheet.width, sheet.height) == (shape[0] * 12 - 2, shape[1] * 8 - 2)


@given(st.integers(1, 40), st.integers(0, 9), st.integers(0, 5), st.sampled_from([0, 12]))
def test_cells_lie_apart_and_inside_the_sheet(cells, columns, gap, label):
    sheet = plan_sheet(cells, (7, 5), columns, gap, label)
    taken = np.zeros((sheet.height, sheet.width), int)
    for index in range(cells):
        x, y = sheet.corner(index)
        taken[y : y + 5 + sheet.band, x : x + 7] += 1
    assert taken.max() == 1
    assert taken.sum() == cells * 7 * (5 + sheet.band)


def test_pictures_stand_in_order_and_centred_on_the_background():
    done = make_sheet([flat(4, 4, 1.0), flat(2, 2, 0.5, count=2)], 2, 1, BLUE).pixels[0]
    assert done.shape == (9, 9, 3)
    np.testing.assert_array_equal(done[:4, :4], np.ones((4, 4, 3)))
    np.testing.assert_array_equal(done[1:3, 6:8], np.full((2, 2, 3), 0.5))
    np.testing.assert_array_equal(done[6:8, 1:3], np.full((2, 2, 3), 0.5))
    np.testing.assert_array_equal(done[:, 4], np.broadcast_to([0, 0, 1], (9, 3)))
    np.testing.assert_array_equal(done[5:, 5:], np.broadcast_to([0, 0, 1], (4, 4, 3)))


def test_transparent_pictures_lie_over_the_background():
    done = make_sheet([flat(2, 2, 1.0, 0.0, 0.0, 0.5)], background=BLUE).pixels[0, 0, 0]
    np.testing.assert_allclose(done, [0.5, 0, 0.5])


def test_a_sheet_has_as_many_channels_as_it_needs():
    assert sheet_channels([1, 1], WHITE) == 1
    assert sheet_channels([1, 1], BLUE) == 3
    assert sheet_channels([1, 4], WHITE) == 3
    clear = make_sheet([flat(1, 1, 1.0, 0.0, 0.0)], 0, 0, Color(0, 0, 0, 0))
    assert clear.pixels[0, 0, 0].tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize(("background", "ink"), [(WHITE, 0), (Color(0, 0, 0), 1)])
def test_labels_are_written_below_their_picture_in_a_colour_that_reads(background, ink):
    pictures = [flat(80, 20, 0.5), flat(80, 20, 0.5)]
    done = make_sheet(pictures, 2, 4, background, ["seed 1", ""], 12).pixels[0, :, :, 0]
    assert done.shape == (20 + 18, 164)
    assert np.abs(done[20:, :80] - ink).min() < 0.1
    np.testing.assert_array_equal(done[20:, 80:], np.full((18, 84), 1 - ink))
    np.testing.assert_array_equal(done[:20, :80], np.full((20, 80), 0.5))


def test_a_label_that_is_too_long_is_cut_off_inside_its_cell():
    pictures = [flat(60, 10, 0.5), flat(60, 10, 0.5)]
    done = make_sheet(pictures, 2, 10, WHITE, ["a very long label " * 9, ""], 12).pixels[0]
    assert (done[10:, :60] < 0.5).any()
    np.testing.assert_array_equal(done[10:, 60:], np.ones((18, 70, 1)))
    tiny = make_sheet([flat(1, 1, 0.5)], labels=["wide"], label_size=40)
    assert tiny.width == 1


def test_letters_that_a_typeface_lacks_are_spelled_with_those_it_has():
    assert spelled("Größe 3\u00d74 é 漢", str.isascii) == "Grosse 3x4 e ?"
    assert spelled("Größe", lambda char: True) == "Größe"


def test_labels_are_the_same_bits_twice():
    def make():
        return make_sheet([flat(50, 10, 0.5)], labels=["cfg 3.5"]).pixels

    np.testing.assert_array_equal(make(), make())


def test_every_picture_needs_a_label_or_none():
    with pytest.raises(UserError, match="3 pictures and 2 labels"):
        make_sheet([flat(2, 2, 0.5, count=3)], labels=["a", "b"])


def test_a_sheet_of_nothing_is_refused():
    with pytest.raises(UserError, match="no picture for the grid"):
        make_sheet([])


def test_a_sheet_beyond_the_cap_is_refused():
    with pytest.raises(UserError, match="million"):
        plan_sheet(10_000, (1024, 1024), 0, 0)


def test_a_linear_picture_is_encoded_beside_an_srgb_one():
    light = Image(np.full((1, 1, 1, 1), 0.5, np.float32), "linear")
    done = make_sheet([flat(1, 1, 0.25), light])
    np.testing.assert_allclose(done.pixels.ravel(), [0.25, 0.735357], atol=1e-5)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_a_batch_taken_apart_and_stacked_is_the_batch(counts):
    images = [
        Image(np.random.default_rng(i).random((n, 2, 3, 3), np.float32))
        for i, n in enumerate(counts)
    ]
    batch = stack(images)
    assert batch.count == sum(counts)
    np.testing.assert_array_equal(stack(unstack(batch)).pixels, batch.pixels)
    np.testing.assert_array_equal(batch.pixels, np.concatenate([i.pixels for i in images]))


def test_channels_are_made_alike():
    batch = stack([flat(1, 1, 0.25), flat(1, 1, 0.1, 0.2, 0.3, 0.4)])
    np.testing.assert_allclose(batch.pixels[:, 0, 0], [[0.25, 0.25, 0.25, 1], [0.1, 0.2, 0.3, 0.4]])


def test_sizes_that_disagree_are_refused_with_both():
    with pytest.raises(UserError, match=r"Image 1 is 2 x 2 .*image 3 is 4 x 2"):
        stack([flat(2, 2, 0), flat(2, 2, 0), flat(4, 2, 0)])
    with pytest.raises(UserError, match="no image"):
        stack([])


@pytest.mark.parametrize(
    ("first", "number", "values"),
    [
        (0, 1, [0]),
        (-1, 1, [3]),
        (1, 2, [1, 2]),
        (1, 0, [1, 2, 3]),
        (-3, 2, [1, 2]),
        (0, 4, [0, 1, 2, 3]),
    ],
)
def test_pictures_are_taken_from_the_front_or_the_back(first, number, values):
    batch = Image(np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1))
    assert take(batch, first, number).pixels.ravel().tolist() == values


@pytest.mark.parametrize(("first", "number"), [(4, 1), (-5, 1), (2, 3), (4, 0)])
def test_what_a_batch_does_not_hold_is_refused(first, number):
    with pytest.raises(UserError, match=r"holds 4 \(0 to 3\)"):
        take(flat(1, 1, 0, count=4), first, number)
