"""Schedules: the table of noise levels that a sampling run goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from backend.diffusion.errors import DiffusionError
from backend.diffusion.process import Process
from backend.diffusion.registry import choose, scan
from backend.values import Params, Schedule

NEAR = 1e-4
"""Levels whose log-SNR differs by less are one: single precision cannot tell them apart."""


@dataclass(frozen=True)
class ScheduleKind:
    """A way to place noise levels. One instance per module of ``backend.diffusion.schedules``.

    ``place(steps, process, tokens, params)`` gives ``steps`` descending levels above 0.
    """

    kind: str
    title: str
    place: Callable[[int, Process, int, Params], list[float]]
    rank: int = 50


def schedule_kinds() -> Mapping[str, ScheduleKind]:
    """All kinds of schedule by name."""
    return scan("backend.diffusion.schedules", ScheduleKind)


def choose_kind(name: str) -> ScheduleKind:
    """The kind of schedule called ``name``.

    Raises:
        DiffusionError: there is none.
    """
    return choose(schedule_kinds(), name, "schedule")


def sigmas(schedule: Schedule, process: Process, tokens: int) -> list[float]:
    """The noise levels of a run: descending, one more than there are steps, normally ending in 0.

    The part of ``table`` that ``cut`` leaves.

    Raises:
        DiffusionError: the settings are out of range or the fixed table does not descend.
    """
    levels = table(schedule, process, tokens)
    first, last = cut(schedule, len(levels) - 1)
    return levels[first : last + 1]


def table(schedule: Schedule, process: Process, tokens: int) -> list[float]:
    """All noise levels of a schedule, from its beginning down to 0.

    A fixed table in ``schedule.sigmas`` is used as it stands, with a 0 put at its end if it has
    none. Of levels that a rule puts on top of each other (a beta schedule does, with small alpha
    and beta) one is kept: a step of no length moves nothing, and solvers that divide by its length
    would fail.

    Raises:
        DiffusionError: the settings are out of range or the fixed table does not descend.
    """
    path = process.path
    if schedule.sigmas:
        levels = list(schedule.sigmas)
        if not all(b < a for a, b in pairwise([*levels, -1.0])) or levels[-1] < 0:
            raise DiffusionError("A table of sigmas must descend and end at 0 or above.")
        levels = levels if levels[-1] == 0 else [*levels, 0.0]
        for a, b in pairwise(levels):
            if path.log_snr(b) - path.log_snr(a) < NEAR:
                raise DiffusionError(
                    f"The sigmas {a:g} and {b:g} are too near to each other. Leave one out."
                )
        return levels
    if schedule.steps < 1:
        raise DiffusionError(f"A schedule needs at least 1 step, not {schedule.steps}.")
    placed = choose_kind(schedule.kind).place(schedule.steps, process, tokens, schedule.params)
    levels = placed[:1]
    for level in placed[1:]:
        if path.log_snr(level) - path.log_snr(levels[-1]) >= NEAR:
            levels.append(level)
    return [*levels, 0.0]


def cut(schedule: Schedule, steps: int) -> tuple[int, int]:
    """``(first, last)``: which of ``steps`` steps a schedule takes, ``last`` not included.

    ``schedule.start`` skips that fraction of the steps (rounded down), the parameter ``end``
    stops before that fraction of them is left.

    Raises:
        DiffusionError: they are no fractions.
    """
    end = number(schedule.params, "end", 0.0)
    if not 0 <= schedule.start <= 1 or not 0 <= end <= 1:
        raise DiffusionError("The start and end of a schedule are fractions from 0 to 1.")
    first = int(steps * schedule.start + 1e-9)
    return first, max(steps - int(steps * end + 1e-9), first)


def number(params: Params, name: str, default: float) -> float:
    """A numeric setting.

    Raises:
        DiffusionError: it is set, and is no number.
    """
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DiffusionError(f"The setting {name!r} must be a number, not {value!r}.")
    return float(value)
