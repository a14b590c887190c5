"""A job as others see it: what it is to run, where it stands, and what came of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.sdk import Saved

State = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")
MAX_PRIORITY = 1000


@dataclass(frozen=True, slots=True)
class Draft:
    """A job that is to be queued, whole as it is: nothing of it is looked up again later.

    ``document`` is the text of the workflow with its parameters set, ``seeds`` what stands in it
    for each seed by ``node.param``, ``words`` what it can be found by. Relative paths mean
    ``base``; ``grants`` are the absolute paths that may be read, ``output`` the absolute folder
    to write to.
    """

    document: str
    base: str
    output: str
    grants: tuple[str, ...] = ()
    seeds: Mapping[str, int] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    title: str = ""
    priority: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True)
class Crash:
    """An attempt that ended with the process that made it: why, and in which steps."""

    cause: str
    steps: tuple[str, ...] = ()
    peak_memory: int = 0
    last_output: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the queue.

    ``claims`` counts how often a runner took it, ``attempts`` those that counted; ``wish`` is what
    is asked of the runner (``cancel`` or ``pause``); ``step`` is under way, ``done`` of ``total``.
    Times are seconds since 1970, 0 for not yet.
    """

    id: int
    state: State
    paused: bool
    priority: int
    position: float
    batch: int
    retry_of: int
    title: str
    seeds: Mapping[str, int]
    base: str
    grants: tuple[str, ...]
    output: str
    only: tuple[str, ...]
    added: float
    begun: float
    ended: float
    attempts: int
    claims: int
    wish: str
    step: str
    done: float
    total: float
    crashes: tuple[Crash, ...]

    @property
    def ticket(self) -> str:
        """What the host shows to the ledger: this job, as it was taken this time."""
        return f"{self.id}:{self.claims}"


COLUMNS = ", ".join(Job.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a step took, turns and items together."""

    step: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a job: ``sentence`` says why it failed, ``failures`` why each step did."""

    state: State
    sentence: str = ""
    seconds: float = 0.0
    outputs: tuple[Saved, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    timings: tuple[Timing, ...] = ()


def job_of(row: sqlite3.Row) -> Job:
    """The job in a row of ``COLUMNS``."""
    given: dict[str, Any] = {name: row[name] for name in Job.__dataclass_fields__}
    given["paused"] = bool(given["paused"])
    given["seeds"] = json.loads(given["seeds"])
    given["grants"] = tuple(json.loads(given["grants"]))
    given["only"] = tuple(json.loads(given["only"]))
    given["crashes"] = tuple(
        Crash(**{**crash, "steps": tuple(crash["steps"])}) for crash in json.loads(given["crashes"])
    )
    return Job(**given)
