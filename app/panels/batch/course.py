"""A batch that was queued: what became of its jobs, and what can be done with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from PySide6.QtCore import QObject, QTimer, Signal, SignalInstance

from app.open_document import OpenDocument
from app.run.board import Origin
from app.run.desk import Act
from app.run.plan import planned
from app.run.state import JobView
from backend.batch.carry import Again, Carrier
from backend.batch.errors import BatchError
from backend.batch.manifest import Ended, Manifest, new_place
from backend.batch.plan import Batch
from backend.batch.rows import Point
from backend.engine.queue.errors import QueueError, Refused
from backend.graph.document import no_items
from backend.graph.format import FormatError

if TYPE_CHECKING:
    from backend.engine.queue.store import Queue

AT_ONCE = 100
"""Jobs that are queued in one go; others who use the queue get their turn in between."""

_REST = 150
"""Milliseconds after the end of a job until it is written down, with those that end meanwhile."""

T = TypeVar("T")


class Room(Protocol):
    """Who runs jobs; ``app.run.room.EngineRoom`` is one."""

    job_changed: SignalInstance
    job_ended: SignalInstance
    jobs_changed: SignalInstance

    def ask(self, act: Act, then: Callable[[object], object] = bool) -> None: ...
    def follow(self, origin_of: Callable[[int], Origin | None]) -> None: ...
    @property
    def paused(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs of a batch stand where."""

    done: int = 0
    failed: int = 0
    cancelled: int = 0
    left: int = 0

    @property
    def ended(self) -> int:
        """How many are over."""
        return self.done + self.failed + self.cancelled


class Books:
    """The manifest and the queue of one batch; used in the thread of the queue alone."""

    def __init__(self, batch: Batch, asked: Mapping[str, Any], path: Path | None) -> None:
        """``asked`` is put down in a new manifest; ``path`` is one that is gone on with."""
        self.path = path
        self._batch, self._asked = batch, asked
        self._manifest: Manifest | None = None
        self._carrier: Carrier | None = None

    def open(self, queue: Queue) -> Carrier:
        """Begin the manifest, or take it up again.

        Raises:
            BatchError: it cannot be written, or another program writes it.
        """
        if self._carrier is None:
            begun = self._manifest_of()
            self._carrier = Carrier(queue, begun, self._batch.points, self._batch.out)
            self._manifest = begun
        return self._carrier

    def _manifest_of(self) -> Manifest:
        new = self.path is None
        path = self.path or new_place(self._batch.out)
        manifest = Manifest(path, new=new)
        self.path = path
        try:
            if manifest.told.header is None:
                manifest.append([{**self._batch.header(), **self._asked}])
        except BaseException:
            manifest.close()
            raise
        return manifest

    def add(self, points: Sequence[Point], queue: Queue) -> dict[int, int]:
        """Queue jobs; their numbers in the queue with their places in the batch."""
        carrier = self.open(queue)
        carrier.enlist(points, self._batch.recipe.drafts)
        return dict(islice(reversed(carrier.places.items()), len(points)))

    def take_up(self, queue: Queue) -> tuple[dict[int, int], dict[int, Ended], list[Point]]:
        """Go on with a manifest: the jobs that are in the queue, how those ended that have, and
        those that are to be queued."""
        carrier = self.open(queue)
        carrier.record()
        carrier.release()
        return dict(carrier.places), carrier.ends, carrier.left(Again())

    def left(self, again: bool, queue: Queue) -> list[Point]:
        """The jobs that neither wait nor run nor have ended well; with ``again`` failed ones."""
        return self.open(queue).left(Again(failed=again))

    def look(self, queue: Queue) -> dict[int, Ended]:
        """Write down what has ended since; how all have ended that have."""
        carrier = self.open(queue)
        carrier.record(every=False)
        return carrier.ends

    def hold(self, on: bool, queue: Queue) -> bool:
        """Have the jobs that wait not begin, or go on."""
        carrier = self.open(queue)
        if on:
            carrier.hold()
        else:
            carrier.release()
        return on

    def close(self, queue: Queue) -> None:
        """Write down what has ended, and let others write the manifest."""
        if self._carrier is not None and self._manifest is not None:
            try:
                self._carrier.record()
            finally:
                self._manifest.close()
                self._manifest = self._carrier = None


class Course(QObject):
    """One batch under way. ``changed``: it stands elsewhere; ``over``: all its jobs have ended.

    All methods return at once and are called in the thread of the window.
    """

    changed = Signal()
    over = Signal()

    def __init__(
        self,
        room: Room,
        batch: Batch,
        document: OpenDocument,
        asked: Mapping[str, Any] = no_items(),
        path: Path | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Nothing is queued yet. ``asked`` is put down in a new manifest; ``path`` is one of this
        batch that is gone on with."""
        super().__init__(parent)
        self.batch = batch
        self.ends: Mapping[int, Ended] = {}
        self.held = self.is_over = False
        self.trouble = ""
        self.running: dict[int, JobView] = {}
        """The jobs that run, by their places in the batch."""
        self._room = room
        self._document: OpenDocument | None = document
        self._books = Books(batch, asked, path)
        self.counts = Counts(left=len(batch.points))
        self.failed: tuple[Ended, ...] = ()
        self.seconds_left: float | None = None
        """How long the others take if they take as long as those that are done."""
        self._places: dict[int, int] = {}
        self._latest: dict[int, int] = {}
        self._points = {point.index: point for point in batch.points}
        self._waiting: list[Point] = []
        self._going_in = 0  # jobs that are on their way into the queue
        self._wish: set[int] | None = None
        self._stopped = self._closed = self._asking = False
        self._rest = QTimer(self, singleShot=True, interval=_REST)
        self._rest.timeout.connect(self._look)
        room.job_ended.connect(self._ended)
        room.job_changed.connect(self._changed)
        room.jobs_changed.connect(self.changed)

    # What is asked of it.

    def start(self) -> None:
        """Queue all its jobs; of one that was begun those that have neither ended nor wait."""
        self._room.follow(self._origin)
        if self.path is None:
            self._enlist(self.batch.points)
        else:
            self._do(self._books.take_up, lambda found: self.take_up(*found))

    def again(self, places: Iterable[int] = ()) -> None:
        """Queue jobs that failed, were cancelled or never queued: some, or all of them."""
        wanted = set(places) or set(self._points)
        if self._asking:  # a second stroke queues nothing twice
            self._wish = wanted | (self._wish or set())
            return
        self._asking, self._wish = True, None
        self._do(partial(self._books.left, True), partial(self._found, wanted))

    def _found(self, wanted: set[int], left: Sequence[Point]) -> None:
        on_the_way = {point.index for point in self._waiting}
        self._asking = False
        self._enlist([p for p in left if p.index in wanted and p.index not in on_the_way])
        if self._wish is not None:
            self.again(self._wish)

    def hold(self, on: bool) -> None:
        """Have the jobs that wait not begin, or go on."""
        self._do(partial(self._books.hold, on), self._held)

    def cancel(self) -> None:
        """Cancel what waits and runs; what is not queued yet is left out."""
        self._stopped, self._waiting = True, []
        self._cancel([job for job, place in self._places.items() if self._is_alive(place)])

    def forget(self, document: OpenDocument) -> None:
        """A document is closed; if it is that of the batch, it shows nothing of it any more."""
        if self._document is document:
            self._document = None

    def close(self) -> None:
        """The window closes. Its jobs go on, or wait for whoever runs the queue next."""
        if not self._closed:
            self._closed = True
            self._room.job_ended.disconnect(self._ended)
            self._room.job_changed.disconnect(self._changed)
            self._room.jobs_changed.disconnect(self.changed)
            self._do(self._books.close, bool)

    # What is told of it.

    @property
    def path(self) -> Path | None:
        """The manifest, as soon as there is one."""
        return self._books.path

    @property
    def queued(self) -> int:
        """How many of its jobs are or were in the queue."""
        return len(self._latest)

    @property
    def being_queued(self) -> int:
        """How many jobs are still to go into the queue."""
        return len(self._waiting) + self._going_in

    @property
    def not_queued(self) -> int:
        """How many jobs did not get into the queue, since that was stopped or could not be."""
        known = len(self._latest.keys() | self.ends.keys())
        return 0 if self.being_queued else len(self._points) - known

    @property
    def waits_for_queue(self) -> bool:
        """Whether its jobs wait because the whole queue is paused."""
        return self._room.paused and not self.is_over

    # How it goes on.

    def _enlist(self, points: Sequence[Point]) -> None:
        self._stopped, self.is_over = False, False
        self._waiting += points
        self.take_in(self.ends)
        self.changed.emit()
        self._next()

    def take_up(
        self, places: Mapping[int, int], ends: Mapping[int, Ended], left: Sequence[Point]
    ) -> None:
        """Go on: these jobs, by their numbers, are in the queue or were, so have those ended that
        have, and ``left`` are to be queued."""
        self._places |= places
        for job, place in places.items():
            self._latest[place] = max(job, self._latest.get(place, 0))
        self.take_in(ends)
        self._enlist(left)

    def _next(self) -> None:
        chunk, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        self._going_in += len(chunk)
        if chunk:
            self._do(partial(self._books.add, chunk), self._added)
        else:
            self._look()

    def _added(self, places: Mapping[int, int]) -> None:
        self._places |= places
        self._latest |= {place: job for job, place in places.items()}
        self._going_in = max(0, self._going_in - len(places))
        if any(place in self.ends for place in places.values()):
            self.take_in(self.ends)
        if self._stopped:
            self._cancel(list(places))
        self.changed.emit()
        self._next()

    def _held(self, on: bool) -> None:
        self.held = on
        self.changed.emit()

    def _is_alive(self, place: int) -> bool:
        return place not in self.ends

    def _cancel(self, jobs: Sequence[int]) -> None:
        chunk, rest = jobs[:AT_ONCE], jobs[AT_ONCE:]
        if chunk:
            self._do(partial(_cancel, chunk), lambda _: self._cancel(rest))
        else:
            self._look()

    def _changed(self, view: JobView) -> None:
        place = self._places.get(view.id)
        if place is not None:
            if view.status == "running":
                self.running[place] = view
            else:
                self.running.pop(place, None)
            self.changed.emit()

    def _ended(self, view: JobView) -> None:
        place = self._places.get(view.id)
        if place is not None:
            self.running.pop(place, None)
            self._rest.start()

    def _look(self) -> None:
        if not self.is_over:  # then the manifest is left to others
            self._do(self._books.look, self._seen)

    def take_in(self, ends: Mapping[int, Ended]) -> None:
        """Take in how jobs have ended; what is queued once more counts as not ended."""
        anew = {point.index for point in self._waiting}
        self.ends = {
            place: end for place, end in ends.items()
            if place not in anew and self._latest.get(place, 0) <= int(end.line["job"])
        }  # fmt: skip
        by = {status: [each for each in self.ends.values() if each.status == status]
              for status in ("done", "failed", "cancelled")}  # fmt: skip
        done, failed, cancelled = by.values()
        self.failed = tuple(failed)
        left = len(self._points) - len(self.ends)
        self.counts = Counts(len(done), len(failed), len(cancelled), left)
        took = sum(each.line["seconds"] for each in done)
        self.seconds_left = took / len(done) * left if done else None

    def _seen(self, ends: Mapping[int, Ended]) -> None:
        self.take_in(ends)
        going = self.being_queued or self._latest.keys() - self.ends.keys()
        was, self.is_over = self.is_over, not going
        if self.is_over and not was:
            self._do(self._books.close, bool)
            self.over.emit()
        self.changed.emit()

    def _origin(self, job: int) -> Origin | None:
        """What a job of the queue was made of, where it is one of these."""
        place = self._places.get(job)
        if place is None or self._document is None:
            return None
        workflow = self.batch.recipe.document(self._points[place])
        return Origin(self._document.id, workflow, planned(workflow, self.batch.recipe.specs))

    def _do(self, work: Callable[[Queue], T], then: Callable[[T], object]) -> None:
        """Have something done in the thread of the queue; what cannot be is a sentence."""

        def act(queue: Queue) -> tuple[T | None, str]:
            try:
                return work(queue), ""
            except (BatchError, QueueError, OSError) as error:
                return None, str(error)
            except FormatError as error:
                return None, error.sentence

        def told(given: object) -> None:
            found, sentence = cast("tuple[T, str]", given)
            self.trouble = sentence
            if sentence:
                self._waiting, self._asking, self._going_in = [], False, 0
                self.changed.emit()
            else:
                then(found)

        self._room.ask(act, told)


def _cancel(jobs: Sequence[int], queue: Queue) -> None:
    try:
        queue.cancel(jobs)
    except Refused:  # one has ended meanwhile, so none was cancelled
        for job in jobs:
            with suppress(Refused):
                queue.cancel([job])
