"""Schedules: the table of noise levels that a sampling run goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from backend.diffusion.errors import DiffusionError
from backend.diffusion.process import Process
from backend.diffusion.registry import choose, scan
from backend.values import Params, Schedule


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


def sigmas(schedule: Schedule, process: Process, tokens: int) -> list[float]:
    """The noise levels of a run: descending, one more than there are steps, normally ending in 0.

    ``schedule.start`` skips that fraction of the steps (rounded down), the parameter ``end``
    stops before that fraction of them is left. A fixed table in ``schedule.sigmas`` is used as it
    stands, with a 0 put at its end if it has none (``end`` and ``start`` count in it too).

    Raises:
        DiffusionError: the settings are out of range or the fixed table does not descend.
    """
    if schedule.sigmas:
        levels = list(schedule.sigmas)
        if any(b >= a for a, b in pairwise(levels)) or levels[-1] < 0:
            raise DiffusionError("A table of sigmas must descend and end at 0 or above.")
        levels = levels if levels[-1] == 0 else [*levels, 0.0]
    else:
        if schedule.steps < 1:
            raise DiffusionError(f"A schedule needs at least 1 step, not {schedule.steps}.")
        kind = choose(schedule_kinds(), schedule.kind, "schedule")
        levels = [*kind.place(schedule.steps, process, tokens, schedule.params), 0.0]
    count = len(levels) - 1
    end = number(schedule.params, "end", 0.0)
    if not 0 <= schedule.start <= 1 or not 0 <= end <= 1:
        raise DiffusionError("The start and end of a schedule are fractions from 0 to 1.")
    first = int(count * schedule.start + 1e-9)
    last = count - int(count * end + 1e-9)
    return levels[first : max(last, first) + 1]


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
