"""The judge: a simulated device, host memory and disk that run a list of commands.

Every policy drives this one machine, so all are timed by the same rules, and none can cheat: a
touch whose pieces are not there, or a budget that is exceeded, raises.

The rules. Three streams run beside one another, each in order: compute, copy (host to device) and
read (disk to host). Commands are given one after the other; none begins before it was given, and
that is at the start of the last touch, or after `sync` at its end. Memory is taken when a read or a
copy is given, or as soon as there is room: room that a touch holds, its activation included, is
free at its end; room of a host copy that is dropped while it is copied, at the end of the copy. A
copy may follow its own read chunk by chunk, so it cannot end before the read. To evict and to drop
cost nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from backend.plan.residency.model import Budget, Course, Link

Kind = Literal["read", "load", "evict", "drop", "use"]


class BrokenPlan(ValueError):
    """A plan used what is not there, or took more than its budget."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, to which piece (for ``use``: which touch), from when to when."""

    kind: Kind
    number: int
    start: float
    end: float
    touch: int


class Machine:
    """Runs commands on a course. ``events`` is what happened, if it was asked for."""

    def __init__(self, course: Course, budget: Budget, link: Link, record: bool = False) -> None:
        self.course, self.budget, self.link = course, budget, link
        self.touch = 0
        self.began = self.now = self.ended = 0.0
        self.copied = self.read_bytes = 0
        self.waiting = 0.0
        self.events: list[Event] | None = [] if record else None
        self.on_device: dict[int, float] = dict.fromkeys(course.on_device, 0.0)
        self.on_host: dict[int, float] = dict.fromkeys(course.on_host, 0.0)
        self.held = sum(course.nbytes[p] for p in course.on_device)
        self.host_held = sum(course.host[p] for p in course.on_host)
        self.host_room = budget.host - course.values
        self.device_peak, self.host_peak = self.held, self.host_held + course.values
        if self.held > budget.device or self.host_held > self.host_room:
            raise BrokenPlan("What is there at the beginning is more than the budget.")
        self._activation = 0
        self._leaving = 0
        self._gone: set[int] = set()
        self._read_began: dict[int, float] = {}
        self._copies_end: dict[int, float] = {}
        self._copy_free = self._disk_free = 0.0
        self._drops: deque[tuple[float, int]] = deque()

    @property
    def done(self) -> bool:
        """Whether every touch has run."""
        return self.touch == self.course.size

    def use(self) -> None:
        """Run the next touch as soon as its pieces are there."""
        course, i = self.course, self.touch + 1
        self._release()
        ready = self.ended
        for p in course.sets[i]:
            if p not in self.on_device:
                raise BrokenPlan(f"Touch {i} needs {course.names[p]!r}, which is not loaded.")
            ready = max(ready, self.on_device[p])
        self._activation = course.activation[i]
        self._take(0)
        self.waiting += ready - self.ended
        self.touch, self.began, self.now, self.ended = i, ready, ready, ready + course.seconds[i]
        self._note("use", i, ready, self.ended)

    def sync(self) -> None:
        """Give what follows at the end of the last touch, not at its start."""
        self._release()
        self._activation = 0
        self.now = self.ended

    def read(self, p: int) -> None:
        """Read a piece from disk into host memory."""
        if p in self.on_host:
            raise BrokenPlan(f"{self.course.names[p]!r} is read though it is in host memory.")
        size, start = self.course.host[p], max(self._disk_free, self.now)
        while self.host_held + size > self.host_room and self._drops:
            when, freed = self._drops.popleft()
            self.host_held -= freed
            start = max(start, when)
        self.host_held += size
        self.host_peak = max(self.host_peak, self.host_held + self.course.values)
        if self.host_held > self.host_room:
            raise BrokenPlan(f"No room in host memory to read {self.course.names[p]!r}.")
        end = start + size / self.link.disk
        self._read_began[p], self.on_host[p], self._disk_free = start, end, end
        self.read_bytes += size
        self._note("read", p, start, end)

    def copy(self, p: int) -> None:
        """Copy a piece from host memory to the device."""
        if p in self.on_device:
            raise BrokenPlan(f"{self.course.names[p]!r} is loaded though it is on the device.")
        if p not in self.on_host:
            raise BrokenPlan(f"{self.course.names[p]!r} is loaded though it is not in host memory.")
        given = self.now
        if self._excess(self.course.nbytes[p]) > 0:
            # Only the end of the touch makes room; from then on the next touch's activation counts.
            given = self.ended
            self._release()
            self._activation = 0
        self._take(self.course.nbytes[p])
        took = self.course.nbytes[p] / self.link.copy
        start = max(self._copy_free, given, self._read_began.get(p, 0.0), self.on_host[p] - took)
        end = max(start + took, self.on_host[p])
        self._copy_free = self.on_device[p] = self._copies_end[p] = end
        self.copied += self.course.nbytes[p]
        self._note("load", p, start, end)

    def evict(self, p: int) -> None:
        """Free a piece's room on the device; if the last touch uses it, at the end of that."""
        ready = self.on_device.pop(p, None)
        if ready is None:
            raise BrokenPlan(f"{self.course.names[p]!r} is evicted though it is not loaded.")
        used = p in self.course.sets[self.touch] and self.now < self.ended
        if ready > self.now and not used:
            raise BrokenPlan(f"{self.course.names[p]!r} is evicted while it is being loaded.")
        if used:
            self._leaving += self.course.nbytes[p]
        else:
            self.held -= self.course.nbytes[p]
        when = self.ended if used else self.now
        self._note("evict", p, when, when)

    def drop(self, p: int) -> None:
        """Free a piece's room on the host; while it is being copied, at the end of that."""
        ready = self.on_host.pop(p, None)
        if ready is None:
            raise BrokenPlan(
                f"{self.course.names[p]!r} is dropped though it is not in host memory."
            )
        when = self._copies_end.pop(p, 0.0)
        if ready > max(self.now, when):
            raise BrokenPlan(f"{self.course.names[p]!r} is dropped while it is being read.")
        if when > self.now:
            self._drops.append((when, self.course.host[p]))
        else:
            self.host_held -= self.course.host[p]
        self._note("drop", p, max(when, self.now), max(when, self.now))

    def _release(self) -> None:
        self.held -= self._leaving
        self._leaving = 0

    def _excess(self, more: int) -> int:
        return self.held + self._activation + more - self.budget.device

    def _take(self, more: int) -> None:
        if self._excess(more) > 0:
            raise BrokenPlan(
                f"{self._excess(more)} bytes too much on the device after touch {self.touch}."
            )
        self.held += more
        self.device_peak = max(self.device_peak, self.held + self._activation)

    def _note(self, kind: Kind, number: int, start: float, end: float) -> None:
        if self.events is not None:
            self.events.append(Event(kind, number, start, end, self.touch))
