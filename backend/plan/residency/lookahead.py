"""The plan that looks ahead: what stays is chosen first, then loads are given as early as fits.

The choice of what stays (`keep`) uses ``device`` bytes and ``host`` bytes, which may be less than
the budget: the rest is room for loads ahead. For a model that does not fit this comes to
blocks that stay while those between stream through the room that is left, two buffers or more. All
is decided by counting, without a clock, so that the commands are right however long things take;
with more room the same choice gives the same loads, each no later. Hence more memory never costs
time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.plan.residency.keep import Gap, Ints, Kept, Rule, choose
from backend.plan.residency.machine import Machine
from backend.plan.residency.model import Course


@dataclass(frozen=True, slots=True)
class Choice:
    """What stays on the device, and what of the loads that follow from it stays on the host.

    ``device_bytes`` and ``host_bytes`` are the bytes they were chosen for; ``copied`` and ``read``
    the bytes that the loads and reads come to.
    """

    device_bytes: int
    host_bytes: int
    device: Kept
    host: Kept
    copied: int
    read: int


def device_room(course: Course, nbytes: int) -> Ints:
    """The room of each touch, where all of the device may take ``nbytes``."""
    return np.maximum(nbytes - np.array(course.activation, dtype=np.int64), course.needed)


def device_choice(course: Course, nbytes: int, rule: Rule = "belady") -> Kept:
    """What stays on a device if all of it may take ``nbytes``, beside what a touch needs anyway."""
    room = device_room(course, nbytes)
    return choose(course.sets, course.following, course.on_device, course.nbytes, room, rule)


def host_choice(course: Course, device: Kept, nbytes: int) -> Kept:
    """What stays on a host of ``nbytes`` between the loads that the device's choice asks for."""
    loads = device.loads
    sets: list[tuple[int, ...]] = [(), *((p,) for p, _, _ in loads)]
    end = len(sets)
    ahead = [end] * len(course.names)
    following: list[tuple[int, ...]] = [()] * end
    for k in range(end - 1, 0, -1):
        p = sets[k][0]
        following[k] = (ahead[p],)
        ahead[p] = k
    following[0] = tuple(ahead)
    sizes = [0, *(course.host[p] for p, _, _ in loads)]
    room = np.maximum(np.array(sizes, dtype=np.int64), nbytes - course.values)
    return choose(sets, following, course.on_host, course.host, room)


def both(course: Course, device_bytes: int, host_bytes: int, device: Kept | None = None) -> Choice:
    """The choice for these bytes; ``device`` if that half is known."""
    device = device or device_choice(course, device_bytes)
    host = host_choice(course, device, host_bytes)
    return _choice(course, device_bytes, host_bytes, device, host)


def with_bytes(course: Course, choice: Choice, device: Kept, host: Kept) -> Choice:
    """A choice for the same bytes in which other pieces stay."""
    return _choice(course, choice.device_bytes, choice.host_bytes, device, host)


def _choice(course: Course, device_bytes: int, host_bytes: int, device: Kept, host: Kept) -> Choice:
    copied = sum(course.nbytes[p] for p, _, _ in device.loads)
    read = sum(course.host[p] for p, _, _ in host.loads)
    return Choice(device_bytes, host_bytes, device, host, copied, read)


class _Ahead:
    """Gives loads of one memory in order, each as soon as the room until its use is free."""

    def __init__(self, loads: Sequence[Gap], sizes: Sequence[int], free: Ints) -> None:
        self.loads, self.sizes = loads, sizes
        self.free: list[int] = free.tolist()
        self.given = self.until = 0

    def fitting(self, i: int) -> list[int]:
        """The pieces to be loaded now that touch ``i`` has been given."""
        found: list[int] = []
        free = self.free
        while i >= self.until and self.given < len(self.loads):
            p, before, j = self.loads[self.given]
            size = self.sizes[p]
            # Room is only ever taken, so nothing can be given before the last touch without it.
            self.until = next((k for k in range(j - 1, i, -1) if free[k] < size), before)
            if self.until > i:
                break
            for k in range(i + 1, j):
                free[k] -= size
            self.given += 1
            found.append(p)
        return found


def write(machine: Machine, choice: Choice, patience: float = math.inf) -> None:
    """Drive a machine through its course by a choice, loading as far ahead as its budget allows;
    stop when ``patience`` seconds have been waited."""
    course, budget = machine.course, machine.budget
    room = budget.device - np.array(course.activation, dtype=np.int64)
    copies = _Ahead(choice.device.loads, course.nbytes, room - choice.device.taken)
    whole = budget.host - course.values
    reads = _Ahead(choice.host.loads, course.host, whole - choice.host.taken)
    for p in set(course.on_device) - choice.device.stays[0]:
        machine.evict(p)
    for p in set(course.on_host) - choice.host.stays[0]:
        machine.drop(p)
    copied = 0
    for p in reads.fitting(0):
        machine.read(p)
    for i in range(course.size + 1):
        if i:
            machine.use()
            if machine.waiting >= patience:
                return
            for p in course.sets[i]:
                if p not in choice.device.stays[i]:
                    machine.evict(p)
        for p in copies.fitting(i):
            machine.copy(p)
            copied += 1
            if p not in choice.host.stays[copied]:
                machine.drop(p)
            for q in reads.fitting(copied):
                machine.read(q)
