"""The tail of what a process prints."""

from __future__ import annotations

import threading
from collections import deque

KEPT = 64 * 2**10
"""Bytes of output that are kept."""


class Ring:
    """Keeps the last bytes that were put in. Threads may share it."""

    def __init__(self, size: int = KEPT) -> None:
        self._size = size
        self._held = 0
        self._parts: deque[bytes] = deque()
        self._lock = threading.Lock()

    def put(self, data: bytes) -> None:
        """Add what was printed."""
        data = data[-self._size :]
        with self._lock:
            self._parts.append(data)
            self._held += len(data)
            while self._held - len(self._parts[0]) >= self._size:
                self._held -= len(self._parts.popleft())

    def text(self) -> str:
        """The tail as text; what is no UTF-8 stands as escapes."""
        with self._lock:
            whole = b"".join(self._parts)
        return whole[-self._size :].decode("utf-8", "backslashreplace")
