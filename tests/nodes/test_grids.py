"""The nodes of nodes/grids.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.sdk import Color, Image, UserError, facts_of
from nodes.grids import batch_images, grid, take_images, unbatch_images
from tests.nodes.image_bench import (
    QuietContext,
    colors,
    forecast,
    picture,
    pictures,
    run_as_forecast,
)

rows = st.lists(pictures, max_size=3).map(tuple)


@given(
    rows, st.integers(0, 4), st.integers(0, 3), colors, st.sampled_from([None, "right", "wrong"])
)
@settings(deadline=None, max_examples=60)
def test_grid_gives_or_refuses_what_its_facts_say(images, columns, gap, background, labelled):
    cells = sum(image.count for image in images)
    labels = {None: None, "right": ["cfg 3.5"] * cells, "wrong": ["one"] * (cells + 1)}[labelled]
    run_as_forecast(
        grid,
        {"images": images, "labels": labels},
        columns=columns,
        gap=gap,
        background=background,
        label_size=8,
    )


@given(rows, pictures, st.integers(1, 3), st.booleans())
@settings(deadline=None)
def test_batch_images_gives_or_refuses_what_its_facts_say(images, one, length, fits):
    if fits:
        images = tuple(picture(one.width, one.height, i.channels, i.count) for i in images)
    run_as_forecast(batch_images, {"images": (*images, one)[:length]})


@given(pictures)
def test_unbatch_images_gives_what_its_facts_say(image):
    parts = run_as_forecast(unbatch_images, {"image": image})
    together = batch_images(QuietContext(), *parts)
    np.testing.assert_array_equal(together.pixels, image.pixels)


@given(pictures, st.integers(-4, 4), st.integers(0, 4))
def test_take_images_gives_or_refuses_what_its_facts_say(image, first, number):
    run_as_forecast(take_images, {"image": image}, first=first, number=number)


def test_pictures_stand_in_the_order_of_their_links():
    one, two, three = (Image(np.full((1, 1, 1, 1), v, np.float32)) for v in (0.1, 0.2, 0.3))
    done = grid(QuietContext(), one, two, three, columns=3, gap=0)
    np.testing.assert_allclose(done.pixels.ravel(), [0.1, 0.2, 0.3])


def test_a_list_of_four_is_two_by_two():
    facts = grid.hooks["facts"](
        type("P", (), {"columns": 0, "gap": 8, "background": Color(1, 1, 1), "label_size": 16}),
        images=(facts_of("Image", width=64, height=64, channels=3, count=1).listed(4),),
        labels=facts_of("Text").listed(4),
    )
    assert (facts.width, facts.height, facts.channels, facts.count) == (136, 184, 3, 1)


def test_what_is_not_known_stays_unknown():
    listed = facts_of("Image", width=64, height=64, channels=3, count=1).listed()
    params = {"columns": 0, "gap": 8, "background": Color(1, 1, 1), "label_size": 16}
    p = type("P", (), params)
    assert grid.hooks["facts"](p, images=(listed,)).width is None
    assert grid.hooks["facts"](p, images=(listed,)).channels == 3
    some = picture(4, 4)
    assert forecast(grid, {"images": (some,)}, background=None).channels is None
    assert forecast(grid, {"images": (some,)}, columns=None).width is None
    assert forecast(unbatch_images, {"image": None}).length is None
    assert forecast(take_images, {"image": some}, first=None).count is None
    assert batch_images.hooks["facts"](p, images=(listed,)).count is None


def test_a_grid_of_nothing_and_a_batch_of_nothing_are_refused():
    with pytest.raises(UserError, match="no picture for the grid"):
        grid(QuietContext())
    with pytest.raises(UserError, match="no image to put into the batch"):
        batch_images(QuietContext())


def test_a_cancel_is_seen_between_cells():
    context = QuietContext(stop_after=2)
    with pytest.raises(InterruptedError):
        grid(context, picture(4, 4, count=9))
    assert context.checks == 3
