"""What goes on beside a running job: others hear how far it is, and are heard."""

from __future__ import annotations

import contextlib
import threading

from backend.engine.cancel import Cancel
from backend.engine.events import Event, Progress, RunStarted, StepDone, StepStarted
from backend.engine.queue.claims import Claims
from backend.engine.queue.errors import QueueError
from backend.engine.queue.job import Job, Timing

PACE = 0.25
"""Seconds between two looks at what others ask, and between two notes of how far the job is."""

SLOWEST = 10
"""Steps whose times are kept."""


class Watch:
    """A thread that cancels the run when that is asked, and notes its progress.

    ``heard`` says whether the run has said anything, and so has begun.
    """

    def __init__(self, claims: Claims, job: Job, cancel: Cancel) -> None:
        self._claims = claims
        self._job = job
        self._cancel = cancel
        self.heard = False
        self._over = threading.Event()
        self._look = threading.Event()
        self._seconds: dict[str, float] = {}
        self._steps = self._done = 0
        self._at: tuple[str, float, float] = ("", 0.0, 0.0)
        self._thread = threading.Thread(target=self._go, name="weft-watch", daemon=True)
        self._thread.start()

    def event(self, event: Event) -> None:
        """Take in what the run says; only ever called by one thread."""
        self.heard = True
        if isinstance(event, RunStarted):
            self._steps = event.steps
        elif isinstance(event, StepStarted):
            self._stand(event.step, 0.0)
        elif isinstance(event, Progress):
            share = event.done / event.total if event.total else 0.0
            self._stand(event.step, 0.0 if event.turns else share)
        elif isinstance(event, StepDone):
            self._done += not event.turns
            self._stand(self._at[0], 0.0)
            if not event.cached:
                self._seconds[event.step] = self._seconds.get(event.step, 0.0) + event.seconds

    @property
    def timings(self) -> tuple[Timing, ...]:
        """The steps that took longest, the longest first."""
        ranked = sorted(self._seconds.items(), key=lambda item: -item[1])
        return tuple(Timing(step, round(seconds, 4)) for step, seconds in ranked[:SLOWEST])

    def wake(self) -> None:
        """Look now at what others ask."""
        self._look.set()

    def close(self) -> None:
        """The run is over."""
        self._over.set()
        self.wake()
        self._thread.join()

    def _stand(self, step: str, share: float) -> None:
        # Lazy branches may add steps that nobody knew of when the run began.
        total = max(self._steps, self._done)
        self._at = (step, min(self._done + share, total), total)

    def _go(self) -> None:
        told = self._at
        while True:
            self._look.wait(PACE)
            self._look.clear()
            if self._over.is_set():
                return
            # Where the file is busy or gone for a moment, the next look may see it again; the end
            # of the job says what is wrong with it.
            with contextlib.suppress(QueueError):
                if self._claims.wish(self._job):
                    self._cancel()
                at = self._at
                if at != told:
                    self._claims.progress(self._job, *at)
                    told = at
