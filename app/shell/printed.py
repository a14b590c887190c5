"""What the process that computes prints, line by line as it comes."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

PACE = 1000
"""Milliseconds between two looks."""

_KNOWN = 64
"""Characters by which the place is found to which it was read."""


class Printed(QObject):
    """Looks at the tail of what is printed; ``came`` carries whole lines that are new."""

    came = Signal(str)

    def __init__(self, tail: Callable[[], str], parent: QObject | None = None) -> None:
        """``tail`` gives the last of what is printed, at any time."""
        super().__init__(parent)
        self._tail = tail
        self._read = ""
        self._timer = QTimer(self, interval=PACE)
        self._timer.timeout.connect(self.look)

    def start(self) -> None:
        """Begin to look."""
        self.look()
        self._timer.start()

    def look(self) -> None:
        """Look now."""
        now = self._tail()
        now = now[: now.rfind("\n") + 1]  # a line counts when it is whole
        if now and now != self._read:
            new = fresh(self._read, now)
            self._read = now
            if new:
                self.came.emit(new)

    def close(self) -> None:
        """Look no more."""
        self._timer.stop()


def fresh(before: str, now: str) -> str:
    """What ``now`` has behind ``before``, of two tails of the same output: ``now`` begins within
    ``before``, or has nothing in common with it, as when another process prints."""
    head = now[:_KNOWN]
    at = before.find(head[: len(before)])
    while at >= 0:
        shared = len(before) - at
        if now.startswith(before[at:]):
            return now[shared:]
        at = before.find(head, at + 1)
    for shared in range(min(len(head), len(before)), 0, -1):  # they share less than the head
        if before.endswith(now[:shared]):
            return now[shared:]
    return now
