"""Where the messages of one host wait for whoever talks with it."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass

from backend.engine.client.backlog import Backlog, rank
from backend.engine.wire import Report


@dataclass(frozen=True, slots=True)
class Died:
    """The host has ended. ``status`` is as Python tells it: negative for a signal."""

    status: int
    peak_memory: int
    over_memory: int
    out_of_memory: bool
    last_output: str
    trace: str


class Inbox:
    """Reports in order, then one ``Died``. ``put`` never waits; one thread at a time takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backlog: Backlog[Report | Died] = Backlog()
        # A signal handler may ring while this very thread is in here, so it must not need the lock.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()

    @property
    def dropped(self) -> int:
        """How many events were left out so far."""
        return self._backlog.dropped

    def put(self, message: Report, size: int) -> None:
        """Add a report."""
        with self._lock:
            self._backlog.put(message, size, rank(message))
        self.wake()

    def end(self, died: Died) -> None:
        """Add the last message."""
        with self._lock:
            self._backlog.put(died, 0)
        self.wake()

    def wake(self) -> None:
        """Have ``take`` return, with nothing if there is nothing. A signal handler may call it."""
        self._bell.put(None)

    def take(self, seconds: float | None = None) -> Report | Died | None:
        """The next message; ``None`` when it was woken without one or the time is over."""
        if not len(self._backlog):
            try:
                self._bell.get(timeout=None if seconds is None else max(seconds, 0.0))
            except queue.Empty:
                return None
        with self._lock:
            return self._backlog.pop() if len(self._backlog) else None
