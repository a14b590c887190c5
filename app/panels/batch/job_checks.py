"""Whether the jobs of a batch can run: one for each value that occurs, in the process of checks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from PySide6.QtCore import QObject, Signal, SignalInstance

from app.specs.helper import Helper, News
from app.words import tr
from backend.batch.plan import Batch
from backend.batch.rows import Point, told
from backend.graph.diagnostics import Diagnostic
from backend.graph.document import Workflow

MOST = 60
"""Jobs that are checked before they are queued; an error of another is told in its turn."""

_DOCUMENT = "batch"


class Checking(Protocol):
    """Who checks jobs; ``JobChecks`` is one."""

    said: SignalInstance

    def ask(self, number: int, batch: Batch) -> None: ...


class JobChecks(QObject):
    """Checks the jobs of the batch that was asked of last.

    ``said`` carries the number of the question, and what is wrong with the first job that cannot
    run; nothing where none was found.
    """

    said = Signal(int, str)

    def __init__(self, helper: Helper, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._helper = helper
        self._number = 0
        self._batch: Batch | None = None
        self._jobs: Iterator[Point] = iter(())
        self._job: Point | None = None
        self._checked: Workflow | None = None
        self._known: tuple[Diagnostic, ...] = ()
        helper.told.connect(self._hear)

    def ask(self, number: int, batch: Batch) -> None:
        """Check the jobs of a batch; of one that was asked of before nothing is said any more."""
        self._number, self._batch = number, batch
        self._jobs = islice(telling(batch), MOST)
        self._next()

    def _next(self) -> None:
        batch, job = self._batch, next(self._jobs, None)
        self._job = job
        if batch is None or job is None:
            self._end("")
            return
        self._checked = batch.recipe.document(job)
        self._helper.check(_DOCUMENT, self._checked, batch.grants.base, batch.grants.roots)

    def _hear(self, document: str, news: News) -> None:
        if document != _DOCUMENT:
            return
        if news.diagnostics is not None:  # else they are as before
            self._known = news.diagnostics
        job, batch = self._job, self._batch
        if news.workflow is not self._checked or job is None or batch is None:
            return
        if news.sentence:  # nothing is checked at present, and the engine checks by itself
            self._end("")
            return
        wrong = next((each for each in self._known if each.level == "error"), None)
        if wrong is None:
            self._next()
            return
        values = told(job)
        name = tr("Job {n} ({values})", n=job.index, values=values) if values else tr("A job")
        self._end(tr("{job} cannot run: {why}", job=name, why=wrong.sentence))

    def _end(self, sentence: str) -> None:
        self._batch = self._job = self._checked = None
        self._known = ()
        self._helper.forget(_DOCUMENT)
        self.said.emit(self._number, sentence)


def telling(batch: Batch) -> Iterator[Point]:
    """The jobs in which a value occurs for the first time."""
    seen: set[tuple[str, str]] = set()
    for point in batch.points:
        new = {(each.target, repr(each.value)) for each in point.values} - seen
        if new or not seen:
            seen |= new
            yield point
