"""A long trace planned part by part, so that it takes time in step with its length."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from backend.plan.needs import Needs
from backend.plan.residency.bound import Bound, bound
from backend.plan.residency.model import Budget, Link, Piece, Trace, Use, lay_out
from backend.plan.residency.planner import plan
from backend.plan.residency.report import Action, Misfit, Plan
from backend.plan.stretch import MOST_BLOCKS, Stretch

MOVES = ("read", "load", "stream")
"""Kinds of actions by which a piece comes."""
_TAIL = 400
"""Calls of blocks that are looked at beyond the end of a part, so that what is needed there stays.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Some stretches in a row, planned: which of all is the first, when each ends, and what is
    moved for it or let go of meanwhile. ``limit`` is what no plan of them can beat, ``device`` and
    ``host`` are the pieces that are there when it is over."""

    first: int
    ends: tuple[float, ...]
    actions: tuple[tuple[Action, ...], ...]
    device_peak: int
    host_peak: int
    limit: Bound
    device: tuple[str, ...]
    host: tuple[str, ...]

    def came_to(self, laid: Sequence[Stretch]) -> Bound:
        """What the plan has of what the limit tells, each stretch counted once."""
        mine = laid[self.first : self.first + len(self.ends)]
        compute = sum(each.use.seconds * each.use.repeat for each in mine)
        return Bound(
            max(self.ends[-1] - compute, 0.0),
            sum(a.nbytes for row in self.actions for a in row if a.kind in ("load", "stream")),
            sum(a.nbytes for row in self.actions for a in row if a.kind == "read"),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """Plans stretches part by part, each with a look at what comes after it."""

    needs: Needs
    laid: tuple[Stretch, ...]
    budget: Budget
    link: Link
    here: Sequence[str]

    def parts(self) -> Iterator[Part | Misfit]:
        """The parts in order; a misfit ends them."""
        pieces = {p.id: p for c in self.needs.components.values() for p in c.pieces}
        device = tuple(p.id for n in self.here for p in self.needs.components[n].pieces)
        host: tuple[str, ...] = ()
        known: dict[object, tuple[Plan, Bound]] = {}
        sizes = [len(s.use.needs) * s.use.repeat for s in self.laid]
        first = 0
        while first < len(self.laid):
            end = _reach(sizes, first, MOST_BLOCKS)
            tail = _reach(sizes, end, _TAIL) if end < len(sizes) else end
            trace = _trace([s.use for s in self.laid[first:tail]], pieces, device, host)
            key = (trace, end - first)
            if key not in known:
                known[key] = self._planned(trace, end - first, pieces, first == 0)
            made, limit = known[key]
            if made.misfit is not None:
                yield made.misfit
                return
            part = _cut(made, limit, first, trace, sizes[first:end])
            yield part
            device, host, first = part.device, part.host, end

    def _planned(
        self, trace: Trace, count: int, pieces: Mapping[str, Piece], begins: bool
    ) -> tuple[Plan, Bound]:
        made = plan(trace, self.budget, self.link, tries=1)
        if made.misfit is not None or (begins and count == len(trace.uses)):
            return made, made.bound
        # A later part may begin with anything on the device; so its bound, and only so, adds up.
        uses = trace.uses[:count]
        names = tuple(dict.fromkeys(p for use in uses for row in use.needs for p in row))
        device, host = (trace.on_device, trace.on_host) if begins else (names, names)
        free = _trace(uses, pieces, device, host)
        return made, bound(lay_out(free), self.budget, self.link)


def _reach(sizes: Sequence[int], first: int, most: int) -> int:
    """How far one gets from ``first`` with so many blocks; at least one step further."""
    total, end = 0, first
    while end < len(sizes) and (end == first or total + sizes[end] <= most):
        total += sizes[end]
        end += 1
    return end


def _trace(
    uses: Sequence[Use],
    pieces: Mapping[str, Piece],
    device: Sequence[str],
    host: Sequence[str],
) -> Trace:
    named = dict.fromkeys(p for use in uses for row in use.needs for p in row)
    named |= dict.fromkeys((*device, *host))
    known = tuple(pieces[name] for name in named)
    return Trace(known, tuple(uses), tuple(device), tuple(host))


def _cut(made: Plan, limit: Bound, first: int, trace: Trace, sizes: Sequence[int]) -> Part:
    """The uses of a plan that belong to a part, each with what is moved for it, which may be long
    before it begins, and with what is let go of meanwhile."""
    until = list(accumulate(sizes))
    ends = [action.end for action in made.actions if action.kind == "use"][: len(sizes)]
    wanted: dict[str, list[int]] = {}
    for k, use in enumerate(trace.uses[: len(sizes)]):
        for piece in dict.fromkeys(piece for row in use.needs for piece in row):
            wanted.setdefault(piece, []).append(k)
    rows: list[list[Action]] = [[] for _ in sizes]
    given = [a for a in made.actions if a.kind not in ("use", "keep") and a.after <= until[-1]]
    for action in given:
        now = bisect_left(until, max(action.after, 1))
        if action.kind in MOVES:
            later = wanted.get(action.what, [])
            at = bisect_left(later, now)
            now = later[at] if at < len(later) else now
        rows[now].append(action)
    return Part(
        first, tuple(ends), tuple(map(tuple, rows)), made.device_peak, made.host_peak, limit,
        *_after(given, trace.on_device, trace.on_host),
    )  # fmt: skip


def _after(
    actions: Iterable[Action], device: Iterable[str], host: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is on the device and on the host when these are done, in the order in which they are
    given."""
    there, held = dict.fromkeys(device), dict.fromkeys(host)
    for action in actions:
        place = held if action.kind in ("read", "drop") else there
        if action.kind in ("evict", "drop"):
            place.pop(action.what, None)
        else:
            place[action.what] = None
    return tuple(there), tuple(held)
