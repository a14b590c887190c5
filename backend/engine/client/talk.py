"""The conversation with a host about one job, from the order to the end."""

from __future__ import annotations

import time
from collections.abc import Callable

from backend.engine.cancel import Cancel
from backend.engine.client.cause import crash_of, unanswered
from backend.engine.client.inbox import Died
from backend.engine.client.outcome import JobOutcome
from backend.engine.client.process import HostProcess
from backend.engine.client.story import Story, failures_of
from backend.engine.events import Event
from backend.engine.wire import CancelJob, JobEnd, JobEvent, Report, RunJob


class Talk:
    """Gives a host a job, hands on its events, sees to a cancel, and tells how it ended."""

    def __init__(
        self,
        host: HostProcess,
        job: RunJob,
        on_event: Callable[[Event], None],
        cancel: Cancel,
        grace: float,
    ) -> None:
        self.died: Died | None = None
        self._host, self._job = host, job
        self._on_event, self._cancel, self._grace = on_event, cancel, grace
        self._story = Story()
        self._failure: BaseException | None = None
        self._deadline: float | None = None
        self._forced = False
        self._begin = time.monotonic()

    def until_over(self) -> JobOutcome | None:
        """Run the job; ``None`` where the host died before the job had begun.

        Raises:
            BaseException: what ``on_event`` raised, or what came into this thread (a Ctrl-C), once
                the job is over.
        """
        host = self._host
        host.busy = True
        remove = self._cancel.on_cancel(host.inbox.wake)
        try:
            host.send(self._job)
            outcome = self._listen()
        except BaseException as error:
            self._failure = error
            outcome = self._listen()
        finally:
            host.busy = False
            remove()
        if self._failure is not None:
            raise self._failure
        return outcome

    def _listen(self) -> JobOutcome | None:
        while True:
            self._see_to_cancel()
            message = self._host.inbox.take(self._patience())
            if isinstance(message, Died):
                self.died = message
                return self._after(message)
            if self._forced:
                continue  # it comes too late with whatever it says
            if isinstance(message, JobEnd) and message.id == self._job.id:
                return self._ended(message)
            if message is not None:
                self._hear(message)

    def _patience(self) -> float | None:
        """Seconds until something must be done even if nothing is heard."""
        if self._deadline is None or self._forced:
            return None
        return self._deadline - time.monotonic()

    def _see_to_cancel(self) -> None:
        """Pass on a cancel once, and end the host when it does not answer to it."""
        if self._deadline is None:
            if self._cancel.is_set or self._failure is not None:
                self._host.send(CancelJob(self._job.id))
                self._deadline = time.monotonic() + self._grace
        elif time.monotonic() >= self._deadline and not self._forced:
            self._forced = True
            self._host.kill(stacks=True)

    def _hear(self, report: Report) -> None:
        if not isinstance(report, JobEvent) or report.id != self._job.id:
            return
        self._story.hear(report.event)
        self._tell(report.event)

    def _tell(self, event: Event) -> None:
        if self._failure is None:
            try:
                self._on_event(event)
            except Exception as error:
                self._failure = error

    def _ended(self, end: JobEnd) -> JobOutcome:
        return JobOutcome(
            status=end.status,
            failures=end.failures,
            saved=end.saved,
            kept=end.kept,
            seconds=end.seconds,
            seeds=end.seeds,
            diagnostics=end.diagnostics,
            outputs=end.outputs,
            error=end.error,
            dropped=end.dropped + self._host.inbox.dropped,
        )

    def _after(self, died: Died) -> JobOutcome | None:
        """The outcome where the host has died, which those who listen are told too."""
        stopped = self._cancel.is_set or self._failure is not None
        if not (self._story.begun or stopped):
            return None
        steps, limit = self._story.running, self._host.limit
        if self._forced:
            crash = unanswered(died, steps, self._grace, limit)
        else:
            crash = crash_of(died, steps, limit)
        seconds = time.monotonic() - self._begin
        for event in self._story.last_events(crash, stopped, seconds):
            self._tell(event)
        return JobOutcome(
            "cancelled" if stopped else "crashed",
            failures={} if stopped else failures_of(crash),
            saved=tuple(self._story.saved),
            seconds=seconds,
            seeds=self._story.seeds,
            crash=crash,
            dropped=self._host.inbox.dropped,
        )
