"""Taking turns in the order in which one came."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from backend.engine.cancel import Cancel


class Turns:
    """A lock that is fair, and that a cancelled one does not wait for any longer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._line: deque[queue.SimpleQueue[bool]] = deque()

    @contextmanager
    def take(self, cancel: Cancel) -> Iterator[bool]:
        """Hold the turn while the block runs; gives False, without it, when cancelled before."""
        bell: queue.SimpleQueue[bool] = queue.SimpleQueue()
        with self._lock:
            if self._taken:
                self._line.append(bell)
            else:
                self._taken = True
                bell.put(True)
        remove = cancel.on_cancel(lambda: bell.put(False))
        try:
            mine = bell.get()
        except BaseException:
            self._leave(bell)
            raise
        finally:
            remove()
        if not mine:
            mine = self._leave(bell)
            yield False
            return
        try:
            yield True
        finally:
            self._pass_on()

    def _leave(self, bell: queue.SimpleQueue[bool]) -> bool:
        """Step out of the line; a turn that was given meanwhile goes to the next."""
        with self._lock:
            if bell in self._line:
                self._line.remove(bell)
                return False
        self._pass_on()
        return True

    def _pass_on(self) -> None:
        with self._lock:
            if self._line:
                self._line.popleft().put(True)
            else:
                self._taken = False
