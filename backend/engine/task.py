"""One call of a node: what it needs, where it goes, and how it is carried out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from backend.engine.context import StepContext
from backend.engine.gather import Given, Misuse, Shape, arguments
from backend.engine.results import WrongResult, make_result, outputs_of
from backend.engine.words import Failure, failure
from backend.plan.program import Unit
from backend.plan.result import Result
from backend.sdk import Cancelled, NodeType
from backend.values import Data, Value

if TYPE_CHECKING:
    from backend.engine.frame import Frame

Outcome: TypeAlias = Result | Failure | None
"""What came of a call; ``None`` when it was cancelled."""


@dataclass(slots=True, eq=False)
class Task:
    """A call that is to be made. ``item`` counts the calls of a mapped node.

    ``then`` gets the outcome, and whether it came without computing. ``spent`` is what a zone or a
    mapped step took this time. ``frugal``: it was made with as little memory as can be, which
    rounds otherwise, so its result is not remembered.
    """

    frame: Frame
    step: int
    unit: Unit
    given: Sequence[Given]
    key: str | None
    item: int | None
    then: Callable[[Task, Result | Failure, bool], None]
    dropped: bool = False
    spent: float | None = None
    frugal: bool = False


def perform(
    task: Task, node: NodeType, shape: Shape, context: StepContext, remembers: bool
) -> Outcome:
    """Call the node and check what it gives. Nothing is raised: whatever happens is the outcome."""
    unit = task.unit
    begin = time.perf_counter()
    try:
        before, named = arguments(unit, shape, task.given)
        returned = node.function(context, *before, **named)
        values = outputs_of(unit.spec, returned)
        seconds = time.perf_counter() - begin
        # What has been saved is told, so a cancel does not undo a step that saved something.
        check = context.check if not context.saved else lambda: None
        saved = tuple(context.saved)
        return make_result(values, seconds, remembers, saved, context.shown(values), check)
    except Cancelled:
        return None
    except (Misuse, WrongResult) as error:
        return Failure(str(error))
    except BaseException as error:
        return failure(unit.step.id, unit.spec.title, error)
    finally:
        context.close()


def weight(given: Sequence[Given]) -> int:
    """Roughly the bytes that go into a call: arrays and text."""
    total = 0
    for entry in given:
        value = entry.value
        for item in value if isinstance(value, list) else (value,):
            total += _weight(item)
    return total


def _weight(value: Data) -> int:
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, Value):
        return 8
    return 64 + sum(v.nbytes for v in vars(value).values() if isinstance(v, np.ndarray))
