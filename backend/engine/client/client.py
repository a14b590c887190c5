"""The client of host processes: jobs go in, events and one outcome each come out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import count
from types import TracebackType

from backend.engine.cancel import Cancel
from backend.engine.client.arranged import JobTurns, arranged
from backend.engine.client.cause import barren, crash_of, no_host
from backend.engine.client.hosts import BARREN, Closed, Hosts
from backend.engine.client.outcome import JobOutcome
from backend.engine.client.talk import Talk
from backend.engine.client.turns import Turns
from backend.engine.client.values import NoValue, fetch
from backend.engine.events import Event
from backend.engine.wire import RunJob, Setup
from backend.values import Data


def _ignore(event: Event) -> None:
    """What becomes of events that nobody asked for."""


class HostClient:
    """Runs jobs in a process of its own, which may die without harm to the caller's.

    A host is started at once, and one more after it where ``standby`` is wanted: it imports the
    model libraries and waits to take over. Jobs of several threads take turns in the order of the
    calls. Close it, or use it as a context manager; where the caller's process dies, the hosts die
    with it.
    """

    def __init__(
        self, setup: Setup, *, standby: bool = True, grace: float = 5.0, memory: int = 0
    ) -> None:
        """Returns at once.

        Args:
            setup: How hosts compute.
            standby: Whether a second host waits, and a dead one is replaced at once instead of
                when the next job comes.
            grace: Seconds that a cancelled job has before its host is ended.
            memory: Bytes that a host may take before it is ended; 0 is nine tenths of what the
                machine or the control group has.
        """
        self._grace = grace
        self._hosts = Hosts(setup, standby, memory)
        self._turns = Turns()
        self._running = False

    @property
    def pid(self) -> int | None:
        """The number of the process that takes jobs, if one is there."""
        host = self._hosts.current
        return host.pid if host is not None else None

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences on node files and packs that the present host cannot use."""
        host = self._hosts.current
        return host.ready.errors if host is not None and host.ready is not None else ()

    @property
    def is_ready(self) -> bool:
        """Whether a process is there that takes jobs."""
        host = self._hosts.current
        return host is not None and host.ready is not None

    @property
    def printed(self) -> str:
        """The last of what the present host printed."""
        host = self._hosts.current
        return host.printed if host is not None else ""

    def renew(self) -> None:
        """Have another host take over, once the present job is over: all memory of this one, its
        models and results, goes back to the system. What is on disk stays."""
        self._hosts.renew()

    def run(
        self,
        job: RunJob,
        on_event: Callable[[Event], None] = _ignore,
        cancel: Cancel | None = None,
    ) -> JobOutcome:
        """Run a job and wait for its end.

        Args:
            job: What to run. Its id differs from those of other jobs.
            on_event: Gets each event, always in the calling thread. What it raises cancels the job
                and is raised once that is over.
            cancel: Ends the job early.

        Nothing that a job does is raised. A job whose host dies before it has begun begins again
        with the next, a few times; otherwise its outcome is ``crashed``.
        """
        cancel = cancel or Cancel()
        begin = time.monotonic()
        with self._turns.take(cancel) as mine:
            outcome = self._run(job, on_event, cancel) if mine else None
        return outcome or JobOutcome("cancelled", seconds=time.monotonic() - begin)

    def _run(
        self, job: RunJob, on_event: Callable[[Event], None], cancel: Cancel
    ) -> JobOutcome | None:
        """``None`` when it was cancelled, or all was closed, before it began."""
        hosts = self._hosts
        for attempt in count(1):
            if cancel.is_set:
                return None
            try:
                talk = Talk(hosts.take(), job, on_event, cancel, self._grace)
            except Closed:
                return None
            except OSError as error:
                return JobOutcome("crashed", crash=no_host(error))
            self._running = True
            try:
                outcome = talk.until_over()
            finally:
                self._running = False
            if hosts.closed and talk.died is not None:
                return JobOutcome("cancelled")
            if outcome is not None:
                return outcome
            assert talk.died is not None
            if hosts.barren >= BARREN:
                return JobOutcome("crashed", crash=barren(hosts.barren, talk.died, hosts.limit))
            if attempt >= BARREN:  # it may be this job that kills them
                return JobOutcome("crashed", crash=crash_of(talk.died, (), hosts.limit))
        return None

    def arrange(self, jobs: Sequence[RunJob], cancel: Cancel) -> tuple[JobTurns, int]:
        """Which steps of jobs are best run before the first of them, so that each model is loaded
        once for all: turns of jobs, by their places, and how many of the jobs were looked at. No
        turns where all models fit together, or where no host tells."""
        with self._turns.take(cancel) as mine:
            try:
                host = self._hosts.take() if mine else None
            except (Closed, OSError):  # the job that comes next meets the same, and tells
                host = None
            return arranged(host, jobs, cancel) if host is not None else ((), len(jobs))

    def value(self, job: str, step: str, output: str) -> Data:
        """An output of the last job, as ``JobOutcome.outputs`` names it.

        Raises:
            NoValue: it is not there any more; the text says why.
        """
        with self._turns.take(Cancel()):
            host = self._hosts.current
            if host is None:
                raise NoValue("The process that had this value is gone; run the job again.")
            return fetch(host, job, step, output)

    def close(self) -> None:
        """End the hosts: at once where a job runs, which is then cancelled."""
        self._hosts.close(at_once=self._running)

    def __enter__(self) -> HostClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
