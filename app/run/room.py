"""The engine room: runs documents by the queue, and tells the window how it goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from app.open_document import OpenDocument
from app.run.board import Origin
from app.run.costs import Costs
from app.run.desk import Act, Desk, Listing
from app.run.known import Known, Which, id_of
from app.run.looks import Looked, Looks, Sight
from app.run.mailbox import Mailbox
from app.run.meters import Memory, Meters
from app.run.plan import planned
from app.run.signals import Engine, EngineStatus
from app.run.sleep import Awake
from app.run.state import JobView
from app.run.worker import Worker
from app.words import tr
from backend.engine.events import Event
from backend.graph.spec import NodeSpec

if TYPE_CHECKING:
    from backend.engine.client import HostClient
    from backend.engine.queue.job import Ending, Job, State
    from backend.engine.queue.store import Queue

PULSE = 250
"""Milliseconds between two looks at whether the host lives, and two tellings of the time left."""

AWAKE = 5.0
"""Seconds after which a job keeps the machine awake."""


class EngineRoom(Known):
    """Every run is a job of the queue, which other programs may share; threads of this object take
    jobs, have a host process compute them, and post what happens to the thread of the window.

    All methods return at once and are called in the thread of the window.
    """

    def __init__(
        self,
        queue: Path,
        client: Callable[[], HostClient],
        *,
        specs: Callable[[], Mapping[str, NodeSpec]],
        output: Callable[[], Path],
        grants: Callable[[OpenDocument], Sequence[Path]] = lambda _: (),
        costs: Path | None = None,
        attempts: int = 3,
        parent: QObject | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            queue: The file of the queue.
            client: Makes the client of hosts (``app.run.setup.client_of``).
            specs: The node types that are known now.
            output: The folder for outputs.
            grants: What a document may read beside its own folder.
            costs: Where it is kept how long node types take; nowhere if not given.
            attempts: How often a job is begun when hosts die with it.
            parent: Of this object.
        """
        super().__init__(Costs.load(costs) if costs is not None else Costs(), parent)
        self._specs, self._output, self._grants = specs, output, grants
        self._costs_file = costs
        self._mailbox = Mailbox(self)
        self._desk = Desk(queue, self._mailbox, self._listed)
        self._worker = Worker(
            queue, client, attempts=attempts, begun=self._post_begun, event=self._post_event,
            ended=self._post_ended, stopped=self._post_stopped,
        )  # fmt: skip
        self._looks = Looks(self._worker, self._mailbox)
        self._meters = Meters(lambda: c.pid if (c := self._worker.client) else None, self)
        self._meters.measured.connect(self._measured)
        self._awake = Awake(tr("A graph is computed."))
        self._followed: list[Callable[[int], Origin | None]] = []
        self._adding = threading.Lock()  # a job begins only after it is known what it is of
        self._mailbox.emptied.connect(self._flush)
        self._pulse = QTimer(self)
        self._pulse.setInterval(PULSE)
        self._pulse.timeout.connect(self._beat)

    # What is asked of it.

    def start(self) -> None:
        """Open the queue, have a host ready, and work through what waits."""
        self._desk.start()
        self._worker.start()
        self._meters.start()
        self._pulse.start()

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
        """Queue jobs of a document as it is now.

        Args:
            document: What to run.
            only: Nodes to run up to, by path; by default all that has an effect.
            count: Jobs that differ in their seeds.
            seed: As in ``backend.engine.queue.submit.drafts``.
            priority: Higher runs first.
            then: Gets the numbers of the jobs.

        What cannot be is told by ``refused``.
        """
        from backend.engine.queue.job import Draft
        from backend.engine.queue.submit import drafts

        workflow, specs = document.workflow, self._specs()
        origin = Origin(document.id, workflow, planned(workflow, specs, only), tuple(only))
        base, grants = self._places(document)
        draft = Draft(
            "", base, str(self._output().absolute()), grants,
            only=tuple(only), title=document.name, priority=priority,
        )  # fmt: skip

        def add(queue: Queue) -> tuple[int, ...]:
            made = drafts(draft, workflow, specs, count=count, seed=seed)
            with self._adding:
                ids = queue.add(made)
                self._going.origins.update(dict.fromkeys(ids, origin))
            self._worker.wake()
            return ids

        def told(ids: tuple[int, ...]) -> None:
            self._going.expect(origin)
            self._flush()
            then(ids)

        self._worker.start()
        self._desk.do(add, told, partial(self.refused.emit, document.id))

    def cancel(self, job: int | None = None) -> None:
        """Cancel a job, or else the one that runs here."""
        number = job or self._going.job
        if number:
            self.ask(lambda queue: queue.cancel([number]))

    def cancel_all(self, document: Which | None = None) -> None:
        """Cancel all that runs or waits, in every program; or only what is of a document."""
        if document is None:
            self.ask(lambda queue: queue.cancel())
            return
        mine = self._book.jobs_of(id_of(document))
        if mine:
            self.ask(lambda queue: queue.cancel(mine))

    def pause(self, jobs: Sequence[int] | None = None) -> None:
        """Pause the queue, or some jobs."""
        self.ask(lambda queue: queue.pause(jobs))

    def resume(self, jobs: Sequence[int] | None = None) -> None:
        """Let the queue, or some jobs, go on."""
        self.ask(lambda queue: queue.resume(jobs))

    def retry(self, job: int) -> None:
        """Queue a copy of a job that failed or was cancelled."""

        def again(queue: Queue) -> None:
            with self._adding:
                new = queue.retry(job)
                origin = self._going.origins.get(job)
                if origin is not None:
                    self._going.origins[new] = origin

        self._worker.start()
        self.ask(again)

    def move(self, job: int, to: int | str) -> None:
        """Have a waiting job run ``first``, ``last``, or just before another."""
        self.ask(lambda queue: queue.move(job, to))

    def clear(self) -> None:
        """Take what has ended off the list; the history keeps it."""
        self.ask(lambda queue: queue.clear())

    def ask(self, act: Act, then: Callable[[object], object] = bool) -> None:
        """Have anything done with the queue, in its thread; ``then`` gets what came of it."""

        def acted(queue: Queue) -> object:
            given = act(queue)
            self._worker.wake()
            return given

        self._desk.do(acted, then, partial(self.refused.emit, ""))

    def follow(self, origin_of: Callable[[int], Origin | None]) -> None:
        """Have jobs that are queued through ``ask`` shown as those of a document: ``origin_of``
        tells what one was made of, if it knows it, when it begins."""
        self._worker.start()
        self._followed.append(origin_of)

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
        """Have ``then`` called with the value of an output, when no job runs.

        It is that of the last job of the document, or with ``compute`` of the document as it is
        now, which is then run up to there; without it nothing is ever computed. Of two asked under
        one ``key`` only the newer is told.
        """
        board = self._going.boards.get(document.id)
        job = board.last if board is not None else 0
        origin = board.origin if board is not None else None
        workflow = document.workflow if compute or origin is None else origin.workflow
        base, grants = self._places(document)
        self._looks.ask(
            Sight(
                workflow, step, output, base, grants, str(self._output().absolute()),
                self.seeds(document), compute, job,
            ),
            then,
            key,
        )  # fmt: skip

    def free_memory(self) -> None:
        """Give all memory of the host back, once no job runs: models and results that are not on
        disk are loaded and computed again when they are wanted."""
        if self._worker.client is not None:
            self._worker.client.renew()

    def close(self) -> None:
        """Put back what runs, and end all threads and processes."""
        self._pulse.stop()
        self._looks.close()
        self._worker.close()
        self._desk.close()
        self._meters.close()
        self._mailbox.close()
        self._awake.release()
        if self._costs_file is not None:
            self._going.costs.save(self._costs_file)

    def forget(self, document: Which) -> None:
        """A document is closed. Its jobs go on."""
        self._going.boards.pop(id_of(document), None)

    # What comes from other threads.

    def _post_begun(self, job: Job) -> None:
        with self._adding:
            pass
        self._mailbox.post(partial(self._begun, job, time.monotonic()))

    def _post_event(self, job: Job, event: Event) -> None:
        self._mailbox.post(partial(self._heard, job.id, event, time.monotonic()))

    def _post_ended(self, job: Job, state: State, ending: Ending | None) -> None:
        self._desk.do(lambda queue: None)  # lists it
        self._mailbox.post(partial(self._ended, job.id, time.monotonic()))

    def _post_stopped(self, sentence: str) -> None:
        self._mailbox.post(partial(self._stopped, sentence))

    def _begun(self, job: Job, now: float) -> None:
        found = None if job.id in self._going.origins else self._origin_of(job.id)
        if found is not None:
            self._going.origins[job.id] = found
            self._going.expect(found)
        document = self._going.begun(job, now)
        self.job_changed.emit(self._book.begun(job, document))
        self._meters.busy(True)
        self._beat()

    def _heard(self, job: int, event: Event, now: float) -> None:
        self._going.heard(job, event, now, self._specs())

    def _origin_of(self, job: int) -> Origin | None:
        return next((o for each in self._followed if (o := each(job)) is not None), None)

    def _ended(self, job: int, now: float) -> None:
        if self._going.job != job:
            return
        document = self._book.views[job].document if job in self._book.views else ""
        others = [number for number in self._book.jobs_of(document) if number != job]
        self._going.ended(now, self._going.steps(others))
        self._awake.release()
        self._meters.busy(False)
        self.timeline_changed.emit(job)
        self._beat()

    def _stopped(self, sentence: str) -> None:
        if self._going.live is not None:
            self._going.ended(time.monotonic(), ())
        self._awake.release()
        self._put_engine(Engine("dead", sentence) if sentence else Engine())

    def _listed(self, listing: Listing) -> None:
        """The queue has changed, whoever changed it."""
        documents = {n: origin.document for n, origin in list(self._going.origins.items())}
        news = self._book.turn(listing, documents, self._going.job, self._lively)
        for view in news.changed:
            self.job_changed.emit(view)
        for view in news.ended:
            waiting = self._going.steps(self._book.jobs_of(view.document))
            self._going.withdrawn(view.document, view.id, waiting)
            self.job_ended.emit(view)
        for number, sentence in news.died:
            self.host_died.emit(number, sentence)
        with self._adding:
            self._going.tidy(self._book.views)
        if news.moved:
            self.jobs_changed.emit()

    # What follows from it.

    def _lively(self, view: JobView) -> JobView:
        return self._going.lively(view, time.monotonic(), self._specs())

    def _flush(self) -> None:
        """Tell what the last batch changed, each once."""
        going = self._going
        changed, going.changed = going.changed, {}
        shown, going.shown = going.shown, set()
        for document, steps in changed.items():
            self.nodes_changed.emit(document, frozenset(steps))
            for step in steps:
                self.node_changed.emit(document, step)
        for document, step in shown:
            self.preview.emit(document, step)
        if changed and going.job:
            self.timeline_changed.emit(going.job)
        self._tell_running()

    def _tell_running(self) -> None:
        """Tell how far the running job is."""
        view = self._book.views.get(self._going.job)
        if view is not None:
            now = self._lively(view)
            if now != view:
                self._book.views[view.id] = now
                self.job_changed.emit(now)

    def _beat(self) -> None:
        """Look at the host, and let time go by."""
        live, now = self._going.live, time.monotonic()
        if live is not None:
            if now - live.begun > AWAKE:
                self._awake.hold()
            self._going.tick(now)
            self._flush()
        client = self._worker.client
        if client is None or not self._worker.is_working:
            return
        status: EngineStatus = "ready" if client.is_ready else "starting"
        if self._going.job:
            status = "computing"
        self._put_engine(Engine(status, "", client.pid, self._going.job))

    def _put_engine(self, engine: Engine) -> None:
        if engine != self.engine:
            self.engine = engine
            self.engine_changed.emit()

    def _measured(self, memory: Memory) -> None:
        if self._going.job:
            self._going.weigh(time.monotonic(), memory.host, memory.device_used)
            self._flush()
        self.memory_changed.emit(memory)

    def _places(self, document: OpenDocument) -> tuple[str, tuple[str, ...]]:
        """What relative paths of a document mean, and what it may read: its own folder and what
        was granted. One without a file has no folder of its own."""
        from backend.engine.queue.submit import base_and_grants

        path = document.session.path
        own = (path.absolute().parent,) if path is not None else ()
        roots = (*own, *self._grants(document))
        return base_and_grants(own[0] if own else Path.home(), roots)
