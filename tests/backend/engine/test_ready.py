"""Which ready call is next: inner turns first, then by order or by rounds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backend.engine.ready import Ready


def call(name: str, level: int = 0, place: int = 0) -> Any:
    survey = SimpleNamespace(rank=[place])
    return SimpleNamespace(name=name, step=0, frame=SimpleNamespace(level=level, survey=survey))


def names(ready: Ready, count: int = 99) -> str:
    return "".join(ready.pop().name for _ in range(min(count, len(ready))))


def test_without_ranks_the_order_of_the_graph_counts() -> None:
    ready = Ready()
    for name, level, place in [("c", 0, 3), ("b", 0, 1), ("a", 1, 9), ("d", 0, 3)]:
        ready.push(call(name, level, place))
    assert names(ready) == "abcd"
    assert ready.first() is None


def test_a_round_goes_on_until_nothing_of_it_is_left() -> None:
    ready = Ready()
    for _ in range(3):
        ready.push(call("t"), 0)
    assert names(ready, 1) == "t"
    ready.push(call("s"), 1)
    assert names(ready, 2) == "tt"
    assert names(ready, 1) == "s"
    ready.push(call("t"), 0)
    ready.push(call("s"), 1)
    ready.push(call("d"), 2)
    assert names(ready) == "sdt"  # on from where it was, and round again


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=40))
def test_each_call_comes_once(calls: list[tuple[int, int]]) -> None:
    ready = Ready()
    for level, rank in calls:
        ready.push(call(f"{level}{rank} ", level), rank)
    assert len(ready) == len(calls)
    found = [ready.pop().name for _ in calls]
    assert sorted(found) == sorted(f"{level}{rank} " for level, rank in calls)
    assert len(ready) == 0
