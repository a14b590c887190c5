"""Ctrl-C and SIGTERM: the first asks the run to stop, the second leaves at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from backend.cli.errors import CANCELLED


@contextmanager
def stopping(cancel: Callable[[], None]) -> Iterator[None]:
    """While the block runs, call ``cancel`` at the first signal and end the process at the second.

    Handlers run in the main thread between two instructions of Python, so ``cancel`` must not
    wait for anything that this thread may hold.
    """
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            # Nothing may be waited for here: not threads, not exit handlers, not a model call.
            os._exit(CANCELLED)
        asked = True
        os.write(2, b"\nCancelling; once more to leave at once.\n")
        cancel()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
