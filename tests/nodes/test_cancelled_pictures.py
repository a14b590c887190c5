"""Every node that works on pixels asks often whether to go on, and ends where it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import pytest

from backend.media.bands import VALUES, Check
from backend.media.pixels import batches
from backend.sdk import Context
from backend.values import Float32
from nodes import compositing, filters, geometry, grids, masks
from tests.backend.media.banded import banded
from tests.nodes.image_bench import QuietContext, coverage, picture

WIDTH, HEIGHT = 1300, 1100
NODES: dict[str, Callable[[Context, Any, Any], Any]] = {
    "blur": lambda c, i, m: filters.blur(c, i, 2.0),
    "wide blur": lambda c, i, m: filters.blur(c, i, 20.0),
    "sharpen": lambda c, i, m: filters.sharpen(c, i),
    "levels": lambda c, i, m: filters.levels(c, i, gamma=1.5),
    "adjust": lambda c, i, m: filters.adjust(c, i, brightness=1.1),
    "grayscale": lambda c, i, m: filters.grayscale(c, i),
    "invert": lambda c, i, m: filters.invert(c, i),
    "resize": lambda c, i, m: geometry.resize(c, i, width=1500, height=1000, mode="stretch"),
    "resize and pad": lambda c, i, m: geometry.resize(c, i, width=1600, height=800, mode="pad"),
    "crop": lambda c, i, m: geometry.crop(c, i, width=1200, height=1000),
    "pad": lambda c, i, m: geometry.pad(c, i, left=9, top=9),
    "pad by mirrors": lambda c, i, m: geometry.pad(c, i, left=9, top=9, fill="reflect"),
    "turn": lambda c, i, m: geometry.turn(c, i),
    "composite": lambda c, i, m: compositing.composite(c, i, i, mask=m),
    "blend": lambda c, i, m: compositing.blend(c, i, i, mode="screen"),
    "solid_image": lambda c, i, m: compositing.solid_image(c, width=WIDTH, height=HEIGHT),
    "split_alpha": lambda c, i, m: compositing.split_alpha(c, i),
    "join_alpha": lambda c, i, m: compositing.join_alpha(c, i, m),
    "combine_masks": lambda c, i, m: masks.combine_masks(c, m, m),
    "grow_mask": lambda c, i, m: masks.grow_mask(c, m, radius=2),
    "shrink_mask": lambda c, i, m: masks.grow_mask(c, m, radius=-2),
    "feather_mask": lambda c, i, m: masks.feather_mask(c, m),
    "invert_mask": lambda c, i, m: masks.invert_mask(c, m),
    "mask_from_image": lambda c, i, m: masks.mask_from_image(c, i),
    "mask_from_color": lambda c, i, m: masks.mask_from_color(c, i),
    "mask_to_image": lambda c, i, m: masks.mask_to_image(c, m),
    "rectangle": lambda c, i, m: masks.shape_mask(c, i, "rectangle"),
    "ellipse": lambda c, i, m: masks.shape_mask(c, i, "ellipse"),
    "stack": lambda c, i, m: grids.batch_images(c, i, i),
    "unstack": lambda c, i, m: grids.unbatch_images(c, i),
    "take": lambda c, i, m: grids.take_images(c, i, number=1),
    "grid": lambda c, i, m: grids.grid(c, i, i),
}


COPIES = ("crop", "turn", "solid_image", "split_alpha", "mask_to_image", "unstack", "take")
"""Nodes that only copy."""


@contextmanager
def copying_unasked() -> Iterator[None]:
    """What is asked while results are put into batches does not count."""

    def put(check: Check, place: Float32, values: Float32) -> None:
        place[:] = values

    with mock.patch.object(batches, "put", put):
        yield


@pytest.mark.parametrize("name", NODES)
def test_it_is_asked_for_every_million_numbers_and_stops_where_it_is_told_to(name: str) -> None:
    image, mask = picture(WIDTH, HEIGHT, 4), coverage(WIDTH, HEIGHT)
    context = QuietContext()
    with copying_unasked() if name not in COPIES else nullcontext():
        made = NODES[name](context, image, mask)
    parts = made if isinstance(made, (list, tuple)) else [made]
    numbers = sum(getattr(p, "pixels", getattr(p, "coverage", None)).size for p in parts)
    assert context.checks >= numbers / VALUES
    for stop in (1, context.checks // 2, context.checks - 1):
        cancelled = QuietContext(stop_after=stop)
        with pytest.raises(InterruptedError):
            NODES[name](cancelled, image, mask)
        assert cancelled.checks == stop + 1


SMALL: dict[str, Callable[[Context, Any, Any], Any]] = {
    **NODES,
    "blur in light": lambda c, i, m: filters.blur(c, i, 2.0, linear=True),
    "blur with alpha": lambda c, i, m: filters.blur(c, clear(i, m), 2.0),
    "sharpen with alpha": lambda c, i, m: filters.sharpen(c, clear(i, m)),
    "grayscale with alpha": lambda c, i, m: filters.grayscale(c, clear(i, m)),
    "resize": lambda c, i, m: geometry.resize(c, i, width=33, height=22, mode="stretch"),
    "resize in light": lambda c, i, m: geometry.resize(c, i, width=33, linear=True),
    "resize with alpha": lambda c, i, m: geometry.resize(c, clear(i, m), width=33),
    "resize and pad": lambda c, i, m: geometry.resize(c, i, width=40, height=22, mode="pad"),
    "resize to points": lambda c, i, m: geometry.resize(c, clear(i, m), width=33, filter="nearest"),
    "crop": lambda c, i, m: geometry.crop(c, i, width=20, height=18),
    "solid_image": lambda c, i, m: compositing.solid_image(c, width=30, height=20),
    "split_alpha": lambda c, i, m: compositing.split_alpha(c, clear(i, m)),
    "composite on alpha": lambda c, i, m: compositing.composite(c, i, clear(i, m), mask=m),
    "alpha of no alpha": lambda c, i, m: masks.mask_from_image(c, i, channel="alpha"),
    "grow_mask widely": lambda c, i, m: masks.grow_mask(c, m, radius=9),
    "grid of two kinds": lambda c, i, m: grids.grid(c, clear(i, m), i),
    "stack of two kinds": lambda c, i, m: grids.batch_images(c, clear(i, m), i),
}


def clear(image: Any, mask: Any) -> Any:
    """A picture that can be seen through."""
    return compositing.join_alpha(QuietContext(), image, mask)


ASKED = {
    "blur": 18,
    "wide blur": 56,
    "sharpen": 34,
    "levels": 30,
    "adjust": 30,
    "grayscale": 20,
    "invert": 30,
    "resize": 96,
    "resize and pad": 134,
    "crop": 8,
    "pad": 44,
    "pad by mirrors": 30,
    "turn": 12,
    "composite": 44,
    "blend": 44,
    "solid_image": 7,
    "split_alpha": 18,
    "join_alpha": 36,
    "combine_masks": 10,
    "grow_mask": 34,
    "shrink_mask": 54,
    "feather_mask": 8,
    "invert_mask": 10,
    "mask_from_image": 20,
    "mask_from_color": 20,
    "mask_to_image": 4,
    "rectangle": 2,
    "ellipse": 16,
    "stack": 28,
    "unstack": 14,
    "take": 7,
    "grid": 80,
    "blur in light": 46,
    "blur with alpha": 64,
    "sharpen with alpha": 86,
    "grayscale with alpha": 42,
    "resize in light": 126,
    "resize with alpha": 186,
    "resize to points": 128,
    "composite on alpha": 56,
    "alpha of no alpha": 4,
    "grow_mask widely": 110,
    "grid of two kinds": 86,
    "stack of two kinds": 34,
}
"""How often each asks on two pictures of 30 x 20 in bands of 300 numbers: each of its loops over
rows, items or channels does. Where a node is written anew the number may change; when it falls, see
that no loop was forgotten."""


@pytest.mark.parametrize("name", SMALL)
def test_none_of_its_loops_over_rows_has_forgotten_to_ask(name: str) -> None:
    image, mask = picture(30, 20, 3, 2), coverage(30, 20, 2)
    context = QuietContext()
    with banded(300):
        SMALL[name](context, image, mask)
    assert context.checks >= ASKED[name]
