"""Work beside the window: on other threads, answered on the one that asked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, Signal, Slot

Result = TypeVar("Result")


class Asked(Generic[Result]):
    """One piece of work that was asked for. What is cancelled answers no more."""

    def __init__(
        self,
        then: Callable[[Result], None],
        failed: Callable[[Exception], None] | None,
    ) -> None:
        self._then = then
        self._failed = failed
        self.cancelled = False

    def cancel(self) -> None:
        """Nobody wants the answer any more; work that has not begun is never done."""
        self.cancelled = True

    def answer(self, found: Any, error: Exception | None) -> None:
        """Tell whoever asked, unless it was cancelled; called on the thread of the window.

        Raises:
            Exception: the work failed and nobody said what is to be done then.
        """
        if self.cancelled:
            return
        if error is None:
            self._then(found)
        elif self._failed is not None:
            self._failed(error)
        else:
            raise error


class Background(QObject):
    """Does work on threads of its own; answers come back on the thread that this object is of."""

    _answered = Signal(object, object, object)

    def __init__(self, parent: QObject | None = None, threads: int = 1) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(threads, "weft-look")
        self._answered.connect(self._answer)
        self._closed = False

    def ask(
        self,
        work: Callable[[], Result],
        then: Callable[[Result], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> Asked[Result]:
        """Do ``work``, then call ``then`` with what it gives, or ``failed`` with what it raises."""
        asked = Asked(then, failed)
        if self._closed:
            asked.cancel()
        else:
            self._pool.submit(self._do, asked, work)
        return asked

    def close(self) -> None:
        """Answer nobody any more."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _do(self, asked: Asked[Result], work: Callable[[], Result]) -> None:
        if asked.cancelled or self._closed:
            return
        found, raised = None, None
        try:
            found = work()
        except Exception as error:
            raised = error
        if not self._closed:
            self._answered.emit(asked, found, raised)

    @Slot(object, object, object)
    def _answer(self, asked: Asked[Result], found: Any, error: Exception | None) -> None:
        if not self._closed:
            asked.answer(found, error)
