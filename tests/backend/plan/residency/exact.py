"""The least that any list of commands waits, by trying them all: for traces of a few touches."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import combinations

from backend.plan.residency.machine import BrokenPlan, Machine
from backend.plan.residency.model import Budget, Course, Link


def least_waiting(course: Course, budget: Budget, link: Link, most: int = 8_000) -> float | None:
    """The exact optimum, or ``None`` where it would take more than ``most`` states to find it.

    What is evicted or dropped is so to make room for one piece, and a piece is moved only if it is
    still needed; no other command can help.
    """
    best = math.inf
    seen: set[object] = set()
    todo = [Machine(course, budget, link)]
    while todo:
        machine = todo.pop()
        if machine.waiting >= best or (key := _state(machine)) in seen:
            continue
        seen.add(key)
        if len(seen) > most:
            return None
        if machine.done:
            best = machine.waiting
            continue
        todo += _moves(machine)
    return best


def _state(machine: Machine) -> object:
    """All that what follows depends on."""
    return (
        machine.touch,
        round(machine.waiting, 9),
        frozenset((p, round(t, 9)) for p, t in machine.on_device.items()),
        frozenset((p, round(t, 9)) for p, t in machine.on_host.items()),
        machine.held,
        machine._leaving,
        machine.host_held,
        tuple(machine._drops),
        round(machine._copy_free, 9),
        round(machine._disk_free, 9),
        round(machine.now, 9),
    )


def _after(machine: Machine, act: Callable[[Machine], None]) -> Iterator[Machine]:
    """The machine after some commands, if they can be given."""
    other = copy.copy(machine)
    for name, value in vars(machine).items():
        if isinstance(value, (dict, set)) or type(value).__name__ == "deque":
            setattr(other, name, value.copy())
    try:
        act(other)
    except BrokenPlan:
        return
    yield other


def _making_room(
    machine: Machine, pieces: Iterable[int], act: Callable[[Machine, tuple[int, ...]], None]
) -> Iterator[Machine]:
    """The machine after ``act`` with each choice of pieces to let go of that is just enough; what
    need not go now can go later."""
    known, enough = sorted(pieces), list[set[int]]()
    for n in range(len(known) + 1):
        for chosen in combinations(known, n):
            if any(less <= set(chosen) for less in enough):
                continue
            for other in _after(machine, partial(act, gone=chosen)):
                enough.append(set(chosen))
                yield other


def _load(machine: Machine, gone: tuple[int, ...], p: int) -> None:
    for q in gone:
        machine.evict(q)
    machine.copy(p)


def _read(machine: Machine, gone: tuple[int, ...], p: int) -> None:
    for q in gone:
        machine.drop(q)
    machine.read(p)


def _use(machine: Machine, gone: tuple[int, ...]) -> None:
    for q in gone:
        machine.evict(q)
    machine.use()


def _moves(machine: Machine) -> Iterator[Machine]:
    course = machine.course
    needed = {p for wanted in course.sets[machine.touch + 1 :] for p in wanted}
    for p in sorted(needed - set(machine.on_device)):
        if p in machine.on_host:
            # Room now and room at the end of the touch are different things: both are tried.
            used = set(machine.on_device) & set(course.sets[machine.touch])
            idle = set(machine.on_device) - used
            yield from _making_room(machine, idle, partial(_load, p=p))
            if used:
                yield from _making_room(machine, set(machine.on_device), partial(_load, p=p))
    for p in sorted(needed - set(machine.on_host)):
        yield from _making_room(machine, machine.on_host, partial(_read, p=p))
    # What the next touch's activation needs room for may have to go first.
    spare = set(machine.on_device) - set(course.sets[machine.touch + 1])
    yield from _making_room(machine, spare, _use)
