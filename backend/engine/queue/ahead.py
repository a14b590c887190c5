"""Takes steps of jobs that wait before their turn, so that each model is loaded once for all.

Where the models of some jobs do not fit into memory together, job after job would load each of
them again and again. So before the first of these jobs is run, the host says which steps are best
taken together (all texts, then all samplings), and they are run like small jobs without outputs.
What they give is remembered, and each job finds it when its own turn comes. Nothing depends on
that: where a step is not remembered, its job makes it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from backend.engine.cancel import Cancel
from backend.engine.client import JobOutcome, JobTurns
from backend.engine.events import Event, Note
from backend.engine.queue.claims import Claims
from backend.engine.queue.job import Job
from backend.engine.wire import RunJob
from backend.graph.format import FormatError

MOST = 128
"""Jobs that are looked at together."""
PATIENCE = 300.0
"""Seconds after which no further steps of jobs behind are begun before a job."""
LOOK = 0.5
"""Seconds between two looks at the queue while steps of a job that waits are run."""

Run = Callable[[RunJob, Callable[[Event], None], Cancel], JobOutcome]
Arrange = Callable[[Sequence[RunJob], Cancel], tuple[JobTurns, int]]


class Ahead:
    """What one runner takes ahead. A job is looked at when it or one before it begins, and again
    only where that came to an early end before its turn."""

    def __init__(self, claims: Claims, order_of: Callable[[Job], RunJob]) -> None:
        """``order_of`` tells what a host is told of a job, or raises ``FormatError``."""
        self._claims, self._order_of = claims, order_of
        self._known: set[int] = set()
        self._notes: dict[int, list[Note]] = {}

    def take(
        self, job: Job, arrange: Arrange, run: Run, say: Callable[[Note], None], cancel: Cancel
    ) -> None:
        """Before a job is run: run what is best taken ahead of it and of those that wait behind it,
        until that is done, ``cancel`` was called, a more urgent job waits, the queue is paused or
        it takes too long. Then ``say`` what steps of the job had to say.

        A host that dies over it ends it; a job that was tried before is not looked at.
        """
        if job.id not in self._known and job.attempts <= 1:
            self._take(job, arrange, run, say, cancel)
        for note in self._notes.pop(job.id, ()):
            say(note)

    def _take(
        self, job: Job, arrange: Arrange, run: Run, say: Callable[[Note], None], cancel: Cancel
    ) -> None:
        waiting = self._claims.line(2 * MOST)
        self._known &= {each.id for each in waiting}
        self._notes = {number: row for number, row in self._notes.items() if number in self._known}
        behind = [
            each for each in waiting
            if each.priority == job.priority and each.id not in self._known and not each.attempts
        ]  # fmt: skip
        told = ((each, self._order(each)) for each in [job, *behind][:MOST])
        orders = [(each, order) for each, order in told if order is not None]
        if len(orders) < 2 or orders[0][0] is not job:
            return
        turns, seen = arrange([order for _, order in orders], cancel)
        if cancel.is_set:
            return
        self._known |= {each.id for each, _ in orders[:seen]}
        if not turns:
            return
        count = len({place for place, _ in turns})
        said = f"The first steps of {count} jobs are taken together, since their models do not fit"
        say(Note("", f"{said} into memory at once."))
        left = self._run(orders, turns, run, cancel)
        self._known -= {orders[place][0].id for place in left if place}

    def _run(
        self, orders: Sequence[tuple[Job, RunJob]], turns: JobTurns, run: Run, cancel: Cancel
    ) -> set[int]:
        """Run the turns; the jobs whose turns are left where there was no time for all."""
        end = time.monotonic() + PATIENCE
        failed: set[int] = set()
        for number, (place, steps) in enumerate(turns):
            first, (job, order) = orders[0][0], orders[place]
            if cancel.is_set or time.monotonic() > end or not self._may_go_on(first):
                return {each for each, _ in turns[number:]}
            if place in failed or (place and not self._claims.waits(job)):
                continue
            part = replace(order, id=f"{order.id} ahead {number}", only=tuple(steps))
            status = self._run_part(part, first, job, run, cancel)
            if status == "crashed":
                break
            if status != "done":
                failed.add(place)
        return set()

    def _run_part(self, part: RunJob, first: Job, job: Job, run: Run, cancel: Cancel) -> str:
        """Run steps of a job, which is told what they say when its turn comes. Those of a job that
        waits are broken off where they should not have been begun now."""
        stop, notes = Cancel(), self._notes.setdefault(job.id, [])
        looked = time.monotonic()

        def hear(event: Event) -> None:
            nonlocal looked
            if isinstance(event, Note) and event.step:
                notes.append(event)
            if job is not first and time.monotonic() - looked > LOOK:
                looked = time.monotonic()
                if not (self._may_go_on(first) and self._claims.waits(job)):
                    stop()

        remove = cancel.on_cancel(stop)
        try:
            return run(part, hear, stop).status
        finally:
            remove()

    def _may_go_on(self, first: Job) -> bool:
        """Whether anybody waits in a queue that goes on, and nobody more urgent than ``first``."""
        waiting = self._claims.line(1)
        return bool(waiting) and waiting[0].priority <= first.priority

    def _order(self, job: Job) -> RunJob | None:
        """What a host is told of a job, without a row in the ledger; ``None`` where it would fail,
        which it says in its own turn."""
        if not all(os.path.exists(path) for path in job.grants):
            return None
        try:
            return replace(self._order_of(job), ledger=None, job=None)
        except FormatError:
            return None
