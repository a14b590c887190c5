"""From needs to the steps of a trace, in the order by which each component is loaded least often.

A step that needs a thousand passes of a network is much the same in each of them, and to plan takes
time for every block that is called. So what repeats is laid out a few times only, and each of these
*stretches* counts for as many as it stands for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from backend.plan.needs import Need, Needs, Used
from backend.plan.residency.model import Budget, Link, Use
from backend.plan.residency.order import Room, Task, arrange

MOST_BLOCKS = 1000
"""Calls of blocks that are planned at once, which takes about half a second."""
MOST_TASKS = 300
"""Turns of steps that are put in order one by one; of more, those that are alike go together."""
ALIKE = 8
"""So many steps in a row that need the same of the same are laid out as one."""
GROUPS = 16
"""So many parts the turns of a zone are cut into, where they may be done in any order."""
_LIMITS = ((1 << 40, 1 << 40), (16, 8), (8, 3), (4, 3))
"""Passes of a network and calls of a step that are laid out at most: the first pair with which all
fits into ``MOST_BLOCKS``."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A step's turn in the order: its place in the needs, its calls, and for how many such turns it
    stands."""

    need: int
    calls: int
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Turns in a row that are alike: of which steps, by their places in the needs, their calls, and
    for how many such batches it stands."""

    needs: tuple[int, ...]
    calls: int
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A step of the trace: of which batch, and for how many like it it stands."""

    use: Use
    batch: int
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class Order:
    """The turns of all steps in order, and the most bytes of results that lie between them."""

    batches: tuple[Batch, ...]
    values: int


def in_order(needs: Needs, budget: Budget, seconds: Mapping[str, float]) -> Order:
    """The order of all turns of all steps; ``seconds`` is what it takes to load each component."""
    entries: dict[str, Entry] = {}
    turns: list[list[str]] = []
    for number, need in enumerate(needs.needs):
        row = list(_turns(number, need))
        turns.append([f"{number} {k}" for k in range(len(row))])
        entries |= dict(zip(turns[-1], row, strict=True))
    numbers = {need.step: number for number, need in enumerate(needs.needs)}
    tasks = [
        task
        for number in range(len(turns))
        for task in _tasks(needs.needs, numbers, turns, entries, number)
    ]
    whole = sum(component.held for component in needs.components.values())
    together = len(needs.components) if whole <= budget.device else 1
    bundled, members = _bundled(tasks)
    order = arrange(bundled, Room(budget.host), seconds, max(together, 1))
    row = [entries[name] for bundle in order.tasks for name in members[bundle]]
    return Order(tuple(_batches(row, needs.needs)), order.peak)


def _bundled(tasks: Sequence[Task]) -> tuple[list[Task], dict[str, list[str]]]:
    """At most about ``MOST_TASKS`` tasks, and which each stands for. Those go together that need
    the same components and have as many tasks before them, so that none waits for itself."""
    if len(tasks) <= MOST_TASKS:
        return list(tasks), {task.id: [task.id] for task in tasks}
    depth = _depths(tasks)
    kinds: dict[tuple[int, frozenset[str]], list[Task]] = {}
    for task in tasks:
        kinds.setdefault((depth[task.id], task.needs), []).append(task)
    size = -(-len(tasks) // MOST_TASKS)
    rows = [row[k : k + size] for row in kinds.values() for k in range(0, len(row), size)]
    stands = {task.id: row[0].id for row in rows for task in row}
    bundled = [
        Task(
            row[0].id,
            row[0].job,
            row[0].needs,
            tuple(dict.fromkeys(stands[name] for task in row for name in task.after)),
            sum(task.result for task in row),
            sum(task.seconds for task in row),
        )
        for row in rows
    ]
    return bundled, {row[0].id: [task.id for task in row] for row in rows}


def _depths(tasks: Sequence[Task]) -> dict[str, int]:
    """How many tasks stand before each in its longest chain. Tasks come behind those they read but
    for turns of zones, so all are looked at again until none has moved."""
    depth = dict.fromkeys((task.id for task in tasks), 0)
    changed = True
    while changed:
        changed = False
        for task in tasks:
            least = max((depth[name] + 1 for name in task.after), default=0)
            if least > depth[task.id]:
                depth[task.id], changed = least, True
    return depth


def _batches(entries: Sequence[Entry], needs: Sequence[Need]) -> Iterator[Batch]:
    """Turns of one step that follow one another as one, and many alike steps too."""

    def like(entry: Entry) -> tuple[object, ...]:
        need = needs[entry.need]
        return need.uses, need.activation, need.seconds, entry.times

    for _, group in groupby(entries, key=like):
        row = list(group)
        numbers = tuple(dict.fromkeys(entry.need for entry in row))
        if row[0].times == 1 and len(numbers) >= ALIKE:
            yield Batch(numbers, sum(entry.calls for entry in row))
            continue
        for number, own in groupby(row, key=lambda entry: entry.need):
            turns = list(own)
            if turns[0].times == 1:
                yield Batch((number,), sum(entry.calls for entry in turns))
            else:
                yield from (Batch((number,), one.calls, one.times) for one in turns)


def _turns(number: int, need: Need) -> Iterable[Entry]:
    """The turns of a step in the outermost zone around it; those of zones in between are calls."""
    if not need.turns or not need.calls:
        return
    if not need.loops:
        yield Entry(number, need.calls)
        return
    outer, turns = need.loops[0], need.loops[0].turns
    calls = need.calls * (need.turns // turns)
    if outer.chained:
        yield Entry(number, calls)
        if turns > 2:
            yield Entry(number, calls, turns - 2)
        if turns > 1:
            yield Entry(number, calls)
    else:
        groups = min(turns, GROUPS)
        for k in range(groups):
            yield Entry(number, calls * (turns * (k + 1) // groups - turns * k // groups))


def _tasks(
    needs: Sequence[Need],
    numbers: Mapping[str, int],
    turns: Sequence[Sequence[str]],
    entries: Mapping[str, Entry],
    number: int,
) -> Iterable[Task]:
    need, own = needs[number], turns[number]
    total = math.fsum(entries[name].calls * entries[name].times for name in own)
    for k, name in enumerate(own):
        after: list[str] = []
        for source in (numbers[step] for step in need.after if step in numbers):
            theirs = turns[source]
            together = needs[source].loops[:1] == need.loops[:1] != ()
            after += theirs[k : k + 1] if together else theirs
        if k and need.loops[0].chained:
            after += _last_turn(needs, turns, number, k)
        components = frozenset(c for use in need.uses for c in use.components)
        yield Task(
            name, need.step, components, tuple(dict.fromkeys(after)),
            int(need.result * need.turns * entries[name].calls / total), need.seconds or 0.0,
        )  # fmt: skip


def _last_turn(
    needs: Sequence[Need], turns: Sequence[Sequence[str]], number: int, k: int
) -> Iterable[str]:
    """What the turn before did in the outermost zone of a step, if its turns need one another."""
    outer = needs[number].loops[0]
    return (
        theirs[k - 1]
        for other, theirs in zip(needs, turns, strict=True)
        if other.loops[:1] == (outer,) and len(theirs) >= k
    )


def stretches(
    batches: Sequence[Batch], needs: Needs, budget: Budget, values: int, link: Link
) -> tuple[Stretch, ...]:
    """The steps of the trace; ``values`` are the bytes of results between them."""
    found: list[Stretch] = []
    for passes, calls in _LIMITS:
        layout = _Layout(needs, budget, values, link, passes, calls)
        found = layout.all(batches)
        if sum(len(each.use.needs) * each.use.repeat for each in found) <= MOST_BLOCKS:
            break
    return tuple(found)


@dataclass(slots=True)
class _Layout:
    """Lays batches out. ``there`` are the pieces that the last stretch left on the device."""

    needs: Needs
    budget: Budget
    values: int
    link: Link
    passes: int
    calls: int
    there: frozenset[str] = frozenset()

    def all(self, batches: Sequence[Batch]) -> list[Stretch]:
        """The stretches of all batches."""
        return [
            Stretch(each.use, number, each.times * batch.times)
            for number, batch in enumerate(batches)
            for each in self._batch(batch)
        ]

    def _batch(self, batch: Batch) -> Iterator[Stretch]:
        need = self.needs.needs[batch.needs[0]]
        if not need.uses:
            yield self._stretch(need, ((),), 0.0)
        elif self._fits(need, need.uses):
            yield from self._kept(need, need.uses, batch.calls, 1.0)
        elif len(need.uses) == 1:
            yield from self._one(need, need.uses[0], batch.calls, 1.0)
        else:
            for calls, times in _ends(batch.calls, self.calls):
                for _ in range(calls):
                    for use in need.uses:
                        yield from self._one(need, use, 1, times)

    def _one(self, need: Need, use: Used, calls: int, times: float) -> Iterator[Stretch]:
        """A component by itself: kept while it is used, or if it does not fit, block by block in
        every pass."""
        if self._fits(need, (use,)):
            yield from self._kept(need, (use,), calls, times)
            return
        self.there = frozenset()
        rows, each = self._rows(use), self._seconds(need, use)
        for repeat, many in _ends(use.passes * calls, self.passes):
            yield self._stretch(need, rows, each, repeat, many * times)

    def _kept(
        self, need: Need, uses: Sequence[Used], calls: int, times: float
    ) -> Iterator[Stretch]:
        """Components that are on the device all at once: block by block in their first pass, unless
        they are there, and after it as they are."""
        pieces = self._pieces(uses)
        passes = calls * sum(use.passes for use in uses)
        left = calls * math.fsum(use.passes * self._seconds(need, use) for use in uses)
        if frozenset(pieces) != self.there:
            for use in uses:
                each = self._seconds(need, use)
                yield self._stretch(need, self._rows(use), each, 1, times)
                passes, left = passes - 1, left - each
        self.there = frozenset(pieces)
        if passes > 0:
            yield self._stretch(need, (tuple(pieces),), max(left, 0.0), 1, times)

    def _stretch(
        self,
        need: Need,
        rows: tuple[tuple[str, ...], ...],
        seconds: float,
        repeat: int = 1,
        times: float = 1.0,
    ) -> Stretch:
        activation = need.activation or 0
        use = Use(need.step, rows, seconds, activation, self.values, need.step, repeat)
        return Stretch(use, -1, times)

    def _fits(self, need: Need, uses: Sequence[Used]) -> bool:
        return sum(self._pieces(uses).values()) + (need.activation or 0) <= self.budget.device

    def _seconds(self, need: Need, use: Used) -> float:
        """Seconds of one pass; where they are not known as long as it takes to load what it passes,
        which no figure shows."""
        if need.seconds is not None:
            return need.seconds / need.passes
        return sum(self._pieces((use,)).values()) / min(self.link.copy, self.link.disk)

    def _rows(self, use: Used) -> tuple[tuple[str, ...], ...]:
        beside = tuple(
            piece.id for name in use.beside for piece in self.needs.components[name].pieces
        )
        passing = self.needs.components[use.component].passing(use.within)
        first = tuple(row for name in use.before for row in self.needs.components[name].passing())
        return (*first, *((*row, *beside) for row in passing)) or (beside,)

    def _pieces(self, uses: Sequence[Used]) -> dict[str, int]:
        """The pieces that uses need in all, with their bytes on the device."""
        names = dict.fromkeys(piece for use in uses for row in self._rows(use) for piece in row)
        mine = dict.fromkeys(c for use in uses for c in use.components)
        sizes = {p.id: p.nbytes for name in mine for p in self.needs.components[name].pieces}
        return {name: sizes[name] for name in names}


def _ends(count: int, most: int) -> list[tuple[int, float]]:
    """``count`` repeats of the same as ``(repeats, times)``: the first, those between, the last.
    With more than ``most`` of them those between stand for more than they are."""
    if count <= 0:
        return []
    if count <= max(most, 2):
        return [(count, 1.0)]
    middle = max(most - 2, 1)
    return [(1, 1.0), (middle, (count - 2) / middle), (1, 1.0)]
