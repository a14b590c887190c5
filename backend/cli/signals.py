"""Ctrl-C, SIGTERM and a terminal that is closed end the command with status 130 whenever they come.

While a run goes on, the first asks it to stop and the second leaves at once. Before and after
there is nothing to wait for.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from backend.cli.errors import CANCELLED

HANG_UP = getattr(signal, "SIGHUP", None)  # Windows has none


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

    for number in _stops():
        signal.signal(number, handle)


def raise_interrupts() -> None:
    """From now on raise ``Interrupted`` when a signal comes, and say so."""

    def handle(number: int, frame: FrameType | None) -> None:
        _say(b"\nCancelled.\n")
        raise Interrupted

    for number in _stops():
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
        if asked and number == HANG_UP:
            return  # the shell and the system both send it, and nobody sits there to be impatient
        if asked:
            # Nothing may be waited for here: not threads, not exit handlers, not a model call.
            os._exit(CANCELLED)
        asked = True
        _say(b"\nCancelling; once more to leave at once.\n")
        cancel()

    before = {number: signal.signal(number, handle) for number in _stops()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stops() -> list[signal.Signals]:
    """What asks a command to end; not what ``nohup`` keeps from it."""
    stops = [signal.SIGINT, signal.SIGTERM]
    if HANG_UP is not None and signal.getsignal(HANG_UP) != signal.SIG_IGN:
        stops.append(HANG_UP)
    return stops


def _say(text: bytes) -> None:
    with contextlib.suppress(OSError):  # the terminal may be the very thing that has gone
        os.write(2, text)
