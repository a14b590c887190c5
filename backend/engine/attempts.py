"""Makes the calls of a run; where memory runs out, again with less."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext

from backend.engine.cancel import Cancel
from backend.engine.context import StepContext
from backend.engine.events import Event, Note
from backend.engine.kit import Kit
from backend.engine.relief import FIRST, LADDER, Rung, aside, beyond, with_resident
from backend.engine.task import Outcome, Task, perform
from backend.engine.words import Failure, failure
from backend.sdk import Cancelled


class Attempts:
    """The attempts at the calls of one run. ``frugal`` are the steps that were made with little
    memory."""

    def __init__(
        self,
        kit: Kit,
        cancel: Cancel,
        post: Callable[[Event], None],
        context: Callable[[Task], StepContext],
    ) -> None:
        """``post`` says something, from any thread; ``context`` gives the context of a call."""
        self.frugal: set[str] = set()
        self._kit, self._cancel, self._post, self._context = kit, cancel, post, context
        self._beyond: set[str] = set()

    def make(self, task: Task, context: StepContext) -> tuple[Outcome, float]:
        """Make a call, in the thread that this is called from; what came of it, and the seconds."""
        begin, unit = time.perf_counter(), task.unit
        try:
            outcome = self._climb(task, context)
        except Cancelled:
            outcome = None
        except BaseException as error:  # else the run would wait for this call for ever
            outcome = failure(unit.step.id, unit.spec.title, error)
        return outcome, time.perf_counter() - begin

    def _climb(self, task: Task, context: StepContext) -> Outcome:
        """Try a call, and while memory runs out, try it by the next rung of the ladder."""
        # A node may end the process: what was costly before it is on disk by then.
        self._kit.settle(lambda: self._cancel.is_set)
        outcome = self._try(task, context, FIRST)
        for rung in LADDER:
            short = isinstance(outcome, Failure) and outcome.memory
            if not short or context.saved or self._cancel.is_set:
                break
            self._post(Note(task.unit.step.id, rung.sentence, task.frame.turns))
            outcome = None  # its traceback holds what the call held
            self._kit.free()
            task.frugal = rung.frugal
            context = self._context(task)
            outcome = self._try(task, context, rung)
        if task.frugal:
            self.frugal.add(task.unit.step.id)
        if isinstance(outcome, Failure) and outcome.memory:
            outcome = with_resident(outcome, self._kit.resident())
        return outcome

    def _try(self, task: Task, context: StepContext, rung: Rung) -> Outcome:
        kit, step = self._kit, task.unit.step.id
        kind, outlook = task.unit.spec.type, kit.outlook
        on_device = task.unit.spec.lane == "device"
        more = aside(rung, outlook.activation(step))
        with outlook.step(step, more) if on_device else nullcontext():
            outcome = perform(task, kit.node(kind), kit.shape(kind), context, kit.desk.remembers)
        if on_device and rung is FIRST and outlook.short and step not in self._beyond:
            self._beyond.add(step)
            self._post(Note(step, beyond(outlook.short), task.frame.turns))
        return outcome
