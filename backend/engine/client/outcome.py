"""How a job in a host process ended, as its client tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backend.engine.words import Failure
from backend.graph.diagnostics import Diagnostic
from backend.sdk import Saved

OutcomeStatus = Literal["done", "failed", "cancelled", "invalid", "crashed"]


@dataclass(frozen=True, slots=True)
class RunningStep:
    """A step that was under way. ``turns`` are the turns of the zones around it, from 1."""

    step: str
    turns: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.step + "".join(f"[{turn}]" for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Crash:
    """How a host process came to its end before its job did.

    ``steps`` were under way, in the order in which they began. ``cause`` is a sentence for people.
    ``signal`` or ``status`` is how the process ended (the other is ``None``). ``peak_memory`` is
    the most that was seen of its own memory, in bytes; ``last_output`` the tail of what it
    printed; ``trace`` the Python stacks at its end where there are such.
    """

    steps: tuple[RunningStep, ...]
    cause: str
    signal: int | None = None
    status: int | None = None
    peak_memory: int = 0
    last_output: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a job ended; the fields up to ``diagnostics`` are those of ``RunResult``.

    ``crash`` tells of the host's end: with ``crashed`` always, with ``cancelled`` where the job did
    not answer and had to be ended. After a crash ``failures`` names the steps that were under way,
    and ``saved`` holds what was told until then.
    ``outputs`` are those that ``HostClient.value`` can fetch: step, output, and the name of the
    value's type. ``error`` is what went wrong outside of any node. ``dropped`` events were left out
    because nobody read them.
    """

    status: OutcomeStatus
    failures: Mapping[str, Failure] = field(default_factory=dict)
    saved: tuple[Saved, ...] = ()
    kept: tuple[Saved, ...] = ()
    seconds: float = 0.0
    seeds: Mapping[str, int] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    outputs: tuple[tuple[str, str, str], ...] = ()
    error: Failure | None = None
    crash: Crash | None = None
    dropped: int = 0
