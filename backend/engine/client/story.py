"""What a client remembers of a job's events, to tell its end where the host cannot any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backend.engine.client.outcome import Crash, RunningStep
from backend.engine.events import (
    Event,
    RunFinished,
    RunStarted,
    SavedFile,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from backend.engine.words import Failure
from backend.sdk import Saved


class Story:
    """The steps under way, the files and the counts of one job; ``begun`` once it said so."""

    def __init__(self) -> None:
        self._running: dict[RunningStep, None] = {}
        self.saved: list[Saved] = []
        self.seeds: Mapping[str, int] = {}
        self.begun = self._over = False
        self._ran = self._cached = self._failed = self._skipped = 0

    @property
    def running(self) -> tuple[RunningStep, ...]:
        """The steps that have begun and not ended, in the order in which they began."""
        return tuple(self._running)

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, StepStarted):
            self._running[RunningStep(event.step, event.turns)] = None
        elif isinstance(event, StepDone | StepFailed | StepSkipped):
            self._running.pop(RunningStep(event.step, event.turns), None)
            self._count(event)
        elif isinstance(event, SavedFile):
            self.saved.append(Saved(event.path, event.hash))
        elif isinstance(event, RunStarted):
            self.begun, self.seeds = True, event.seeds
        elif isinstance(event, RunFinished):
            self._over = True

    def last_events(self, crash: Crash, cancelled: bool, seconds: float) -> Iterator[Event]:
        """The events that are missing at the end of a run whose host has died."""
        if not self.begun or self._over:
            return
        failed = self._failed
        if not cancelled:
            for at in crash.steps:
                failed += 1
                yield StepFailed(at.step, crash.cause, _details(crash), at.turns)
        yield RunFinished(
            "cancelled" if cancelled else "failed", seconds, self._ran, self._cached, failed,
            self._skipped, len(self.saved),
        )  # fmt: skip

    def _count(self, event: StepDone | StepFailed | StepSkipped) -> None:
        if isinstance(event, StepDone):
            self._cached += event.cached
            self._ran += not event.cached
        elif isinstance(event, StepFailed):
            self._failed += 1
        else:
            self._skipped += 1


def failures_of(crash: Crash) -> dict[str, Failure]:
    """The steps that were under way at a crash, as failures."""
    return {at.step: Failure(crash.cause, _details(crash)) for at in crash.steps}


def _details(crash: Crash) -> str:
    """What a log should hold of a crash."""
    parts = [f"Most memory that was seen: {crash.peak_memory / 2**20:.0f} MiB"]
    if crash.last_output.strip():
        parts.append(f"Last output:\n{crash.last_output.rstrip()}")
    if crash.trace.strip():
        parts.append(f"Stacks:\n{crash.trace.rstrip()}")
    return "\n".join(parts)
