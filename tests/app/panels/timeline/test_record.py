"""The arithmetic of the timeline's axis, and what it shows of a job's record."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.panels.timeline.record import (
    Axis,
    Record,
    Sample,
    Span,
    neighbour,
    record_of,
    round_step,
    tick_words,
)
from app.run.timeline import Timeline
from backend.engine.events import StepDone, StepFailed, StepStarted

SECONDS = st.floats(0.01, 1e5)


def span(lane, begin, end=None, **more):
    return Span("s", "S", lane, "Image", begin, end, **more)


@given(SECONDS, SECONDS, st.floats(100, 4000), st.floats(0, 1))
def test_a_place_and_a_second_are_one_thing(begin, seconds, width, share):
    axis = Axis(begin, seconds, width)
    x = share * width
    assert axis.x(axis.second(x)) == pytest.approx(x, abs=width * 1e-6)


@given(SECONDS, st.floats(0.1, 10), st.floats(0, 1))
def test_zooming_keeps_what_is_under_the_pointer_and_stays_inside(length, factor, share):
    axis = Axis(0.0, length, 1000.0).zoomed(4, 500, length)
    before = axis.second(share * 1000)
    after = axis.zoomed(factor, share * 1000, length)
    assert 1e-3 <= after.seconds <= length * (1 + 1e-9)
    assert after.begin >= 0
    assert after.begin + after.seconds <= length * (1 + 1e-9)
    assume(after.begin > 0 and after.begin + after.seconds < length * (1 - 1e-9))
    assert after.second(share * 1000) == pytest.approx(before, rel=1e-6, abs=1e-6)


@given(SECONDS, SECONDS, st.floats(200, 3000))
def test_ticks_are_round_apart_and_in_sight(begin, seconds, width):
    axis = Axis(begin, seconds, width)
    ticks = axis.ticks(90)
    places = [axis.x(tick) for tick in ticks]
    assert all(-1 <= place <= width + 1 for place in places)
    assert all(b - a >= 89 for a, b in pairwise(places))
    assert len(ticks) <= width / 89 + 1


@pytest.mark.parametrize(
    ("least", "step"),
    [(0.3, 0.5), (0.5, 0.5), (1.1, 2), (6, 10), (12, 20), (40, 60), (70, 120), (200, 300),
     (700, 1800), (0.0011, 0.002)],
)  # fmt: skip
def test_steps_are_round(least, step):
    assert round_step(least) == pytest.approx(step)


def test_seconds_on_the_axis_are_short():
    assert tick_words(2, 2) == "2 s"
    assert tick_words(0.25, 0.05) == "0.25 s"
    assert tick_words(200, 60) == "3:20"


def test_a_jobs_record_is_shown_with_titles_rounds_and_failures():
    timeline = Timeline(12, "scene", begun=100.0)
    timeline.hear(StepStarted("loop/blur", (2,)), 101.0, "device", "Image/Filter")
    timeline.hear(StepStarted("save"), 100.5, "file", "Image/File")
    timeline.hear(StepFailed("save", "The disk is full."), 102.0)
    timeline.sample(101.0, 2 * 2**30)
    timeline.sample(102.5, 2**30)
    record = record_of(timeline, {"loop/blur": "Blur", "save": "Save"}.__getitem__, 3.0)
    save, blur = record.spans
    assert (blur.title, blur.lane, blur.begin, blur.end) == ("Blur · 2", "device", 1.0, None)
    assert (save.failed, save.begin, save.end) == (True, 0.5, 2.0)
    assert (record.length, record.peak, record.end_of(blur)) == (3.0, 2 * 2**30, 3.0)
    timeline.hear(StepDone("loop/blur", False, 1.0, {}, (2,)), 104.0)
    timeline.end(104.0)
    over = record_of(timeline, str, None)
    assert (over.length, over.now) == (4.0, None)


def test_a_record_of_nothing_is_nothing():
    assert (Record().length, Record().peak, Record().lanes()) == (0.0, 0, ())
    assert Record(samples=(Sample(2.0, 5),)).length == 2.0


def test_arrows_lead_through_lanes_and_stop_at_the_ends():
    spans = (span("cpu", 0), span("device", 1), span("device", 3), span("file", 2.9))
    assert neighbour(spans, -1, "right") == 0
    assert neighbour(spans, 1, "right") == 2
    assert neighbour(spans, 2, "right") == 2
    assert neighbour(spans, 2, "left") == 1
    assert neighbour(spans, 0, "up") == 1
    assert neighbour(spans, 1, "up") == 1
    assert neighbour(spans, 0, "down") == 3
    assert neighbour(spans, 3, "up") == 0
    assert neighbour((), -1, "left") == -1
