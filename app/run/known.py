"""What the engine room knows of jobs, of where each step stands, and of memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from PySide6.QtCore import QObject

from app.open_document import OpenDocument
from app.run.book import Book
from app.run.costs import Costs
from app.run.going import Going
from app.run.meters import Memory, Meters
from app.run.plan import stale
from app.run.signals import Engine, RoomSignals
from app.run.state import JobView, NodeRun
from app.run.timeline import Timeline
from app.run.worker import Worker

Which: TypeAlias = OpenDocument | str
"""A document, or its id."""


class Known(RoomSignals):
    """Answers at once, from what was heard; nothing here asks another thread."""

    _worker: Worker
    _meters: Meters

    def __init__(self, costs: Costs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.engine = Engine()
        self._going = Going(costs)
        self._book = Book()

    def jobs(self) -> tuple[JobView, ...]:
        """What runs, then what waits in its order, then what has ended, the last first."""
        return tuple(self._book.views.values())

    def job(self, number: int) -> JobView | None:
        """One of ``jobs``."""
        return self._book.views.get(number)

    @property
    def paused(self) -> bool:
        """Whether the whole queue is paused."""
        return self._book.listing.paused

    @property
    def trouble(self) -> str:
        """Why the queue cannot be used; empty where it can."""
        return self._book.listing.trouble

    @property
    def memory(self) -> Memory:
        """The memory as it was last measured."""
        return self._meters.memory

    @property
    def printed(self) -> str:
        """The last of what the present host printed."""
        client = self._worker.client
        return client.printed if client is not None else ""

    def runs(self, document: Which) -> Mapping[str, NodeRun]:
        """The steps of a document that were part of a run; ``app.run.places.level_runs`` has them
        as the nodes of a level."""
        board = self._going.boards.get(id_of(document))
        return board.runs if board is not None else {}

    def usual(self, document: Which, step: str, kind: str) -> float | None:
        """Seconds that a step of this type may take, if any like it ever ran."""
        return self._going.costs.usual(id_of(document), step, kind)

    def thumbnail(self, document: Which, step: str) -> bytes:
        """The last picture of a step: JPEG, at most 512 pixels wide and high; empty for none."""
        run = self.runs(document).get(step)
        return run.preview if run is not None else b""

    def seeds(self, document: Which) -> Mapping[str, int]:
        """The seeds of the last job of a document, by ``node.param``."""
        board = self._going.boards.get(id_of(document))
        return board.seeds if board is not None else {}

    def last_job(self, document: Which) -> int:
        """The number of the last job of a document that began; 0 for none."""
        board = self._going.boards.get(id_of(document))
        return board.last if board is not None else 0

    def stale(self, document: OpenDocument) -> frozenset[str]:
        """The top-level nodes that would give something else than they did in the last job."""
        board = self._going.boards.get(document.id)
        if board is None or board.origin is None:
            return frozenset()
        return stale(board.origin.workflow, document.workflow)

    def timeline(self, job: int = 0) -> Timeline | None:
        """The record of a job that ran here, or of the last one."""
        number = job or max(self._going.timelines, default=0)
        return self._going.timelines.get(number)


def id_of(document: Which) -> str:
    """The id of a document."""
    return document if isinstance(document, str) else document.id
