"""How often one step may speak."""

from __future__ import annotations

import time

INTERVAL = 0.05
"""Seconds between two messages of progress, or two previews, of one step."""


class Pace:
    """Lets the first message through, then at most one per ``INTERVAL``."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def due(self, last_word: bool = False) -> bool:
        """Whether to speak now; the last word always may."""
        now = time.monotonic()
        if not last_word and now - self._last < INTERVAL:
            return False
        self._last = now
        return True
