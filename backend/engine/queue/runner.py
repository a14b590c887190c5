"""The runner: takes jobs from the queue, has a host compute them, and ends each of them once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from backend.engine.cancel import Cancel
from backend.engine.client import Crash as HostCrash
from backend.engine.client import JobOutcome, JobTurns
from backend.engine.events import Event
from backend.engine.queue.ahead import Ahead
from backend.engine.queue.batches import standing_of
from backend.engine.queue.claims import Claims, first, reclaim
from backend.engine.queue.errors import QueueError
from backend.engine.queue.job import Crash, Ending, Job, State
from backend.engine.queue.store import Queue
from backend.engine.queue.watch import Watch
from backend.engine.wire import RunJob
from backend.graph.format import FormatError

POLL = 0.25
"""Seconds between two looks at a queue that has nothing to do."""


class Client(Protocol):
    """Who computes a job; ``backend.engine.client.HostClient`` does."""

    def run(
        self, job: RunJob, on_event: Callable[[Event], None], cancel: Cancel | None
    ) -> JobOutcome:
        """Compute one job; returns when it is over. ``on_event`` is called in this thread."""

    def arrange(self, jobs: Sequence[RunJob], cancel: Cancel) -> tuple[JobTurns, int]:
        """Which steps of jobs are best run before the first, by the places of their jobs, and how
        many of the jobs that is told from."""

    def close(self) -> None:
        """Nothing more is to be computed."""


class Observer(Protocol):
    """Who is told how the work goes on, in the runner's thread."""

    def begun(self, job: Job) -> None:
        """A job begins."""

    def event(self, job: Job, event: Event) -> None:
        """Something that the running job says."""

    def ended(self, job: Job, state: State, ending: Ending | None) -> None:
        """A job is over, or ``queued`` again; ``ending`` where this runner knows it. Its sentence
        says why a job that the host took along is queued again."""

    def paused(self) -> None:
        """The queue is paused, so nothing begins until it is resumed."""


class Runner:
    """Works through a queue. Several may, in as many processes; each job goes to one of them."""

    def __init__(
        self,
        queue: Queue,
        client: Callable[[], Client],
        observer: Observer,
        *,
        attempts: int = 3,
        choose: Callable[[Sequence[Job]], int] = first,
        batches: Sequence[int] = (),
    ) -> None:
        """``client`` makes, with the first job, who computes; ``attempts``, ``choose`` and
        ``batches`` are as in ``Claims``. With ``batches`` the work is over when theirs is."""
        self._queue = queue
        self._make = client
        self._client: Client | None = None
        self._observer = observer
        self._attempts = attempts
        self._choose = choose
        self._batches = batches
        self._barren: set[int] = set()  # jobs of late with which the host died before they began
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._watch: Watch | None = None
        self._ahead: Ahead | None = None

    def wake(self) -> None:
        """Have it look at the queue now, from any thread; otherwise it looks every ``POLL``."""
        self._bell.put(None)
        watch = self._watch
        if watch is not None:
            watch.wake()

    def work(self, stop: Cancel, *, wait: bool = False) -> dict[State, int]:
        """Run jobs until none waits or runs anywhere, or until ``stop``; how many ended how here.

        A job of another runner is waited for, since it comes back here when that one dies. With
        ``wait`` it goes on when the queue is empty. At ``stop`` the running job is stopped and put
        back in its place.

        Raises:
            QueueError: the queue cannot be used any more, or no host lives long enough to begin
                a job.
        """
        counts: dict[State, int] = {}
        claims = Claims(self._queue, self._attempts, self._batches)
        self._ahead = Ahead(claims, partial(order_of, self._queue))
        try:
            with self._ringing(stop):
                while not stop.is_set:
                    job = self._next(claims)
                    if job is not None:
                        state = self._run(claims, job, stop)
                        counts[state] = counts.get(state, 0) + 1
                        continue
                    standing = standing_of(self._queue, self._batches)
                    if not (wait or standing.queued or standing.running):
                        break
                    with contextlib.suppress(Empty):
                        self._bell.get(timeout=POLL)
        finally:
            claims.close()
            if self._client is not None:
                self._client.close()
        return counts

    @contextlib.contextmanager
    def _ringing(self, stop: Cancel) -> Iterator[None]:
        """While ``stop``, also from a signal handler, rings the bell."""
        remove = stop.on_cancel(lambda: self._bell.put(None))
        try:
            yield
        finally:
            remove()

    def _next(self, claims: Claims) -> Job | None:
        for found, state in reclaim(self._queue, self._attempts):
            self._observer.ended(found, state, None)
        job = claims.take(self._choose)
        if job is None and self._queue.paused:
            self._observer.paused()
        return job

    def _run(self, claims: Claims, job: Job, stop: Cancel) -> State:
        """Have one job computed; the state it is in after that."""
        try:
            self._observer.begun(job)
            state, ending = self._carried_out(claims, job, stop)
            self._observer.ended(job, state, ending)
        except BaseException:
            claims.give_back(job)  # where it has not ended
            raise
        return state

    def _carried_out(self, claims: Claims, job: Job, stop: Cancel) -> tuple[State, Ending | None]:
        try:
            order = order_of(self._queue, job)
        except FormatError as error:
            return self._refuse(claims, job, error.sentence)
        gone = [path for path in job.grants if path != job.base and not os.path.exists(path)]
        if gone:
            said = f"{gone[0]} may be read by this job, but is not there any more."
            return self._refuse(claims, job, f"{said} Put it back and retry the job.")
        if self._client is None:
            self._client = self._make()
        cancel = Cancel()
        remove = stop.on_cancel(cancel)
        watch = self._watch = Watch(claims, job, cancel)
        client, tell = self._client, partial(self._observer.event, job)
        try:
            if self._ahead is not None:
                self._ahead.take(job, client.arrange, client.run, tell, cancel)
            outcome = client.run(order, partial(self._heard, watch, job), cancel)
        finally:
            remove()
            watch.close()
        return self._settle(claims, job, outcome, watch, stop)

    def _refuse(self, claims: Claims, job: Job, why: str) -> tuple[State, Ending | None]:
        ending = Ending("failed", why)
        claims.finish(job, ending)
        return "failed", ending

    def _heard(self, watch: Watch, job: Job, event: Event) -> None:
        watch.event(event)
        self._observer.event(job, event)

    def _settle(
        self, claims: Claims, job: Job, outcome: JobOutcome, watch: Watch, stop: Cancel
    ) -> tuple[State, Ending | None]:
        """Write down what came of a job."""
        self._barren = set() if watch.heard else self._barren
        if outcome.status == "crashed" and outcome.crash is not None:
            crash = crash_of(outcome.crash)
            if not watch.heard:
                self._barren.add(job.id)
            if len(self._barren) > 1:  # it is not the job that kills them
                raise QueueError(
                    f"The process that computes ends before a job begins. {crash.cause} The jobs "
                    "stay in the queue."
                )
            state = claims.crashed(job, crash, watch.timings)
            return state, Ending(state, crash.cause) if state in ("failed", "queued") else None
        ending = ending_of(job, outcome, watch)
        if ending.state == "cancelled":
            wish = claims.wish(job)
            if wish == "pause" or (wish == "" and stop.is_set):
                claims.give_back(job, paused=wish == "pause")
                return "queued", None
        if not claims.finish(job, ending):
            return self._queue.job(job.id).state, None
        return ending.state, ending


def order_of(queue: Queue, job: Job) -> RunJob:
    """What a host is told of a job.

    Raises:
        FormatError: its document cannot be read by this Weft.
    """
    return RunJob(
        id=job.ticket,
        workflow=queue.document(job.id),
        base=job.base,
        grants=job.grants,
        output=job.output,
        only=job.only,
        ledger=str(queue.path),
        job=job.ticket,
    )


def crash_of(crash: HostCrash) -> Crash:
    """A crash as the queue keeps it."""
    steps = tuple(str(step) for step in crash.steps)
    return Crash(crash.cause, steps, crash.peak_memory, crash.last_output, crash.trace)


def ending_of(job: Job, outcome: JobOutcome, watch: Watch) -> Ending:
    """What came of a job that was computed to its end, as the history keeps it."""
    failures = {step: failure.sentence for step, failure in outcome.failures.items()}
    said = [f"{step}: {sentence}" for step, sentence in failures.items()][:1]
    if outcome.error is not None:
        said.insert(0, outcome.error.sentence)
    said += [each.sentence for each in outcome.diagnostics if each.level == "error"][:3]
    state: State = "failed"
    if outcome.status == "done" or outcome.status == "cancelled":
        state, said = outcome.status, ["It was cancelled."] * (outcome.status == "cancelled")
    elif not os.path.isdir(job.base):
        said.append(f"The folder of the workflow, {job.base}, is not there any more.")
    files = {saved.path: saved for saved in (*outcome.saved, *outcome.kept)}
    return Ending(
        state=state,
        sentence=" ".join(said),
        seconds=outcome.seconds,
        outputs=tuple(files.values()),
        failures=failures,
        timings=watch.timings,
    )
