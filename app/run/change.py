"""Running a document whenever it changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from app.open_document import OpenDocument
from app.run.room import EngineRoom
from backend.graph.document import Workflow

if TYPE_CHECKING:
    from backend.engine.queue.store import Queue

REST = 300
"""Milliseconds without a change after which a run begins."""

AHEAD = 1
"""Its priority: such a run does not stand behind a batch."""


class RunOnChange(QObject):
    """While it is on, a change of the document cancels the run of the one before and, when the
    hand rests, starts another. What only moves or names nodes starts none."""

    def __init__(
        self,
        room: EngineRoom,
        document: OpenDocument,
        only: Callable[[], tuple[str, ...]] = tuple,
        possible: Callable[[], bool] = lambda: True,
        parent: QObject | None = None,
    ) -> None:
        """``only`` tells each time what to run; ``app.run.plan.without_files`` gives what writes
        nothing. ``possible`` says whether the document can be run as it is now: while an edit is
        half done it may not be, and the next one starts a run."""
        super().__init__(parent)
        self._room, self._document, self._only = room, document, only
        self._possible = possible
        self._jobs: tuple[int, ...] = ()
        self._asked = 0
        self._on = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST)
        self._rest.timeout.connect(self._run)
        document.changed.connect(self._changed)

    @property
    def is_on(self) -> bool:
        """Whether changes start runs."""
        return self._on

    def set_on(self, on: bool) -> None:
        """Switch it; switched on, it runs the document as it is."""
        if on == self._on:
            return
        self._on = on
        if on:
            self._run()
        else:
            self._rest.stop()

    def _changed(self, before: Workflow, after: Workflow) -> None:
        same = before.graph is after.graph and before.subgraphs is after.subgraphs
        if self._on and not same:
            self._cancel()
            self._rest.start()

    def _cancel(self) -> None:
        jobs, self._jobs = self._jobs, ()
        for number in jobs:
            view = self._room.job(number)
            if view is None or view.status in ("queued", "running", "paused"):
                self._room.ask(partial(_cancel, number))

    def _run(self) -> None:
        self._cancel()
        if not self._possible():
            return
        self._asked += 1
        asked = self._asked
        self._room.run(
            self._document,
            self._only(),
            priority=AHEAD,
            then=lambda ids: self._queued(asked, ids),
        )

    def _queued(self, asked: int, ids: tuple[int, ...]) -> None:
        older = asked != self._asked or self._rest.isActive() or not self._on
        self._jobs = (*self._jobs, *ids)
        if older:
            self._cancel()


def _cancel(number: int, queue: Queue) -> None:
    from backend.engine.queue.errors import Refused

    with contextlib.suppress(Refused):  # it has ended meanwhile
        queue.cancel([number])
