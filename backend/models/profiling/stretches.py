"""How long the stretches of a call take on the CPU, from one layer's border to the next.

A dispatch mode costs more for each operator than Python takes to call one, so what lies between
operators cannot be timed under it. A stretch can: it takes two looks at the clock in each layer,
whose cost is known. A stretch's time is that of the operators in it, and of
getting to them: Python's part of a layer belongs to the layer. Within a stretch each operator has
the share that it had under the mode. What Python does beside, long enough to be no way to an
operator, belongs to none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter_ns
from typing import Any

WAY = 100_000
"""Nanoseconds: the longest way from one operator to the next, under the mode, on a slow machine."""


@dataclass(frozen=True)
class Clocked:
    """One call under the mode, in nanoseconds: when it began, when each operator began and ended,
    and how many operators there were at each border."""

    began: int
    operators: Sequence[tuple[int, int]]
    borders: Sequence[int]

    @property
    def own(self) -> list[int]:
        """The time within each operator."""
        return [ended - began for began, ended in self.operators]

    @property
    def ways(self) -> list[int]:
        """The time before each operator in which none ran."""
        ends = [self.began, *(ended for _, ended in self.operators)]
        return [began - before for before, (began, _) in zip(ends, self.operators, strict=False)]


@contextmanager
def marked(net: Any, now: Callable[[], int]) -> Iterator[list[int]]:
    """What ``now`` says wherever a layer, a module without modules in it, begins and ends."""
    found: list[int] = []
    every = () if net is None else net.modules()
    layers = [layer for layer in every if next(layer.children(), None) is None]
    before = [layer.__dict__.get("forward") for layer in layers]
    for layer in layers:
        layer.forward = _between(layer.forward, found.append, now)
    try:
        yield found
    finally:
        for layer, own in zip(layers, before, strict=True):
            if own is None:
                del layer.forward
            else:
                layer.forward = own


def _between(
    forward: Callable[..., Any], add: Callable[[int], None], now: Callable[[], int]
) -> Callable[..., Any]:
    @functools.wraps(forward)  # its signature is looked at
    def call(*args: Any, **kwargs: Any) -> Any:
        add(now())
        out = forward(*args, **kwargs)
        add(now())
        return out

    return call


def borders_of(call: Callable[[], Any], net: Any) -> list[int]:
    """When, in nanoseconds, a call begins, passes each border, and ends, less what it costs to
    look at the clock."""
    with marked(net, perf_counter_ns) as times:
        began = perf_counter_ns()
        call()
        ended = perf_counter_ns()
    cost = _cost()
    return [passed - i * cost for i, passed in enumerate([began, *times, ended])]


def _cost() -> int:
    """Nanoseconds of one of the two borders of a layer that does nothing: the least of a few."""
    times: list[int] = []
    layer, taken = _between(lambda: None, times.append, perf_counter_ns), []
    for _ in range(20):
        began = perf_counter_ns()
        for _ in range(20):
            layer()
        taken.append(perf_counter_ns() - began)
    return min(taken) // 40


def shared_out(clocked: Sequence[Clocked], times: Sequence[int]) -> list[float]:
    """Seconds of each operator: ``times`` are the borders of one call, whose stretches are shared
    out among their operators as in the calls under the mode.

    Raises:
        ValueError: the calls differ in their operators or borders.
    """
    first = clocked[0]
    alike = all(c.borders == first.borders and len(c.own) == len(first.own) for c in clocked)
    if not alike or len(times) != len(first.borders) + 2:
        raise ValueError("the calls differ")
    # The least of all calls: what another program disturbed once would weigh too much.
    own = [max(min(each), 1) for each in zip(*(c.own for c in clocked), strict=True)]
    ways = [min(each) for each in zip(*(c.ways for c in clocked), strict=True)]
    found: list[float] = []
    waited = 0
    for (begin, end), (left, right) in zip(
        pairwise([0, *first.borders, len(own)]), pairwise(times), strict=True
    ):
        waited += right - left
        if begin == end:
            continue  # nothing but the way to the next operator
        beside = sum(max(way - WAY, 0) for way in ways[begin:end])
        each = waited / (sum(own[begin:end]) + beside)
        found += [each * spent / 1e9 for spent in own[begin:end]]
        waited = 0
    return found
