"""Results in memory under a byte budget, kept by what they cost to compute per byte."""

from __future__ import annotations

import heapq
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from backend.plan.result import Memory, Result

ENTRY_BYTES = 1024
"""What an entry costs beside its value: key, digests, summary."""


class Cache(Memory, Protocol):
    """Where an engine remembers results. What it cannot keep it lets go of; it never fails a run.

    ``close`` is for whoever made it.
    """

    def put(self, key: str, static: str, result: Result) -> None:
        """Keep a result; ``static`` is the key of its step without the inputs."""

    def forget(self, key: str) -> None:
        """Drop all that is known of a key."""

    def clear(self) -> None:
        """Drop everything."""

    def shed(self) -> None:
        """Let go of all values in memory; what is known of them, and what is on disk, stays."""

    def settle(self, stop: Callable[[], bool]) -> None:
        """Wait until what is to outlive the process does, but not much longer than it took to
        compute what is not there yet, nor once ``stop`` says so."""

    def flush(self) -> None:
        """Wait until what is to outlive the process does."""

    def troubles(self) -> tuple[str, ...]:
        """Sentences for people on what could not be kept, each once."""

    def close(self) -> None:
        """Flush, and let go of files and threads."""


@dataclass(slots=True)
class _Entry:
    """A result, or after its values were dropped what is still known of it (``held`` is false)."""

    result: Result
    static: str
    held: bool
    worth: float


class MemoryCache:
    """Results by key. Threads and engines may share it.

    What goes first when the budget is full is decided by GreedyDual-Size (Cao and Irani, 1997):
    each entry has the worth ``L + seconds / bytes``, the one of least worth is dropped, and ``L``
    rises to its worth, so that what is not used again ages. A use renews the worth. Of a dropped
    result the digests stay (up to ``remembered`` of them, the oldest out first), so that a step
    behind it can still be recognised.
    """

    def __init__(self, budget: int, remembered: int = 200_000) -> None:
        """``budget`` in bytes; a result larger than all of it is not kept."""
        self.budget = budget
        self._remembered = remembered
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._heap: list[tuple[float, int, str]] = []
        self._statics: Counter[str] = Counter()
        self._decisions: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._lock = threading.Lock()
        self._age = 0.0
        self._serial = 0
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def __len__(self) -> int:
        """How many results are held with their values."""
        return sum(entry.held for entry in self._entries.values())

    def find(self, key: str) -> Result | None:
        """What is known of a key; ``values`` is empty where only digests are left."""
        entry = self._entries.get(key)
        return entry.result if entry is not None else None

    def get(self, key: str) -> Result | None:
        """The result with its values, or ``None``; counts as a use."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or not entry.held:
                return None
            entry.worth = self._worth(entry.result)
            return entry.result

    def put(self, key: str, static: str, result: Result) -> None:
        """Keep a result, and drop what is worth least until all fits the budget."""
        with self._lock:
            self._remove(key)
            held = _size(result) <= self.budget
            kept = result if held else _stripped(result)
            entry = _Entry(kept, static, held, self._worth(result))
            self._entries[key] = entry
            self._statics[static] += 1
            if held:
                self._bytes += _size(result)
                self._push(key, entry)
            self._shrink()

    def forget(self, key: str) -> None:
        """Drop all that is known of a key."""
        with self._lock:
            self._remove(key)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._entries.clear()
            self._heap.clear()
            self._statics.clear()
            self._decisions.clear()
            self._bytes = 0

    def shed(self) -> None:
        """Let go of all values; what is known of them stays."""
        with self._lock:
            budget, self.budget = self.budget, 0
            self._shrink()
            self.budget = budget

    def seen(self, static: str) -> bool:
        """Whether a result of a step with this static key is known, whatever its inputs were."""
        return self._statics[static] > 0

    def decision(self, key: str) -> frozenset[str] | None:
        """What a lazy node asked for in a state."""
        return self._decisions.get(key)

    def decide(self, key: str, names: frozenset[str]) -> None:
        """Remember what a lazy node asked for."""
        with self._lock:
            self._decisions[key] = names
            if len(self._decisions) > self._remembered:
                self._decisions.popitem(last=False)

    def settle(self, stop: Callable[[], bool]) -> None:
        """Nothing: it ends with the process."""

    def flush(self) -> None:
        """Nothing here outlives the process."""

    def troubles(self) -> tuple[str, ...]:
        """Nothing can go wrong."""
        return ()

    def close(self) -> None:
        """There is nothing to let go of."""

    def _worth(self, result: Result) -> float:
        return self._age + result.seconds / _size(result)

    def _push(self, key: str, entry: _Entry) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (entry.worth, self._serial, key))

    def _shrink(self) -> None:
        while self._bytes > self.budget and self._heap:
            worth, _, key = heapq.heappop(self._heap)
            entry = self._entries.get(key)
            if entry is None or not entry.held:
                continue
            if worth < entry.worth:  # used since it was pushed: it stands further back by now
                self._push(key, entry)
                continue
            self._age = worth
            self._bytes -= _size(entry.result)
            entry.result, entry.held = _stripped(entry.result), False
        while len(self._entries) > self._remembered and self._entries:
            self._remove(next(iter(self._entries)))

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._statics[entry.static] -= 1
        if not self._statics[entry.static]:
            del self._statics[entry.static]
        if entry.held:
            self._bytes -= _size(entry.result)


def _size(result: Result) -> int:
    return result.nbytes + ENTRY_BYTES


def _stripped(result: Result) -> Result:
    return replace(result, values=MappingProxyType({}), nbytes=0, preview=b"")
