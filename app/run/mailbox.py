"""What other threads have for the thread of the window."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Signal

BUDGET = 0.006
"""Seconds that letters may take before the window gets its turn again."""


class Mailbox(QObject):
    """Calls functions in the thread that it lives in, in the order in which they were posted.

    However many are posted, the event loop is woken once; after a batch ``emptied`` is emitted, so
    that who draws can draw once.
    """

    emptied = Signal()
    _rang = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._letters: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()
        self._ringing = self._closed = False
        self._rang.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def post(self, letter: Callable[[], object]) -> None:
        """Have a function called; from any thread, never waits."""
        with self._lock:
            if self._closed:
                return
            self._letters.append(letter)
            if self._ringing:
                return
            self._ringing = True
            self._rang.emit()

    def close(self) -> None:
        """Drop what is there and what comes."""
        with self._lock:
            self._closed = True
            self._letters.clear()

    def _take(self) -> None:
        end = time.monotonic() + BUDGET
        with self._lock:
            self._ringing = False
        try:
            while self._letters and time.monotonic() < end:
                self._letters.popleft()()
        finally:
            with self._lock:
                if self._letters and not self._ringing:
                    self._ringing = True
                    QTimer.singleShot(0, self._take)
        self.emptied.emit()
