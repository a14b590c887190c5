"""Boxes as masks and drawn."""

from __future__ import annotations

import numpy as np
import pytest

from backend.media.pixels.boxes import draw, masks
from backend.values import Box, Image, Layout

LAYOUT = Layout((Box(0.25, 0.5, 0.5, 0.25, "a cat"), Box(0.0, 0.0, 1.0, 0.3, "sky " * 40)), 8, 12)


def test_a_mask_covers_each_pixel_as_far_as_its_box() -> None:
    first, second = masks(LAYOUT).coverage
    assert first.shape == (12, 8)
    assert first[6:9, 2:6].min() == 1
    assert first.sum() == pytest.approx(3 * 4)
    assert second.sum() == pytest.approx(0.3 * 12 * 8, rel=1e-5)
    assert second[3, 4] == pytest.approx(0.6, abs=1e-6)


def test_soft_edges_are_half_inside_and_hard_at_the_border() -> None:
    soft = masks(Layout((Box(0.0, 0.25, 0.5, 0.5),), 64, 64), 16).coverage[0]
    assert soft[32, 0] == 1
    assert soft[32, 31] == pytest.approx(0.53, abs=0.01)
    assert soft[32, 44] == 0
    assert (np.diff(soft[32, 20:44]) <= 0).all()


def test_boxes_are_drawn_over_a_picture_of_any_size_and_kind() -> None:
    alone = draw(LAYOUT)
    assert alone.pixels.shape == (1, 12, 8, 3)
    for channels, made in ((1, 3), (3, 3), (4, 4)):
        image = Image(np.full((2, 100, 200, channels), 0.5, np.float32))
        drawn = draw(LAYOUT, image)
        assert drawn.pixels.shape == (2, 100, 200, made)
        assert np.abs(drawn.pixels[0, 45, 10, :3] - 0.5).max() < 1e-6
        assert np.abs(drawn.pixels[0, 50, 100, :3] - 0.5).max() > 0.1
        assert np.array_equal(drawn.pixels[0], drawn.pixels[1])


def test_the_smallest_pictures_are_drawn_too() -> None:
    thin = Layout((Box(0.999, 0.0, 0.001, 1.0, "edge"), Box(0.0, 0.0, 0.5, 0.5)), 1, 1)
    assert draw(thin).pixels.shape == (1, 1, 1, 3)
    assert masks(thin).coverage.shape == (2, 1, 1)
