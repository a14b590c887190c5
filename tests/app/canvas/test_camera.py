"""The camera: from the canvas to the screen and back, whatever is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRectF, QSizeF

from app.canvas.camera import LEAST, MOST, Camera

places = st.builds(QPointF, st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
pixels = st.builds(QPointF, st.floats(0, 4000), st.floats(0, 4000))
cameras = st.builds(Camera, st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), st.floats(LEAST, MOST))
areas = st.builds(
    QRectF, st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(1, 1e4), st.floats(1, 1e4)
)


def near(one: QPointF, other: QPointF, within: float) -> bool:
    return (one - other).manhattanLength() <= within


@given(cameras, places)
def test_a_place_goes_to_the_screen_and_back(camera, place):
    assert near(camera.to_canvas(camera.to_screen(place)), place, 1e-6)


@given(cameras, areas)
def test_an_area_goes_to_the_screen_and_back(camera, area):
    back = camera.rect_to_canvas(camera.rect_to_screen(area))
    assert near(back.topLeft(), area.topLeft(), 1e-6)
    assert near(back.bottomRight(), area.bottomRight(), 1e-6)


@given(cameras, pixels, st.floats(0.01, 100))
def test_zooming_keeps_what_is_under_the_pointer(camera, at, factor):
    zoomed = camera.zoomed(factor, at)
    assert LEAST <= zoomed.zoom <= MOST
    assert near(zoomed.to_canvas(at), camera.to_canvas(at), 1e-6 / zoomed.zoom)


@given(cameras, places, st.floats(-500, 500), st.floats(-500, 500))
def test_pulling_moves_everything_by_as_many_pixels(camera, place, dx, dy):
    before, after = camera.to_screen(place), camera.moved(dx, dy).to_screen(place)
    assert near(after - before, QPointF(dx, dy), 1e-4)


@given(areas, st.floats(200, 4000), st.floats(200, 4000))
def test_what_is_to_be_shown_is_in_the_middle_and_whole(area, width, height):
    size = QSizeF(width, height)
    camera = Camera.showing(area, size)
    shown = camera.rect_to_screen(area)
    assert near(shown.center(), QPointF(width / 2, height / 2), 1e-6)
    if camera.zoom > LEAST:
        assert QRectF(0, 0, width, height).adjusted(-1, -1, 1, 1).contains(shown)


@given(cameras, cameras)
def test_a_way_between_two_views_begins_and_ends_at_them(first, last):
    for share, there in ((0.0, first), (1.0, last)):
        here = first.between(last, share)
        assert here.zoom == pytest.approx(there.zoom, rel=1e-9)
        assert here.x == pytest.approx(there.x, rel=1e-6, abs=1e-3)
        assert here.y == pytest.approx(there.y, rel=1e-6, abs=1e-3)
