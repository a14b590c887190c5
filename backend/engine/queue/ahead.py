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

MOST = 32
"""Jobs that are looked at together."""
PATIENCE = 300.0
"""Seconds that a job waits at most for steps of those behind it."""

Run = Callable[[RunJob, Callable[[Event], None], Cancel], JobOutcome]
Arrange = Callable[[Sequence[RunJob], Cancel], tuple[JobTurns, int]]


class Ahead:
    """What one runner takes ahead. A job is looked at when it or one before it begins, and again
    only where that came to an early end before its turn."""

    def __init__(self, claims: Claims, order_of: Callable[[Job], RunJob]) -> None:
        """``order_of`` tells what a host is told of a job, or raises ``FormatError``."""
        self._claims, self._order_of = claims, order_of
        self._known: set[int] = set()

    def take(
        self, job: Job, arrange: Arrange, run: Run, say: Callable[[Note], None], cancel: Cancel
    ) -> None:
        """Before a job is run: run what is best taken ahead of it and of those that wait behind it,
        until that is done, ``cancel`` was called, a more urgent job waits or it takes too long.

        A host that dies over it ends it; a job that was tried before is not looked at.
        """
        if job.id in self._known or job.attempts > 1:
            return
        jobs = [job, *self._behind(job)][:MOST]
        told = ((each, self._order(each)) for each in jobs)
        orders = [(each, order) for each, order in told if order is not None]
        if len(orders) < 2:
            return
        turns, seen = arrange([order for _, order in orders], cancel)
        self._known = {each.id for each, _ in orders[:seen]}
        if not turns:
            return
        count = len({place for place, _ in turns})
        said = f"The first steps of {count} jobs are taken together, since their models do not fit"
        say(Note("", f"{said} into memory at once."))
        left = self._run(job, [order for _, order in orders], turns, run, cancel)
        self._known -= {orders[place][0].id for place in left}

    def _run(
        self,
        job: Job,
        orders: Sequence[RunJob],
        turns: JobTurns,
        run: Run,
        cancel: Cancel,
    ) -> set[int]:
        """Run the turns; the jobs whose turns are left where there was no time for all."""
        end = time.monotonic() + PATIENCE
        failed: set[int] = set()
        for number, (place, steps) in enumerate(turns):
            if cancel.is_set or time.monotonic() > end or self._claims.urgent(job):
                return {each for each, _ in turns[number:]} - {0}
            if place in failed:
                continue
            order = orders[place]
            part = replace(order, id=f"{order.id} ahead {number}", only=tuple(steps))
            outcome = run(part, _ignore, cancel)
            if outcome.status == "crashed":
                break
            if outcome.status != "done":
                failed.add(place)
        return set()

    def _behind(self, job: Job) -> list[Job]:
        return [
            each for each in self._claims.line()
            if each.priority == job.priority and each.id not in self._known and not each.attempts
        ]  # fmt: skip

    def _order(self, job: Job) -> RunJob | None:
        """What a host is told of a job, without a row in the ledger; ``None`` where it would fail,
        which it says in its own turn."""
        if not all(os.path.exists(path) for path in job.grants):
            return None
        try:
            return replace(self._order_of(job), ledger=None, job=None)
        except FormatError:
            return None


def _ignore(event: Event) -> None:
    """The job says it again when its turn comes."""
