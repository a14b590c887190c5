"""Work that must not hold up the window: one thread that does one thing after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, Signal

T = TypeVar("T")


class Stopped(Exception):
    """Work was given up because it was asked to stop."""


class Errands(QObject):
    """Does work in a thread of its own, in order, and gives what comes of it to the thread of Qt.

    What fails with one of ``told`` is a sentence for people. Any other failure is raised in the
    thread of Qt, where whoever began the program catches what nobody expected.
    """

    _over = Signal(object)

    def __init__(
        self, name: str, told: tuple[type[Exception], ...] = (), parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._told = told
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._closed = False
        self._stop = False
        self.waiting = 0
        self._over.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def do(
        self,
        work: Callable[[], T],
        then: Callable[[T], None],
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Have ``work`` done; then ``then`` gets what it gave, or ``failed`` a sentence."""
        if self._closed:
            return
        if not self.waiting:
            self._stop = False
        self.waiting += 1
        self._pool.submit(self._run, work, then, failed)

    def tell(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called in the thread of Qt; for work that says how far it is."""
        if not self._closed:
            self._over.emit((0, listener))

    def stop(self) -> None:
        """Give up what waits; the work that is under way notices at its next ``check``."""
        self._stop = True

    def check(self) -> None:
        """Called by long work, time and again.

        Raises:
            Stopped: it was asked to give up.
        """
        if self._stop or self._closed:
            raise Stopped

    def close(self) -> None:
        """Give up what waits, and wait for what is under way."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(
        self,
        work: Callable[[], T],
        then: Callable[[T], None],
        failed: Callable[[str], None] | None,
    ) -> None:
        reply: Callable[[], None]
        try:
            self.check()
            found = work()
        except Stopped:
            reply = _nothing
        except Exception as error:
            reply = self._failure(error, failed)
        else:
            reply = partial(then, found)
        if not self._closed:
            self._over.emit((1, reply))

    def _failure(
        self, error: Exception, failed: Callable[[str], None] | None
    ) -> Callable[[], None]:
        def tell() -> None:
            if failed is not None and isinstance(error, self._told):
                failed(str(error))
            else:
                raise error

        return tell

    def _deliver(self, message: tuple[int, Callable[[], None]]) -> None:
        count, listener = message
        self.waiting -= count
        if not self._closed:
            listener()


def _nothing() -> None:
    """What is called where work was given up."""
