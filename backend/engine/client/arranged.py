"""Asks a host in which order the steps of several jobs load each model least often."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeAlias

from backend.engine.cancel import Cancel
from backend.engine.client.inbox import Died
from backend.engine.client.process import HostProcess
from backend.engine.wire import Arrange, Arranged, RunJob

JobTurns: TypeAlias = Sequence[tuple[int, Sequence[str]]]
"""JobTurns of jobs, by their places, each with the ids of its steps."""
PATIENCE = 30.0
"""Seconds after which the jobs are run as they stand in the line."""


def arranged(host: HostProcess, jobs: Sequence[RunJob], cancel: Cancel) -> tuple[JobTurns, int]:
    """The turns that a host without a job tells, and from how many of the jobs; none where it dies,
    does not answer, or ``cancel`` was called."""
    order = Arrange(f"{jobs[0].id} and {len(jobs) - 1} more", tuple(jobs))
    end = time.monotonic() + PATIENCE
    remove = cancel.on_cancel(host.inbox.wake)
    host.busy = True
    try:
        host.send(order)
        while not cancel.is_set and (left := end - time.monotonic()) > 0:
            message = host.inbox.take(left)
            if isinstance(message, Died):
                host.inbox.end(message)
                break
            if isinstance(message, Arranged) and message.id == order.id:
                return message.turns, message.seen
    finally:
        host.busy = False
        remove()
    return (), len(jobs)
