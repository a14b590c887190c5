"""A node that is called once per item of the lists that it was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from backend.engine.events import Progress
from backend.engine.gather import Given, Meeting, Misuse, item_of, known_of, meet, parameters
from backend.engine.pace import Pace
from backend.engine.results import make_result
from backend.engine.task import Task
from backend.engine.words import Failure
from backend.plan.keys import input_key
from backend.plan.params import namespace
from backend.plan.program import Unit
from backend.plan.result import Result
from backend.values import Data

if TYPE_CHECKING:
    from backend.engine.run import Run


class Mapped:
    """The calls of one step. An effect's calls are made one after the other, in order.

    When a call fails those before it still end, so that it is always the first failing item that
    is told; those after it are dropped where they have not begun.
    """

    def __init__(self, run: Run, whole: Task) -> None:
        self._run = run
        self._whole = whole
        self._results: list[Result | None] = []
        self._tasks: list[Task] = []
        self._left = 0
        self._spent = 0.0
        self._whole_until = 0
        self._failed: tuple[int, Failure] | None = None
        self._over = False
        self._pace = Pace()
        self._meeting: Meeting | None = None

    def begin(self) -> None:
        """Make all calls, or of an effect the first."""
        whole = self._whole
        try:
            self._meeting = lists_of(whole.unit, whole.given, self._run.kit.caps.list_items)
        except Misuse as error:
            self._run.land(whole, Failure(f"{whole.unit.step.id}: {error}"))
            return
        count = self._left = self._meeting.count
        self._results = [None] * count
        if not count:
            self._finish()
        elif whole.unit.effect:
            self._submit(0)
        else:
            for n in range(count):
                self._run.cancel.check()
                if self._failed is None:
                    self._submit(n)

    def _submit(self, n: int) -> None:
        whole, run = self._whole, self._run
        assert self._meeting is not None
        remembers = run.kit.desk.remembers
        given = item_of(whole.given, self._meeting.places(n), remembers)
        key = self._key(given, n) if remembers else None
        task = Task(whole.frame, whole.step, whole.unit, given, key, n, self._done)
        self._tasks.append(task)
        run.submit(task)

    def _key(self, given: Sequence[Given], n: int) -> str | None:
        """The key of one call: that of the same step with these inputs and no list."""
        survey, unit = self._whole.frame.survey, self._whole.unit
        parts = [f"{entry.link.label}={entry.token}" for entry in given]
        if unit.looks:
            chosen = {e.link.name: e.value for e in given if e.link.param is not None}
            more = survey.outside(self._whole.step, chosen)
            if more is None:
                return None
            parts += more
        if unit.effect:
            parts.append(f"at={survey.place}{unit.step.id}[{n}]")
        return input_key(unit.static, parts)

    def _done(self, task: Task, outcome: Result | Failure, cached: bool) -> None:
        if self._over:
            return
        run, whole, n = self._run, self._whole, task.item or 0
        count = len(self._results)
        if isinstance(outcome, Failure):
            if self._failed is None or n < self._failed[0]:
                self._failed = (n, outcome)
                for later in self._tasks[n + 1 :]:
                    later.dropped = True
        else:
            self._results[n] = outcome
            self._left -= 1
            self._spent += 0.0 if cached else outcome.seconds
            if self._pace.due(not self._left):
                done = count - self._left
                run.on_event(Progress(whole.unit.step.id, done, count, whole.frame.turns))
        if self._failed is not None:
            self._give_up(*self._failed)
        elif not self._left:
            self._finish()
        elif whole.unit.effect:
            run.todo.append((self._submit, (n + 1,)))

    def _give_up(self, n: int, why: Failure) -> None:
        """Fail the step once all items before the failed one are done."""
        while self._whole_until < n and self._results[self._whole_until] is not None:
            self._whole_until += 1
        if self._whole_until >= n:
            self._over = True
            sentence = f"Item {n + 1} of {len(self._results)}: {why.sentence}"
            self._run.land(self._whole, Failure(sentence, why.trace))

    def _finish(self) -> None:
        results = [r for r in self._results if r is not None]
        values: dict[str, Data] = {}
        for output in self._whole.unit.spec.outputs:
            column = [r.values[output.name] for r in results]
            values[output.name] = joined(column)
        result = make_result(
            values,
            sum(r.seconds for r in results),
            self._run.kit.desk.remembers,
            tuple(s for r in results for s in r.saved),
            next((r.preview for r in reversed(results) if r.preview), b""),
        )
        self._whole.spent = self._spent
        self._run.land(self._whole, result)


def lists_of(unit: Unit, given: Sequence[Given], cap: int) -> Meeting:
    """How the lists that map a node meet.

    Raises:
        Misuse: they do not, or make too many calls.
    """
    axes = [entry for entry in given if entry.axis]
    labels = [entry.link.label for entry in axes]
    return meet(labels, [len(entry.value) for entry in axes], unit.step.each, cap)


def joined(column: Sequence[Data]) -> list[Data]:
    """The values of many calls as one list; lists among them are laid end to end."""
    row: list[Data] = []
    for value in column:
        row.extend(value) if isinstance(value, list) else row.append(value)
    return row


def asked_of_all(
    unit: Unit, given: Sequence[Given], hook: Callable[..., Any] | None, cap: int
) -> frozenset[str]:
    """What a lazy node asks for in its present state; of a mapped one, what any call asks for.

    Raises:
        Misuse: a linked parameter is out of range, or the lists do not meet.
        Exception: whatever the hook raises.
    """
    if hook is None:
        return frozenset()
    if not any(entry.axis for entry in given):
        params = namespace(unit.spec, parameters(unit, given))
        return frozenset(hook(params, known_of(given)))
    meeting = lists_of(unit, given, cap)
    names: set[str] = set()
    for n in range(meeting.count):
        item = item_of(given, meeting.places(n), remembers=False)
        names |= set(hook(namespace(unit.spec, parameters(unit, item)), known_of(item)))
    return frozenset(names)
