"""Threads that run node calls: one for the device, a few for CPU work, a few for files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from types import MappingProxyType

from backend.graph.spec import Lane

Work = Callable[[], None]


class Workers:
    """A lane: at most ``size`` threads, made when work comes, ended by ``close``."""

    def __init__(self, name: str, size: int, begin: Work | None = None) -> None:
        """``begin`` is called first in each new thread."""
        self.size = size
        self._name = name
        self._begin = begin
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def put(self, work: Work) -> None:
        """Run ``work`` on a thread of this lane. Whoever puts counts what is under way."""
        self._queue.put(work)

    def grow(self, needed: int) -> None:
        """Have at least ``needed`` threads, or as many as the lane may have."""
        while len(self._threads) < min(needed, self.size):
            name = f"weft-{self._name}-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._serve, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """End the threads once their present work is done."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _serve(self) -> None:
        if self._begin is not None:
            self._begin()
        while (work := self._queue.get()) is not None:
            work()
            work = None  # what it holds is let go of before the next one comes


def make_lanes(
    cpu: int, file: int, begin_device: Work, begin: Work | None = None
) -> Mapping[Lane, Workers]:
    """The three lanes of an engine; the device does one thing at a time."""
    return MappingProxyType(
        {
            "device": Workers("device", 1, begin_device),
            "cpu": Workers("cpu", cpu, begin),
            "file": Workers("file", file, begin),
        }
    )
