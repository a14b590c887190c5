"""Messages that wait for a slow reader, under a budget of bytes."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from backend.engine.events import Event, Preview, Progress, StepDone, StepStarted
from backend.engine.wire import JobEvent, Order, Report

T = TypeVar("T")

BUDGET = 32 * 2**20
"""Bytes of messages that may wait in one place."""


@dataclass(frozen=True, slots=True)
class Rank:
    """How a message may be left out.

    ``level`` 0 never is; the higher it is, the sooner. A newer message with the same ``key`` takes
    the place of an older one that still waits.
    """

    level: int = 0
    key: Hashable = None


KEEP = Rank()


def rank(message: Order | Report) -> Rank:
    """Pictures may be left out first, then progress, then turns of zones, then other steps.

    Failures, notes, files and whatever is no event are always told.
    """
    if not isinstance(message, JobEvent):
        return KEEP
    event: Event = message.event
    if isinstance(event, Preview):
        return Rank(4, ("preview", event.step, event.turns))
    if isinstance(event, Progress):
        return Rank(3, ("progress", event.step, event.turns))
    if isinstance(event, StepStarted | StepDone):
        return Rank(2 if event.turns else 1)
    return KEEP


@dataclass(slots=True)
class _Waiting(Generic[T]):
    item: T
    size: int
    rank: Rank


class Backlog(Generic[T]):
    """A queue that never holds more than ``budget`` bytes, but for what must not be left out.

    It takes no lock; whoever shares it between threads holds one.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._waiting: OrderedDict[int, _Waiting[T]] = OrderedDict()
        self._levels: dict[int, deque[int]] = {}
        self._keys: dict[Hashable, int] = {}
        self._serial = 0
        self.nbytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: T, size: int, rank: Rank = KEEP) -> None:
        """Add a message behind all others."""
        if rank.key is not None and rank.key in self._keys:
            self._remove(self._keys[rank.key])
        self._serial += 1
        self._waiting[self._serial] = _Waiting(item, size, rank)
        self.nbytes += size
        if rank.key is not None:
            self._keys[rank.key] = self._serial
        if rank.level:
            self._levels.setdefault(rank.level, deque()).append(self._serial)
        if self.nbytes > self._budget:
            self._shrink()

    def pop(self) -> T:
        """Take the oldest message.

        Raises:
            KeyError: there is none.
        """
        serial = next(iter(self._waiting), None)
        if serial is None:
            raise KeyError("nothing waits")
        return self._remove(serial)

    def clear(self) -> None:
        """Forget all that waits."""
        self._waiting.clear()
        self._levels.clear()
        self._keys.clear()
        self.nbytes = 0

    def _remove(self, serial: int) -> T:
        entry = self._waiting.pop(serial)
        self.nbytes -= entry.size
        if self._keys.get(entry.rank.key) == serial:
            del self._keys[entry.rank.key]
        row = self._levels.get(entry.rank.level)
        while row and row[0] not in self._waiting:
            row.popleft()
        return entry.item

    def _shrink(self) -> None:
        for level in sorted(self._levels, reverse=True):
            row = self._levels[level]
            while row and self.nbytes > self._budget:
                serial = row.popleft()
                if serial in self._waiting:
                    self._remove(serial)
                    self.dropped += 1
