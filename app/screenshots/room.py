"""An engine room without an engine: what its jobs say is told to it, at times that are told too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer

from app.open_document import OpenDocument
from app.run.board import Origin
from app.run.desk import Act, Listing
from app.run.looks import Looked
from app.run.meters import Memory
from app.run.plan import planned
from app.run.room import EngineRoom
from app.run.signals import Engine
from app.run.state import JobView
from backend.engine.events import Event
from backend.graph.spec import NodeSpec

if TYPE_CHECKING:
    from backend.engine.queue.job import Ending, Job
    from backend.settings import Settings

GIB = 2**30
_ADDED = 1_760_000_000.0


class StillRoom(EngineRoom):
    """Everything that is shown of runs comes from the same places as in a real room; only the
    queue and the host are not there. ``now`` is its clock, in seconds."""

    now = 1000.0

    def __init__(self, queue: Path, **given: Any) -> None:
        super().__init__(queue, _no_client, **given)
        self.values: dict[tuple[str, str], tuple[str, object]] = {}
        """What is seen at an output: its type and value, by step and name."""
        self._number = 10
        self._listing = Listing()

    def start(self) -> None:
        self._put_engine(Engine("ready", "", 1))
        self.memory_changed.emit(
            Memory(int(6.2 * GIB), 16 * GIB, GIB, int(1.9 * GIB), 4 * GIB, "GPU")
        )
        self._relist(Listing())

    def run(
        self,
        document: OpenDocument,
        only: Sequence[str] = (),
        count: int = 1,
        *,
        seed: int | None = None,
        priority: int = 0,
        then: Callable[[tuple[int, ...]], object] = bool,
    ) -> None:
        ids = [self.queue(document, seed or 4127 + n, only) for n in range(count)]
        then(tuple(ids))

    def queue(self, document: OpenDocument, seed: int, only: Sequence[str] = ()) -> int:
        """A job waits; its number."""
        self._number += 1
        number, workflow = self._number, document.workflow
        origin = Origin(document.id, workflow, planned(workflow, self._specs(), only), tuple(only))
        self._going.origins[number] = origin
        self._going.expect(origin)
        jobs = (*self._listing.jobs, _job(number, document.name, {"sample.seed": seed}))
        self._relist(Listing(jobs, self._listing.ended))
        self._flush()
        return number

    def begin(self, number: int) -> None:
        """A waiting job begins."""
        from dataclasses import replace

        job = next(job for job in self._listing.jobs if job.id == number)
        job = replace(job, state="running", begun=_ADDED + self.now)
        others = tuple(each for each in self._listing.jobs if each.id != number)
        self._begun(job, self.now)
        self._relist(Listing((job, *others), self._listing.ended))
        self._put_engine(Engine("computing", "", 1, number))

    def hear(self, event: Event, after: float = 0.0, memory: int = 0) -> None:
        """The job that runs says something, so many seconds later, when the host holds so much."""
        self.now += after
        self._heard(self._going.job, event, self.now)
        if memory:
            self._going.weigh(self.now, memory, memory)
        self._flush()

    def end(self, ending: Ending) -> None:
        """The job that runs is over."""
        from dataclasses import replace

        number = self._going.job
        job = next(job for job in self._listing.jobs if job.id == number)
        job = replace(job, state=ending.state, ended=_ADDED + self.now)
        others = tuple(each for each in self._listing.jobs if each.id != number)
        self._ended(number, self.now)
        self._relist(Listing(others, ((job, ending), *self._listing.ended)))
        self._put_engine(Engine("ready", "", 1))

    def cancel(self, job: int | None = None) -> None:
        from backend.engine.queue.job import Ending

        if self._going.job and job in (None, self._going.job):
            self.end(Ending("cancelled"))

    def cancel_all(self, document: OpenDocument | str | None = None) -> None:
        self.cancel()
        for job in self._listing.jobs:
            origin = self._going.origins.pop(job.id, None)
            if origin is not None:
                self._going.withdrawn(origin.document, job.id, ())
        self._relist(Listing((), self._listing.ended))
        self._flush()

    def ask(self, act: Act, then: Callable[[object], object] = bool) -> None:
        """There is no queue to ask."""

    def follow(self, origin_of: Callable[[int], Origin | None]) -> None:
        """There is nobody who would run them."""

    def free_memory(self) -> None:
        """There is none to free."""

    def look(
        self,
        document: OpenDocument,
        step: str,
        output: str,
        then: Callable[[Looked], object],
        *,
        compute: bool = False,
        key: str = "",
    ) -> None:
        kind, value = self.values.get((step, output), ("", None))
        sentence = "" if value is not None else "This value is not there. Run the node to see it."
        seen = Looked(step, output, value, kind, sentence, True, self.last_job(document))
        QTimer.singleShot(0, self, lambda: then(seen))

    def _relist(self, listing: Listing) -> None:
        self._listing = listing
        self._listed(listing)

    def _lively(self, view: JobView) -> JobView:
        return self._going.lively(view, self.now, self._specs())

    def _tell_running(self) -> None:
        view = self._book.views.get(self._going.job)
        if view is not None:
            self._book.views[view.id] = now = self._lively(view)
            self.job_changed.emit(now)

    def _beat(self) -> None:
        self._flush()


def still_room(
    settings: Settings,
    specs: Callable[[], Mapping[str, NodeSpec]],
    output: Callable[[], Path],
    grants: Callable[[OpenDocument], Sequence[Path]] = lambda _: (),
) -> StillRoom:
    """In place of ``app.run.setup.engine_room``."""
    return StillRoom(Path("nowhere"), specs=specs, output=output, grants=grants)


def _no_client() -> Any:
    raise RuntimeError("A still room has no host.")


def _job(number: int, title: str, seeds: Mapping[str, int]) -> Job:
    from backend.engine.queue.job import Job

    return Job(
        number, "queued", False, 0, float(number), 0, 0, title, seeds, "", (), "/output", (),
        _ADDED, 0.0, 0.0, 0, 0, "", "", 0.0, 0.0, (),
    )  # fmt: skip
