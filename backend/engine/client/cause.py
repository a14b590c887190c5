"""The end of a host process in words."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from backend.engine.client.inbox import Died
from backend.engine.client.outcome import Crash, RunningStep

_FAULTS = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP"}
_TAIL = 16 * 2**10


def crash_of(died: Died, steps: Sequence[RunningStep], limit: int) -> Crash:
    """All that is known of the end of a host while ``steps`` were under way."""
    steps = _innermost(steps)
    number = -died.status if died.status < 0 else None
    return Crash(
        steps=steps,
        cause=f"{_what(died, limit)} {_when(steps)}",
        signal=number,
        status=None if number is not None else died.status,
        peak_memory=max(died.peak_memory, died.over_memory),
        last_output=died.last_output[-_TAIL:],
        trace=died.trace,
    )


def unanswered(died: Died, steps: Sequence[RunningStep], grace: float, limit: int) -> Crash:
    """The same where the host was ended since a job did not answer to a cancel."""
    crash = crash_of(died, steps, limit)
    said = f"It did not answer within {grace:g} s and was ended with its process"
    return Crash(
        crash.steps, f"{said}, {_when(crash.steps)}", crash.signal, crash.status,
        crash.peak_memory, crash.last_output, crash.trace,
    )  # fmt: skip


def barren(times: int, last: Died, limit: int) -> Crash:
    """Hosts end before they run anything."""
    crash = crash_of(last, (), limit)
    said = crash.last_output.strip().splitlines()
    output = f" Its last line was: {said[-1][:300]}" if said else ""
    cause = (
        f"The process that computes ended {times} times in a row before any step ran, so it is not "
        f"started again by itself. {_what(last, limit)} before a step began.{output}"
    )
    return Crash((), cause, crash.signal, crash.status, crash.peak_memory, crash.last_output,
                 crash.trace)  # fmt: skip


def no_host(error: OSError) -> Crash:
    """No host can be started."""
    said = error.strerror or str(error)
    return Crash((), f"No process can be started to compute in: {said}.")


def _what(died: Died, limit: int) -> str:
    if died.over_memory:
        return (
            f"The process that computes took more memory than the {_gib(limit)} that it may "
            "(setting host.memory), and was ended"
        )
    if died.out_of_memory:
        return "The system had no memory left and ended the process that computes"
    if died.status >= 0:
        return f"The process that computes ended itself with exit status {died.status}"
    name = _name(-died.status)
    if name in _FAULTS:
        return f"The process that computes crashed in native code ({name})"
    return f"The process that computes was killed from outside ({name})"


def _when(steps: Sequence[RunningStep]) -> str:
    if not steps:
        return "while no step ran."
    shown = [str(step) for step in steps[:4]]
    if len(steps) > len(shown):
        return f"while {', '.join(shown)} and {len(steps) - len(shown)} more ran."
    *some, last = shown
    return f"while {', '.join(some)} and {last} ran." if some else f"while {last} ran."


def _innermost(steps: Sequence[RunningStep]) -> tuple[RunningStep, ...]:
    """Without the zones in which another of the steps runs."""
    return tuple(
        step
        for step in steps
        if not any(
            other.step.startswith(step.step + "/") and len(other.turns) > len(step.turns)
            for other in steps
        )
    )


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
