"""Which pieces stay between two of their uses: Belady's rule for pieces of unlike size.

A *gap* is the time between two touches of one piece that follow one another. A piece that stays
through a gap takes room at all touches in it and saves one load; so the choice is a packing of
intervals, and the rule that drops what is needed last (L. A. Belady, "A study of replacement
algorithms for a virtual-storage computer", IBM Systems Journal 5(2), 1966) is right where sizes are
alike, and where pieces could be cut it is exact (see `bound`). Pieces are whole here, so what was
dropped is then offered the room that is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Gap: TypeAlias = tuple[int, int, int]
"""Piece, the touch before, the touch after; the touch before is 0 for what is there at first."""
Rule: TypeAlias = Literal["belady", "spread"]
"""``belady`` drops what is needed last. ``spread`` keeps short gaps first, and of those that are as
long all gaps of one piece before those of another: so the pieces that stream are the same ones in
every pass, which is what the host then has to hold. It keeps every second, third, ... of a model
and not the first ones, so that the copy stream has work while what stays computes."""
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class Kept:
    """``stays[i]`` are the pieces that stay after touch ``i`` until their next one; ``loads`` the
    gaps after which a piece must be loaded, in the order of need; ``taken[i]`` is the room that
    touch ``i`` takes with its own pieces and those that stay."""

    stays: tuple[frozenset[int], ...]
    loads: tuple[Gap, ...]
    taken: Ints


def choose(
    sets: Sequence[Sequence[int]],
    following: Sequence[Sequence[int]],
    first: Sequence[int],
    sizes: Sequence[int],
    room: Ints,
    rule: Rule = "belady",
) -> Kept:
    """Choose what stays, where at touch ``i`` all pieces together may take ``room[i]`` bytes.

    ``sets[0]`` is empty, ``first`` are the pieces there at the beginning, and ``following[0]`` are
    the first touches by piece.
    """
    end = len(sets)
    if rule == "belady":
        dropped, kept = _sweep(sets, following, first, sizes, room, end)
    else:
        dropped, kept = _gaps(sets, following, first, end), []
    free = np.array(room, dtype=np.int64)
    free[1:] -= np.array([sum(sizes[p] for p in wanted) for wanted in sets[1:]], dtype=np.int64)
    cover = np.zeros(end + 1, dtype=np.int64)
    for p, i, j in kept:
        cover[i + 1] += sizes[p]
        cover[j] -= sizes[p]
    free -= np.cumsum(cover)[:end]
    place = places(following[0])
    for gap in sorted(dropped, key=lambda gap: (gap[2] - gap[1], place[gap[0]], gap)):
        p, i, j = gap
        span = free[i + 1 : j]
        if not span.size or np.minimum.reduce(span) >= sizes[p]:
            span -= sizes[p]
            kept.append(gap)
    stays: list[set[int]] = [set() for _ in range(end)]
    for p, i, _ in kept:
        stays[i].add(p)
    loads = []
    last = {p: 0 for p in first}
    for j in range(1, end):
        for p in sets[j]:
            i = last.get(p, -1)
            if i < 0 or p not in stays[i]:
                loads.append((p, max(i, 0), j))
            last[p] = j
    return Kept(tuple(map(frozenset, stays)), tuple(loads), room - free)


def places(first: Sequence[int]) -> list[float]:
    """In which order pieces are offered room: spread evenly over the order of their first touches.
    Of k numbers, those n whose n times the golden ratio has a fractional part below m / k are about
    m, and evenly spaced whatever m is."""
    place = [0.0] * len(first)
    for n, p in enumerate(sorted(range(len(first)), key=lambda p: (first[p], p))):
        place[p] = n * GOLDEN % 1
    return place


def _gaps(
    sets: Sequence[Sequence[int]],
    following: Sequence[Sequence[int]],
    first: Sequence[int],
    end: int,
) -> list[Gap]:
    """All gaps."""
    found = [(p, 0, following[0][p]) for p in first]
    for i in range(1, end):
        found += [(p, i, j) for p, j in zip(sets[i], following[i], strict=True)]
    return [gap for gap in found if gap[2] < end]


def _sweep(
    sets: Sequence[Sequence[int]],
    following: Sequence[Sequence[int]],
    first: Sequence[int],
    sizes: Sequence[int],
    room: Ints,
    end: int,
) -> tuple[list[Gap], list[Gap]]:
    """Go through the touches and drop what is needed last whenever there is too much."""
    dropped: list[Gap] = []
    kept: list[Gap] = []
    since: dict[int, int] = {}
    held = 0
    heap: list[tuple[int, int]] = []
    limit: list[int] = room.tolist()
    for p in first:
        if following[0][p] < end:
            since[p] = 0
            held += sizes[p]
            heap.append((-following[0][p], p))
    heapq.heapify(heap)
    for i in range(1, end):
        wanted = sets[i]
        for p in wanted:
            if p in since:
                kept.append((p, since.pop(p), i))
            else:
                held += sizes[p]
        # Entries of touches that are past lie below all others, so what is popped is still ahead.
        while held > limit[i] and heap:
            after, p = heapq.heappop(heap)
            if p in since:
                dropped.append((p, since.pop(p), -after))
                held -= sizes[p]
        for p, after in zip(wanted, following[i], strict=True):
            if after < end:
                since[p] = i
                heapq.heappush(heap, (-after, p))
            else:
                held -= sizes[p]
    return dropped, kept
