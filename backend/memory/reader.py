"""The thread that reads weights while another computes."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Any

from backend.memory.parts import Check, Part

Next = Callable[[], tuple[Part, bool] | None]
"""Waits for the part that is to be read now, and whether it goes to the device; ``None`` at the
end."""
Fetch = Callable[[Part, Check], tuple[Any, float]]
"""Gives the stored bytes of a part, and the seconds that reading them took."""


class Closed(Exception):
    """The reader was closed."""


class Reader:
    """Reads parts one after the other, in a thread that is made when it is first wanted."""

    def __init__(
        self,
        following: Next,
        fetch: Fetch,
        arrived: Callable[[Part, Any, float], None],
        failed: Callable[[Part, Exception], None],
    ) -> None:
        """``arrived`` gets what was read, None if it stays in host memory, and the seconds it took.
        What it raises (a device that is full, say) is told to ``failed``, as what reading raises
        is."""
        self._following, self._fetch = following, fetch
        self._arrived, self._failed = arrived, failed
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._closed = False

    def start(self) -> None:
        """Have the thread.

        Raises:
            Closed: it was ended, so what is waited for would never come.
            Exception: what ended it before its time; the next call has a new one.
        """
        if self._closed:
            raise Closed
        if self._error is not None:
            error, self._error, self._thread = self._error, None, None
            raise error
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="weft-weights", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread, between two chunks of what it reads; ``Next`` must give ``None`` now."""
        self._closed = True
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        try:
            while (found := self._following()) is not None:
                self._bring(*found)
                del found
        except Exception as error:  # it is raised again by whoever waits
            self._error = error

    def _bring(self, part: Part, on: bool) -> None:
        try:
            raws, seconds = self._fetch(part, self._check)
            self._arrived(part, raws if on else None, seconds)
        except Exception as error:  # it is raised again where the part is needed
            traceback.clear_frames(error.__traceback__)  # they hold what was read so far
            self._failed(part, error)

    def _check(self) -> None:
        if self._closed:
            raise Closed
