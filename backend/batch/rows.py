"""From tables, sweeps and files to the jobs of a batch: their product, in order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import blake3
import msgspec

from backend.batch.errors import BatchError

MOST_JOBS = 100_000
"""Jobs of one batch."""

TABLE, SWEEP, EACH = "the table", "--sweep", "--each"
"""The kinds of parts, as a manifest calls them."""

SEED = "seed"
"""The column that sets every seed of the workflow that no link feeds."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value for a parameter.

    ``name`` is how the user called the parameter, ``target`` where it lies (``loop/blur.radius``,
    or ``seed`` for all seeds), ``kind`` that of its declaration, ``value`` plain data.
    """

    name: str
    target: str
    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Choice:
    """What one row of a table (its number, from 1) or one value of a sweep says."""

    values: tuple[Value, ...]
    row: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A table, a sweep or the files of a pattern: what it is called, the names and targets of the
    parameters that it speaks of, its choices, and which of the three it is."""

    title: str
    names: tuple[str, ...]
    targets: tuple[str, ...]
    choices: tuple[Choice, ...]
    kind: str = TABLE


@dataclass(frozen=True, slots=True)
class Point:
    """A job of a batch: its number from 1, the row of the table (0 without one), its values."""

    index: int
    row: int
    values: tuple[Value, ...]

    @property
    def shown(self) -> dict[str, Any]:
        """The values by the names of their parameters."""
        return {each.name: each.value for each in self.values}

    def row_or_index(self) -> int:
        """What ``{row}`` stands for: the table's row, or without a table the job's number."""
        return self.row or self.index


def points(parts: Sequence[Part], most: int = MOST_JOBS) -> tuple[Point, ...]:
    """The product of the parts, the last of them running fastest.

    Raises:
        BatchError: two parts set one parameter, a part is empty, or there are too many jobs.
    """
    _check_apart(parts)
    for part in parts:
        if not part.choices:
            raise BatchError(f"{part.title} gives no job. Give it at least one.")
    count = math.prod(len(part.choices) for part in parts)
    if count > most:
        sizes = " x ".join(str(len(part.choices)) for part in parts)
        raise BatchError(
            f"The batch has {sizes + ' = ' if len(parts) > 1 else ''}{count} jobs, and at most "
            f"{most} can be. Split it."
        )
    combined = itertools.product(*(part.choices for part in parts))
    return tuple(
        Point(
            index,
            next((each.row for each in chosen if each.row), 0),
            tuple(value for each in chosen for value in each.values),
        )
        for index, chosen in enumerate(combined, 1)
    )


def _check_apart(parts: Sequence[Part]) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for part in parts:
        for name, target in zip(part.names, part.targets, strict=True):
            if target in seen:
                where, other = seen[target]
                also = f" (there called {other})" if other != name else ""
                raise BatchError(
                    f"{part.title} sets {name}, which {where} sets too{also}. Leave one out."
                )
            seen[target] = (part.title, name)


def differing(chosen: Sequence[Point]) -> tuple[str, ...]:
    """The names of the parameters that are not the same in all of these jobs, in order."""
    seen: dict[str, set[str]] = {}
    for point in chosen:
        for each in point.values:
            seen.setdefault(each.name, set()).add(repr(each.value))
    counts = {name: sum(name in p.shown for p in chosen) for name in seen}
    return tuple(n for n, known in seen.items() if len(known) > 1 or counts[n] < len(chosen))


def told(point: Point, names: Sequence[str] | None = None) -> str:
    """The values of a job on a line, or those of some parameters."""
    shown = point.shown
    wanted = shown if names is None else [name for name in names if name in shown]
    said = (f"{name} = {' '.join(str(shown[name]).split())[:60]}" for name in wanted)
    return ", ".join(said)


def digest(value: Any) -> str:
    """A short digest of plain data."""
    return blake3.blake3(msgspec.json.encode(value)).hexdigest(16)
