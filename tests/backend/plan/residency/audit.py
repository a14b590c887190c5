"""Checks what happened once more, from the events alone and without the machine that made them."""

from __future__ import annotations

from collections.abc import Sequence

from backend.plan.residency.machine import Event
from backend.plan.residency.model import Budget, Course, Link

SLACK = 1e-9


def audit(course: Course, budget: Budget, link: Link, events: Sequence[Event]) -> tuple[int, int]:
    """The peaks of device and host; raises ``AssertionError`` where a rule is broken."""
    uses = [event for event in events if event.kind == "use"]
    assert [event.number for event in uses] == list(range(1, course.size + 1))
    _streams(course, link, events)
    ended = 0.0
    changes: list[tuple[float, int, int]] = []
    for event in uses:
        assert event.start >= ended - SLACK
        assert abs(event.end - event.start - course.seconds[event.number]) <= SLACK
        changes += [(ended, 1, course.activation[event.number])]
        changes += [(event.end, 0, -course.activation[event.number])]
        ended = event.end
    device = _spans(course.on_device, events, "load", "evict", ended)
    host = _spans(course.on_host, events, "read", "drop", ended)
    for event in uses:
        for p in course.sets[event.number]:
            assert any(
                ready <= event.start + SLACK and gone >= event.end - SLACK
                for _, ready, gone in device.get(p, ())
            ), (event, course.names[p])
    for event in events:
        if event.kind == "load":
            assert any(
                begun <= event.start + SLACK
                and ready <= event.end + SLACK
                and gone >= event.end - SLACK
                for begun, ready, gone in host.get(event.number, ())
            ), event
    peaks = (
        _peak(changes, device, course.nbytes),
        course.values + _peak([], host, course.host),
    )
    assert peaks[0] <= budget.device
    assert peaks[1] <= budget.host
    return peaks


def _streams(course: Course, link: Link, events: Sequence[Event]) -> None:
    for kind, sizes, speed in (
        ("load", course.nbytes, link.copy),
        ("read", course.host, link.disk),
    ):
        free = 0.0
        for event in events:
            if event.kind == kind:
                assert event.start >= free - SLACK
                assert event.end - event.start >= sizes[event.number] / speed - SLACK
                free = event.end


def _spans(
    first: Sequence[int], events: Sequence[Event], come: str, go: str, end: float
) -> dict[int, list[tuple[float, float, float]]]:
    """For each piece, when its room is taken, when it is ready, and when it goes."""
    found = {p: [(0.0, 0.0, end)] for p in first}
    for event in events:
        if event.kind == come:
            found.setdefault(event.number, []).append((event.start, event.end, max(end, event.end)))
        elif event.kind == go:
            begun, ready, _ = found[event.number][-1]
            assert event.end >= ready - SLACK
            found[event.number][-1] = (begun, ready, event.end)
    return found


def _peak(
    changes: Sequence[tuple[float, int, int]],
    spans: dict[int, list[tuple[float, float, float]]],
    sizes: Sequence[int],
) -> int:
    steps = list(changes)
    for p, known in spans.items():
        for begun, _, gone in known:
            steps += [(begun, 1, sizes[p]), (gone, 0, -sizes[p])]
    held = peak = 0
    # Times that differ by rounding alone count as one; what goes then goes first.
    for _, _, more in sorted((round(t, 9), n, m) for t, n, m in steps):
        held += more
        peak = max(peak, held)
    return peak
