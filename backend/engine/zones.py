"""Zones: a body that runs once per turn, ``repeat`` or ``for_each``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backend.engine.events import Progress
from backend.engine.frame import Frame
from backend.engine.gather import Meeting, Misuse, meet, parameters
from backend.engine.mapped import joined
from backend.engine.pace import Pace
from backend.engine.results import make_result
from backend.engine.task import Task
from backend.engine.words import Failure
from backend.plan.keys import result_digest
from backend.plan.program import Program
from backend.plan.survey import Survey
from backend.sdk import Saved
from backend.values import Data

if TYPE_CHECKING:
    from backend.engine.run import Run

STOP = "stop"
MAX_TURNS = 10_000
SIDE_BY_SIDE = 4
"""Turns under way at a time where no turn needs the one before it and none writes a file."""

MANY = 32
"""The same where the models of the run do not fit together: each is then loaded once for so many
turns."""


class Zone:
    """The turns of one zone.

    A turn that needs what the one before it gives, or that writes files (whose numbers should
    follow the turns), begins when that one is over; others run side by side.
    """

    def __init__(self, run: Run, task: Task) -> None:
        assert task.unit.body is not None
        self._run = run
        self._task = task
        self._body: Program = task.unit.body
        self._each = task.unit.spec.input("items") is not None
        self._meeting: Meeting | None = None
        self._items: dict[str, list[Data]] = {}
        self._carry: dict[str, Data] = {}
        self._captures: dict[str, tuple[Data, str]] = {}
        self._total = 0
        self._next = 0
        self._live = 0
        self._over = 0
        self._stopped = self._finished = False
        self._width = 1
        self._turns: dict[int, dict[str, Data]] = {}
        self._saved: dict[int, list[Saved]] = {}
        self._seconds = self._spent = 0.0
        self._pace = Pace()
        self._failed: dict[int, Failure] = {}

    @property
    def around(self) -> Frame:
        """The frame in which the zone stands."""
        return self._task.frame

    @property
    def step(self) -> int:
        """The number of the zone's step in that frame."""
        return self._task.step

    def begin(self) -> None:
        """Take the inputs apart and start the first turns."""
        task = self._task
        for entry in task.given:
            link, value = entry.link, entry.value
            if link.param is not None:
                continue
            if link.name == "items":
                self._items[link.part] = value if isinstance(value, list) else [value]
            elif link.name == "carry":
                self._carry[link.part] = value
            else:
                self._captures[link.part] = (value, entry.token)
        try:
            self._total = self._count()
        except Misuse as error:
            self._run.land(task, Failure(f"{task.unit.step.id}: {error}"))
            return
        if not self._carry and not task.unit.effect and STOP not in self._body.flat.outputs:
            outlook = self._run.kit.outlook
            if self._body.computes:
                outlook.look()
            self._width = MANY if outlook.tight else SIDE_BY_SIDE
        self._go_on()

    def turned(self, frame: Frame) -> None:
        """A turn is over: take what it gives, and go on."""
        n = frame.turns[-1] - 1
        self._live -= 1
        self._over += 1
        self._saved[n] = frame.saved
        self._seconds += frame.seconds
        self._spent += frame.spent
        if self._pace.due(self._over == self._total):
            step, turns = self._task.unit.step.id, self._task.frame.turns
            self._run.on_event(Progress(step, self._over, self._total, turns))
        if frame.failures:
            first = next(iter(frame.failures.values()))
            self._failed[n] = first
            # Without carried values the other turns do not depend on this one.
            self._stopped = self._stopped or bool(self._carry) or not self._each
        else:
            self._take(frame, n)
        self._run.todo.append((self._go_on, ()))

    def _count(self) -> int:
        task = self._task
        if self._each:
            lengths = [len(row) for row in self._items.values()]
            cap = self._run.kit.caps.list_items
            self._meeting = meet(list(self._items), lengths, task.unit.step.each, cap)
            total = self._meeting.count
        else:
            total = int(parameters(task.unit, task.given)["times"])
        if total > MAX_TURNS:
            raise Misuse(f"It would take {total} turns, more than {MAX_TURNS}. Use fewer.")
        return total

    def _go_on(self) -> None:
        while self._next < self._total and self._live < self._width and not self._stopped:
            self._start(self._next)
            self._next += 1
        ended = self._stopped or self._next >= self._total
        if ended and not self._live and not self._finished:
            self._finished = True
            self._finish()

    def _start(self, n: int) -> None:
        self._live += 1
        outer, digests = self._outer(n)
        around = self._task.frame
        place = f"{around.survey.place}{self._task.unit.step.id}[{n}]/"
        survey = Survey(self._body, self._run.kit.desk, outer, digests, place)
        roots = self._body.body_roots
        frame = Frame(survey, roots, (*around.turns, n + 1), self)
        self._run.open(frame, roots)

    def _outer(self, n: int) -> tuple[Mapping[str, Data], Mapping[str, str]]:
        """What a turn may read, with digests: only what its body does read."""
        used = self._body.boundary
        outer: dict[str, Data] = {"index": n, "count": self._total}
        if self._meeting is not None:
            places = self._meeting.places(n)
            outer |= {k: row[at] for (k, row), at in zip(self._items.items(), places, strict=True)}
        outer |= self._carry
        outer = {name: value for name, value in outer.items() if name in used}
        digests: dict[str, str] = {}
        if self._run.kit.desk.remembers:
            digests = {name: result_digest(value) for name, value in outer.items()}
        for name, (value, token) in self._captures.items():
            outer[name], digests[name] = value, token
        return outer, digests

    def _take(self, frame: Frame, n: int) -> None:
        survey = frame.survey
        gives: dict[str, Data] = {}
        for name, wire in self._body.flat.outputs.items():
            found, value = survey.value(wire)
            if not found:
                self._failed[n] = Failure(f"{name} was lost.")
                return
            gives[name] = value
        if not self._each and gives.pop(STOP, False):
            self._stopped = True
        for name in self._carry:
            if name in gives:
                self._carry[name] = gives.pop(name)
        self._turns[n] = gives

    def _finish(self) -> None:
        run, task = self._run, self._task
        if self._failed:
            n = min(self._failed)
            why = self._failed[n]
            more = f" ({len(self._failed)} turns failed)" if len(self._failed) > 1 else ""
            sentence = f"Turn {n + 1} of {self._total}{more}: {why.sentence}"
            run.land(task, Failure(sentence, why.trace))
            return
        names = [n for n in self._body.flat.outputs if n not in self._carry]
        if not self._each and STOP in names:
            names.remove(STOP)
        values: dict[str, Data] = dict(self._carry)
        for name in names:
            values[name] = joined([self._turns[n][name] for n in sorted(self._turns)])
        saved = tuple(s for n in sorted(self._saved) for s in self._saved[n])
        task.spent = self._spent
        run.land(task, make_result(values, self._seconds, run.kit.desk.remembers, saved))
