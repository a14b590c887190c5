"""Ctrl-C and SIGTERM end the command with status 130 whenever they come.

While a run goes on, the first asks it to stop and the second leaves at once. Before and after
there is nothing to wait for.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from backend.cli.errors import CANCELLED

STOPS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal came outside a run.

    It is no ``KeyboardInterrupt``: where that passes through code made from text (as dataclasses
    are), CPython remembers it, and ends the process by the signal although it was caught.
    """


def leave_at(status: int) -> None:
    """From now on end the process at once with ``status`` when a signal comes.

    For the moments in which nobody could catch an exception: while Weft itself is imported, and
    while the interpreter ends.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        os._exit(status)

    for number in STOPS:
        signal.signal(number, handle)


def raise_interrupts() -> None:
    """From now on raise ``Interrupted`` when a signal comes, and say so."""

    def handle(number: int, frame: FrameType | None) -> None:
        os.write(2, b"\nCancelled.\n")
        raise Interrupted

    for number in STOPS:
        signal.signal(number, handle)


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

    before = {number: signal.signal(number, handle) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
