"""Where a picture lies: what is under the pointer stays there, and 100 % is pixel for pixel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.viewer.frame import Frame

sides = st.integers(1, 5000)
views = st.integers(50, 3000)
shares = st.floats(0.1, 0.9)


@given(width=sides, height=sides, across=views, down=views)
def test_fitted_the_whole_picture_is_seen_in_the_middle(width, height, across, down):
    frame = Frame(width, height, across, down).fitted(16)
    left, top = frame.corner
    wide, high = frame.drawn
    if frame.scale > 1 / 64 and frame.scale < 64:
        assert left >= 15
        assert top >= 15
        assert left + wide <= across - 15
        assert top + high <= down - 15
    assert abs(left + wide / 2 - across / 2) <= 1
    assert abs(top + high / 2 - down / 2) <= 1


@given(sides, sides, shares, shares, st.floats(0.05, 30))
def test_zooming_holds_the_point_under_the_pointer(width, height, right, below, scale):
    frame = Frame(width, height, 800, 600).fitted(16)
    left = frame.corner[0] + right * frame.drawn[0]
    top = frame.corner[1] + below * frame.drawn[1]
    before = frame.to_picture(left, top)
    zoomed = frame.zoomed(scale, left, top)
    if 0 < zoomed.x < width and 0 < zoomed.y < height:  # else it was kept from getting lost
        # The picture lies on whole device pixels and is whole pixels large.
        near = 1.5 / zoomed.scale + 1.5 * width / max(1, frame.drawn[0] * frame.drawn[0])
        assert zoomed.to_picture(left, top) == pytest.approx(before, abs=near + 0.01 * max(before))


@given(sides, sides, st.floats(-5000, 5000), st.floats(-5000, 5000))
def test_at_100_percent_pixels_lie_on_device_pixels(width, height, right, down):
    frame = Frame(width, height, 801, 601, 1.0, width / 2, height / 2).panned(right, down)
    assert frame.drawn == (width, height)
    x, y = frame.to_view(0, 0)
    assert x == int(x)
    assert y == int(y)


@given(st.lists(st.tuples(st.floats(-4000, 4000), st.floats(-4000, 4000)), max_size=6))
def test_a_picture_is_never_lost(moves):
    frame = Frame(640, 480, 300, 200).fitted(16)
    for right, down in moves:
        frame = frame.panned(right, down)
    left, top = frame.corner
    assert left < 300
    assert top < 200
    assert left + frame.drawn[0] > 0
    assert top + frame.drawn[1] > 0


def test_there_and_back_is_the_same_point():
    frame = Frame(640, 480, 300, 200, 0.37, 100, 50)
    assert frame.to_view(*frame.to_picture(12, 34)) == pytest.approx((12, 34))


def test_a_wheel_rests_at_100_percent():
    frame = Frame(640, 480, 300, 200, 0.8, 100, 50)
    assert frame.turned(2**0.5, 10, 10).scale == 1
    assert Frame(640, 480, 300, 200, 1.0).turned(2**0.5, 10, 10).scale == 2**0.5
