"""The thread that works through the queue, and the host processes that it uses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what computes is loaded by the thread that uses it, when the window is seen
    from backend.engine.cancel import Cancel
    from backend.engine.client import HostClient, JobOutcome, JobTurns
    from backend.engine.events import Event
    from backend.engine.queue.job import Ending, Job, State
    from backend.engine.queue.runner import Runner
    from backend.engine.wire import RunJob
    from backend.values import Data

LAST_WORDS = 10.0
"""Seconds that a running job gets to be put back when the program ends."""


class Worker:
    """Runs what waits in the queue, in a thread of its own, until it is closed.

    ``heard`` are functions that are called in that thread. It ends by itself where the queue or
    the hosts cannot be used; ``start`` then tries again.
    """

    def __init__(
        self,
        path: Path,
        make_client: Callable[[], HostClient],
        *,
        attempts: int,
        begun: Callable[[Job], object],
        event: Callable[[Job, Event], object],
        ended: Callable[[Job, State, Ending | None], object],
        stopped: Callable[[str], object],
    ) -> None:
        self._path, self._make_client, self._attempts = path, make_client, attempts
        self._on_begun, self._on_event, self._on_ended = begun, event, ended
        self._on_stopped = stopped
        self._lock = threading.Lock()
        self._client: HostClient | None = None
        self._runner: Runner | None = None
        self._thread: threading.Thread | None = None
        self._stop: Cancel | None = None
        self._closed = False

    def start(self) -> None:
        """Have a host ready and begin to work, where it does not already."""
        from backend.engine.cancel import Cancel

        with self._lock:
            if self._closed or (self._thread is not None and self._thread.is_alive()):
                return
            self._client = self._client or self._make_client()
            self._stop = Cancel()
            self._thread = threading.Thread(target=self._work, name="weft-runner", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Look at the queue now."""
        runner = self._runner
        if runner is not None:
            runner.wake()

    @property
    def is_working(self) -> bool:
        """Whether jobs of the queue are taken."""
        return self._runner is not None

    @property
    def client(self) -> HostClient | None:
        """Who has the hosts, while there are any."""
        return self._client

    def look(self, job: RunJob, cancel: Cancel, take: tuple[str, str]) -> tuple[JobOutcome, Data]:
        """Run a job beside the queue, and take one of its outputs; waits for its turn.

        Raises:
            NoValue: it is not there, or no host is.
        """
        from backend.engine.client.values import NoValue

        with self._lock:
            if self._closed:
                raise NoValue("The program ends.")
            client = self._client = self._client or self._make_client()
        outcome = client.run(job, cancel=cancel)
        if outcome.status != "done" or not any(each[:2] == take for each in outcome.outputs):
            return outcome, 0
        return outcome, client.value(job.id, *take)

    def close(self) -> None:
        """Put back what runs, and end the hosts."""
        with self._lock:
            self._closed = True
            client, thread = self._client, self._thread
        if self._stop is not None:
            self._stop()
        if thread is not None:
            thread.join(LAST_WORDS)
        if client is not None:
            client.close()

    def begun(self, job: Job) -> None:
        self._on_begun(job)

    def event(self, job: Job, event: Event) -> None:
        self._on_event(job, event)

    def ended(self, job: Job, state: State, ending: Ending | None) -> None:
        self._on_ended(job, state, ending)

    def paused(self) -> None:
        """The listing of the queue tells it."""

    def _work(self) -> None:
        from backend.engine.queue.errors import QueueError
        from backend.engine.queue.runner import Runner
        from backend.engine.queue.store import Queue

        sentence, stop = "", self._stop
        assert stop is not None
        try:
            with Queue(self._path) as queue:
                made: Callable[[], Any] = partial(_Kept, self)
                self._runner = Runner(queue, made, self, attempts=self._attempts)
                self._runner.work(stop, wait=True)
        except QueueError as error:
            sentence = str(error)
        finally:
            self._runner = None
            self._on_stopped(sentence)


class _Kept:
    """The worker's client, which outlives the runner."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def run(
        self, job: RunJob, on_event: Callable[[Event], None], cancel: Cancel | None
    ) -> JobOutcome:
        client = self._worker.client
        assert client is not None
        return client.run(job, on_event, cancel)

    def arrange(self, jobs: Sequence[RunJob], cancel: Cancel) -> tuple[JobTurns, int]:
        client = self._worker.client
        assert client is not None
        return client.arrange(jobs, cancel)

    def close(self) -> None:
        """The worker closes it."""
