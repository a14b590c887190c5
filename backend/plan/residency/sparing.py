"""Fewer bytes at the same waiting: what a plan would load again stays instead, where room allows.

A plan that keeps little loads far ahead, and its links rest later. How late each move could begin
without any touch starting later is counted from the end; until then its room may hold what else
would be loaded again. Moves that are given in order, each as early as its room allows, are given no
later than that (by induction: those before are given no later, and all hold their room to the same
touch as they would), so those that are left come in time. The judge has the last word.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.plan.residency.keep import Gap, Ints, Kept, places
from backend.plan.residency.lookahead import Choice, host_choice, with_bytes, write
from backend.plan.residency.machine import Machine

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Run:
    """A choice, and the machine that went by it and recorded its events."""

    choice: Choice
    machine: Machine


@dataclass(frozen=True, slots=True)
class Late:
    """The moves of one memory in order: the seconds by which each begins and ends at the latest,
    and the last touch after which it may be given for that."""

    begin: tuple[float, ...]
    end: tuple[float, ...]
    after: tuple[int, ...]


def spare(choice: Choice, machine: Machine, least: float) -> Run:
    """A choice that moves no more than ``choice``, to the device or from disk, and waits no longer
    than that did on ``machine``.

    None is taken that waits less than ``least`` seconds: what waits longer than the bound must not
    win by a choice that is not found with more memory, else more memory would cost time.
    """
    course, budget = machine.course, machine.budget
    best = _run(choice, machine, math.inf)
    place = places(course.following[0])
    late = late_copies(best)
    room = budget.device - np.array(course.activation, dtype=np.int64)
    device = more_kept(choice.device, late.after, course.on_device, course.nbytes, room, place)
    if device is not choice.device:
        host = host_choice(course, device, choice.host_bytes)
        best = _better(best, with_bytes(course, choice, device, host), least)
        late = late_copies(best)
    known = best.choice
    reads = late_reads(best, late)
    room = np.full(len(known.device.loads) + 1, budget.host - course.values, dtype=np.int64)
    host = more_kept(known.host, reads.after, course.on_host, course.host, room, place)
    if host is not known.host:
        best = _better(best, with_bytes(course, known, known.device, host), least)
    return best


def late_copies(run: Run) -> Late:
    """How late the copies of a run could be, for each touch to start when it did."""
    course, machine = run.machine.course, run.machine
    uses = [event for event in machine.events or () if event.kind == "use"]
    given = [event.touch for event in machine.events or () if event.kind == "load"]
    loads = run.choice.device.loads
    due = [uses[j - 1].start for _, _, j in loads]
    took = [course.nbytes[p] / machine.link.copy for p, _, _ in loads]
    return _late(loads, given, due, took, [0.0, *(event.end for event in uses)])


def late_reads(run: Run, copies: Late) -> Late:
    """How late the reads of a run could be, for its copies to be no later than ``copies``; the
    touches that count for the host are copies."""
    course, machine = run.machine.course, run.machine
    ends, given = [0.0], []
    for event in machine.events or ():
        if event.kind == "load":
            ends.append(event.end)
        elif event.kind == "read":
            given.append(len(ends) - 1)
    loads = run.choice.host.loads
    took = [course.host[p] / machine.link.disk for p, _, _ in loads]
    # A copy may follow its own read, but neither begin nor end before it.
    due = [
        min(copies.end[j - 1], copies.begin[j - 1] + seconds)
        for (_, _, j), seconds in zip(loads, took, strict=True)
    ]
    return _late(loads, given, due, took, ends)


def _late(
    loads: Sequence[Gap],
    given: Sequence[int],
    due: Sequence[float],
    took: Sequence[float],
    ends: Sequence[float],
) -> Late:
    """From the last move to the first, each done when it is due and before the next one begins."""
    size, free = len(loads), math.inf
    begin, end, after = [0.0] * size, [0.0] * size, [0] * size
    for n in range(size - 1, -1, -1):
        end[n] = min(due[n], free)
        begin[n] = free = end[n] - took[n]
        last = bisect_right(ends, begin[n]) - 1
        after[n] = min(max(last, given[n]), loads[n][2] - 1)
    return Late(tuple(begin), tuple(end), tuple(after))


def more_kept(
    kept: Kept,
    after: Sequence[int],
    first: Sequence[int],
    sizes: Sequence[int],
    room: Ints,
    place: Sequence[float],
) -> Kept:
    """What stays, and more where it fits beside loads that are given ``after`` these touches; what
    takes room for the shortest time is asked first. ``kept`` itself where nothing fits."""
    there = set(first)
    lent = np.zeros(room.size + 1, dtype=np.int64)
    for (p, _, j), k in zip(kept.loads, after, strict=True):
        lent[k + 1] += sizes[p]
        lent[j] -= sizes[p]
    free = room - kept.taken - np.cumsum(lent)[:-1]
    again = [
        (k - i, place[p], n)
        for n, ((p, i, _), k) in enumerate(zip(kept.loads, after, strict=True))
        if i or p in there
    ]
    saved: set[int] = set()
    for _, _, n in sorted(again):
        p, i, _ = kept.loads[n]
        span = free[i + 1 : after[n] + 1]
        if not span.size or np.minimum.reduce(span) >= sizes[p]:
            span -= sizes[p]
            saved.add(n)
    return _with(kept, saved, sizes) if saved else kept


def _with(kept: Kept, saved: set[int], sizes: Sequence[int]) -> Kept:
    """What stays, and the pieces of some loads, which are saved so."""
    stays = list(kept.stays)
    more = np.zeros(kept.taken.size + 1, dtype=np.int64)
    for n in saved:
        p, i, j = kept.loads[n]
        stays[i] |= {p}
        more[i + 1] += sizes[p]
        more[j] -= sizes[p]
    loads = tuple(gap for n, gap in enumerate(kept.loads) if n not in saved)
    return Kept(tuple(stays), loads, kept.taken + np.cumsum(more)[:-1])


def _run(choice: Choice, like: Machine, patience: float) -> Run:
    machine = Machine(like.course, like.budget, like.link, record=True)
    write(machine, choice, patience)
    return Run(choice, machine)


def _better(best: Run, choice: Choice, least: float) -> Run:
    """The best, or another choice if that moves no more on either link and waits no longer."""
    found = _run(choice, best.machine, math.nextafter(best.machine.waiting, math.inf))
    old, new = best.machine, found.machine
    in_time = new.done and least <= new.waiting <= old.waiting
    fewer = new.copied <= old.copied and new.read_bytes <= old.read_bytes
    return found if in_time and fewer else best
