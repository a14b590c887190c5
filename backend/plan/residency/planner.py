"""Plan a trace: whether it fits, the best of what looks ahead, and how far that is from the
bound."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from backend.plan.residency.bound import Bound, bound, least_moved, must_move
from backend.plan.residency.keep import Rule
from backend.plan.residency.lookahead import Choice, both, device_choice, device_room, write
from backend.plan.residency.machine import Machine
from backend.plan.residency.model import Budget, Course, Link, Trace, lay_out
from backend.plan.residency.reference import least_recent
from backend.plan.residency.report import Plan, find_misfit, told, unfit
from backend.plan.residency.sparing import ROUNDING, spare

MOST_RECENT = 64
"""So many sizes of memory at which least recently used is tried."""
RULES: tuple[Rule, ...] = ("belady", "spread")


@dataclass(frozen=True, slots=True)
class Found:
    """A way to run a course: what to do with a fresh machine, and how it ended. Its budget may be
    less than what was asked for."""

    policy: str
    drive: Callable[[Machine], None]
    machine: Machine


def plan(trace: Trace, budget: Budget, link: Link, tries: int = MOST_RECENT) -> Plan:
    """When each piece is where, so that as little as possible is waited.

    ``tries`` are the sizes of memory at which least recently used is tried. Fewer take less time;
    one is enough never to wait longer than it does, but not for more memory never to cost time.

    Raises:
        TraceError: the trace contradicts itself.
    """
    course = lay_out(trace)
    misfit = find_misfit(trace, course, budget)
    if misfit is not None:
        return unfit(course, misfit)
    limit = bound(course, budget, link)
    found = search(course, budget, link, limit, tries)
    machine = found.machine
    if machine.events is None:
        machine = Machine(course, machine.budget, link, record=True)
        found.drive(machine)
    return told(trace, machine, found.policy, limit)


def search(
    course: Course, budget: Budget, link: Link, limit: Bound, tries: int = MOST_RECENT
) -> Found:
    """The way with the least waiting, and of what comes of it that which moves the fewest bytes; it
    stops looking at the bound, which no way can beat.

    The sizes tried do not depend on the budget, and a choice for one size waits no longer under a
    larger budget. With a larger budget there are only more of them, so it never waits longer.
    """
    best: Found | None = None
    waited = [math.inf]
    goal = limit.waiting * (1 + ROUNDING)
    for choice in _choices(course, budget, link, waited):
        machine = Machine(course, budget, link)
        write(machine, choice, waited[0])
        found = Found("ahead", partial(write, choice=choice), machine)
        if best is None or found.machine.waiting < best.machine.waiting:
            best, waited[0], chosen = found, found.machine.waiting, choice
            if waited[0] <= goal:
                break
    assert best is not None
    found = _recent(course, budget, link, best, tries, limit)
    moved = found.machine.copied > limit.copied or found.machine.read_bytes > limit.read
    if found is not best or not moved:
        return found
    least = 0.0 if waited[0] <= goal else waited[0] * (1 - ROUNDING)
    run = spare(chosen, found.machine, least)
    return Found("ahead", partial(write, choice=run.choice), run.machine)


def _least(course: Course, link: Link, copied: int, read: int) -> float:
    """Seconds that are waited at least when so many bytes are moved."""
    return max(copied / link.copy, read / link.disk) - course.compute


def _choices(course: Course, budget: Budget, link: Link, best: list[float]) -> Iterator[Choice]:
    """The choices for all sizes within the budget, the largest first, but for those that cannot
    wait less than ``best[0]``."""
    base, block = _usual(course)
    hosts = _sizes(course.values, block, _whole_host(course), budget.host, 5)
    seen: set[object] = set()
    for nbytes in _sizes(base, block, _whole_device(course), budget.device, 8):
        for rule in RULES:
            device = device_choice(course, nbytes, rule)
            if device.stays in seen:
                continue
            seen.add(device.stays)
            copied = sum(course.nbytes[p] for p, _, _ in device.loads)
            if _least(course, link, copied, 0) >= best[0]:
                room = device_room(course, nbytes).tolist()
                copied = must_move(course, course.nbytes, room, 0, course.on_device)[-1]
                if _least(course, link, copied, 0) >= best[0]:
                    return  # nor can any choice for this size or a smaller one
                continue
            for host in hosts:
                if _least(course, link, copied, 0) >= best[0]:
                    break
                choice = both(course, nbytes, host, device)
                known = (device.stays, choice.host.stays)
                if known not in seen and _least(course, link, copied, choice.read) < best[0]:
                    yield choice
                seen.add(known)


def _usual(course: Course) -> tuple[int, int]:
    """Activation and size of the blocks that most bytes are used in."""
    weight: Counter[tuple[int, int]] = Counter()
    for activation, needed in zip(course.activation, course.needed, strict=True):
        weight[activation, needed] += needed
    return min(weight, key=lambda kind: (-weight[kind], kind))


def _sizes(base: int, block: int, whole: int, most: int, part: int) -> list[int]:
    """Sizes within ``most``, the largest first: by half blocks, then by one ``part`` more each.
    Where all fits, no smaller one can be better."""
    if whole <= most:
        return [whole]
    sizes, size = {0}, base
    while size <= most and block:
        sizes.add(size)
        size += max(1, block // 2, size // part)
    return sorted(sizes, reverse=True)


def _whole_device(course: Course) -> int:
    used = {p for wanted in course.sets for p in wanted} | set(course.on_device)
    return max(course.activation) + sum(course.nbytes[p] for p in used)


def _whole_host(course: Course) -> int:
    used = {p for wanted in course.sets for p in wanted} | set(course.on_host)
    return course.values + sum(course.host[p] for p in used)


def _recent(
    course: Course, budget: Budget, link: Link, best: Found, tries: int, limit: Bound
) -> Found:
    """The best, or least recently used with this much memory or less, should that wait less.

    With other sizes that policy does the same as long as its peaks fit, so all that differ are
    tried from here down. It hides nothing, so it waits for all bytes that must be moved at least;
    where that is no less than the best, so it is with less memory too.
    """
    todo, seen = [budget], {budget}
    least = {budget: (limit.copied, limit.read)}
    while todo and len(seen) < max(tries, 2):
        given = todo.pop()
        copied, read = least.get(given) or least_moved(course, given)
        if max(copied / link.copy, read / link.disk) >= best.machine.waiting:
            continue
        machine = Machine(course, given, link)
        least_recent(machine)
        if machine.waiting < best.machine.waiting:
            best = Found("least recent", least_recent, machine)
        lower = (
            Budget(machine.device_peak - 1, given.host),
            Budget(given.device, machine.host_peak - 1),
        )
        for less in lower:
            enough = less.device >= course.least_device and less.host >= course.least_host
            if enough and less not in seen:
                seen.add(less)
                todo.append(less)
    return best
