"""What no plan can beat: bytes that must be moved, and seconds that must be waited.

**Bytes.** Cut every piece into single bytes. A byte of a piece with touches at ``i < j`` and none
between either stays from ``i`` to ``j``, and then takes room at every touch between, or it is
loaded at least once between. So the bytes that are moved are at least all bytes of all gaps less
the most that can stay, where at each touch what stays and what the touch needs fit into the room.
Each byte of a gap is an interval that counts one; to keep as many intervals as fit, go from left to
right and, whenever there are too many, drop the one that ends last (exchange: any other choice that
drops another can drop this one instead, since it covers every later touch that the other covers).
What ends after a touch ``b`` is dropped before what ends by ``b``, so the same sweep is best for
all ends ``b`` at once.

**Seconds.** Take touches ``a < b``. At the end of ``a`` the device holds, in whole or in part,
pieces that take no more than its room at ``a``, those of ``a`` among them, whatever came before.
What touches up to ``b`` need beyond that must be moved between the end of ``a`` and the start of
``b``, in the waiting before ``a+1 .. b`` or beside the compute of ``a+1 .. b-1``. By the bytes
above, with the contents at ``a`` free to choose (for ``a = 0`` they are known), this is at least
``F(a, b)``; at bandwidth ``B``

    waiting before a+1 .. b  >=  F(a, b) / B  -  compute of a+1 .. b-1.

The same holds for reading from disk, where what lies on the device or on the host need not be read,
so that the room is that of both. Windows that only share their ends add up; the best chain of
windows is found by dynamic programming. A choice of fewer windows gives a smaller bound, never a
wrong one.

**Whole pieces.** Room is taken from the first byte of a move to the last, so a room that holds
three blocks and a half counts as three; and beside a touch that leaves no room for a block, no
block can be moved, so that its compute hides nothing. Small pieces would fill every rest; so the
same is done again with only the pieces from some size on, the others taking room where they are
used and else none.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.plan.residency.model import Budget, Course, Link

MOST_SUMS = 3000
"""So many sums of sizes are looked at; beyond that room is taken to be filled to the last byte."""
MOST_SIZES = 2
"""So many sizes from which on pieces are looked at alone."""
MOST_STARTS = 24
"""So many touches at which windows of any length begin."""
NEAR = 20
"""So many touches long are windows that begin at all others."""


@dataclass(frozen=True, slots=True)
class Bound:
    """No plan waits less, copies less to the device, or reads less from disk."""

    waiting: float
    copied: int
    read: int


def bound(course: Course, budget: Budget, link: Link, starts: Iterable[int] | None = None) -> Bound:
    """The bound for a course. ``starts`` are touches at which windows begin (0 is always one);
    by default all of a short course and some of a long one."""
    begins = {0, *(_starts(course) if starts is None else starts)}
    views = [_view(course, budget, least) for least in _thresholds(course)]
    best = [0.0] * (course.size + 1)
    least = {"copied": 0, "read": 0}
    for a in range(course.size):
        best[a] = max(best[a], best[a - 1] if a else 0.0)
        for view in views:
            for kind, move, speed in (
                ("copied", view.copies, link.copy),
                ("read", view.reads, link.disk),
            ):
                if a not in begins:
                    if not move.fits:
                        _raise(best, a, _near(course, move, a), move.open, speed)
                    continue
                if a and move.fits:
                    continue
                moved = must_move(course, move.sizes, move.room, a, move.first)
                _raise(best, a, moved, move.open, speed)
                if not a:
                    least[kind] = max(least[kind], moved[-1])
    return Bound(max(best), **least)


@dataclass(frozen=True, slots=True)
class _Moves:
    """What is moved on one link: bytes by piece (0: not looked at), room by touch, what is there at
    first, and the seconds of each touch in which something can be moved. ``fits``: all at once."""

    sizes: tuple[int, ...]
    room: tuple[int, ...]
    first: tuple[int, ...]
    open: tuple[float, ...]
    fits: bool


@dataclass(frozen=True, slots=True)
class _View:
    """A course of which only the large pieces are looked at."""

    copies: _Moves
    reads: _Moves


def _view(course: Course, budget: Budget, least: int) -> _View:
    """The pieces of at least ``least`` bytes on the device."""
    used = {p for wanted in course.sets for p in wanted if course.nbytes[p] >= least}
    sizes = tuple(n if p in used else 0 for p, n in enumerate(course.nbytes))
    small = (sum(course.nbytes[p] - sizes[p] for p in wanted) for wanted in course.sets)
    rest = [budget.device - a - n for a, n in zip(course.activation, small, strict=True)]
    sums = _sums(sizes[p] for p in used)
    room = tuple(_whole(r, sums) for r in rest)
    smallest = min((sizes[p] for p in used), default=0)
    beside = (r - sum(sizes[p] for p in w) for r, w in zip(rest, course.sets, strict=True))
    # Room is taken from the first byte of a copy: beside some touches no large piece can be copied.
    hours = tuple(c if b >= smallest else 0.0 for c, b in zip(course.seconds, beside, strict=True))
    whole = sum(sizes)
    copies = _Moves(sizes, room, course.on_device, hours, whole <= min(room))
    lesser = tuple(min(n, h) for n, h in zip(sizes, course.host, strict=True))
    if any(course.host[p] != sizes[p] for p in used):
        sums = _sums(course.host[p] for p in used)
    host = _whole(budget.host - course.values, sums)
    either = tuple(r + host for r in room)
    there = tuple({*course.on_device, *course.on_host})
    reads = _Moves(lesser, either, there, course.seconds, sum(lesser) <= min(either))
    return _View(copies, reads)


def _thresholds(course: Course) -> list[int]:
    """Sizes from which on pieces are looked at: any, and those that most bytes are used in."""
    weight: dict[int, int] = {}
    for wanted in course.sets:
        for p in wanted:
            size = course.nbytes[p]
            weight[size] = weight.get(size, 0) + size
    heavy = sorted(weight, key=lambda size: (-weight[size], size))[:MOST_SIZES]
    return sorted({0, *heavy})


def _raise(
    best: list[float], a: int, moved: Sequence[int], hours: Sequence[float], speed: float
) -> None:
    """Lift what must be waited before each touch after ``a`` by the windows that begin there."""
    passed, high = 0.0, best[a]
    for k in range(1, len(moved)):
        passed += hours[a + k - 1] if k > 1 else 0.0
        waited = best[a] + moved[k] / speed - passed
        if waited > high:
            high = waited
        if high > best[a + k]:
            best[a + k] = high


def _sums(sizes: Iterable[int]) -> list[int]:
    """What pieces can take together, in order; nothing where that is too many numbers."""
    found = {0}
    for size in sizes:
        found |= {size + more for more in found}
        if len(found) > MOST_SUMS:
            return []
    return sorted(found)


def _whole(room: int, sums: Sequence[int]) -> int:
    """The most that whole pieces take of a room."""
    return sums[bisect_right(sums, room) - 1] if sums else room


def least_moved(course: Course, budget: Budget) -> tuple[int, int]:
    """Bytes that must be copied to the device and read from disk at least."""
    views = [_view(course, budget, least) for least in _thresholds(course)]

    def most(moves: Iterable[_Moves]) -> int:
        return max(must_move(course, m.sizes, m.room, 0, m.first)[-1] for m in moves)

    return most(view.copies for view in views), most(view.reads for view in views)


def _starts(course: Course) -> Iterable[int]:
    most = MOST_STARTS
    if course.size <= most:
        return range(course.size)
    return (course.size * k // most for k in range(most))


def must_move(
    course: Course,
    sizes: Sequence[int],
    room: Sequence[int],
    a: int,
    first: Sequence[int],
) -> list[int]:
    """``F(a, b)`` for ``b = a, a + 1, ...``: bytes that must be moved between the starts of ``a``
    and ``b``, where pieces take ``sizes`` bytes and all of them ``room[i]`` at touch ``i``.

    ``first`` is what is there at the beginning; it counts for ``a = 0`` alone.
    """
    end = course.size + 1
    stays: dict[int, int] = {}
    heap: list[tuple[int, int]] = []
    held = 0
    if a == 0:
        known: Iterable[int] = first
        ahead: Sequence[int] = course.following[0]
    else:
        ahead, here = _ahead(course, a), set(course.sets[a])
        known = [p for p in range(len(sizes)) if p not in here]
        held = sum(sizes[p] for p in here)
    for p in known:
        if ahead[p] < end:
            stays[p] = sizes[p]
            held += sizes[p]
            heap.append((-ahead[p], p))
    heapq.heapify(heap)
    if a:
        held = _shrink(stays, heap, held, room[a])
        held = _after(course, sizes, a, stays, heap, held)
    moved, found = 0, [0]
    for i in range(a + 1, end):
        for p in course.sets[i]:
            missing = sizes[p] - stays.pop(p, 0)
            moved += missing
            held += missing
        if held > room[i]:
            held = _shrink(stays, heap, held, room[i])
        held = _after(course, sizes, i, stays, heap, held)
        found.append(moved)
    return found


def _near(course: Course, move: _Moves, a: int) -> list[int]:
    """Less than `must_move`, for a few touches, but quickly: what they need in all beyond the
    room."""
    seen = set(course.sets[a])
    beyond = sum(move.sizes[p] for p in seen) - move.room[a]
    found = [0]
    for wanted in course.sets[a + 1 : a + 1 + NEAR]:
        for p in wanted:
            if p not in seen:
                seen.add(p)
                beyond += move.sizes[p]
        found.append(max(0, beyond))
    return found


def _ahead(course: Course, a: int) -> list[int]:
    """The first touch of each piece after ``a``."""
    end = course.size + 1
    found = [end] * len(course.names)
    missing = len(found)
    for i in range(a + 1, end):
        for p in course.sets[i]:
            if found[p] == end:
                found[p] = i
                missing -= 1
        if not missing:
            break
    return found


def _shrink(stays: dict[int, int], heap: list[tuple[int, int]], held: int, room: int) -> int:
    """Drop bytes that are needed last until the rest fits."""
    while held > room and heap:
        _, p = heap[0]
        # What was touched since has gone from ``stays`` or stands in the heap again, further back.
        there = stays.get(p, 0)
        gone = min(there, held - room)
        held -= gone
        if gone == there:
            heapq.heappop(heap)
            stays.pop(p, None)
        else:
            stays[p] = there - gone
    return held


def _after(
    course: Course,
    sizes: Sequence[int],
    i: int,
    stays: dict[int, int],
    heap: list[tuple[int, int]],
    held: int,
) -> int:
    """What touch ``i`` used may stay, all of it, until it is needed again."""
    end = course.size + 1
    for p, after in zip(course.sets[i], course.following[i], strict=True):
        if after < end:
            stays[p] = sizes[p]
            heapq.heappush(heap, (-after, p))
        else:
            held -= sizes[p]
    return held
