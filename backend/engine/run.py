"""One run of one graph: a scheduler in the caller's thread, and lanes that compute.

All state belongs to the scheduler's thread. What is to be done next stands in a queue and never
calls itself, so neither depth nor zones nor turns use the stack.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from backend.engine.attempts import Attempts
from backend.engine.cancel import Cancel
from backend.engine.context import Scalars, StepContext
from backend.engine.dispatch import Dispatcher
from backend.engine.events import (
    Event,
    KeptFile,
    Preview,
    RunStarted,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from backend.engine.frame import Frame
from backend.engine.gather import Misuse, gather
from backend.engine.kit import Kit
from backend.engine.lanes import Work
from backend.engine.mapped import Mapped, asked_of_all
from backend.engine.task import Outcome, Task
from backend.engine.words import Failure, failure
from backend.engine.zones import Zone
from backend.plan.result import Result
from backend.plan.survey import DONE, FAILED, SEEN, SKIPPED, WANT
from backend.sdk import Cancelled, Saved

Describe: TypeAlias = Callable[[Frame, int, Task | None], tuple[Scalars, Mapping[str, Any]]]


@dataclass(slots=True)
class Counts:
    """How many steps ended how, turns counted one by one."""

    ran: int = 0
    cached: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(slots=True, eq=False)
class Run:
    """The scheduler. ``on_event`` is only ever called in the thread that calls ``execute``.

    ``begun`` says that it got as far as to know what must run; ``saved`` are the files it wrote,
    ``kept`` those of cached steps.
    """

    kit: Kit
    on_event: Callable[[Event], None]
    cancel: Cancel
    describe: Describe
    begun: bool = False
    counts: Counts = field(default_factory=Counts)
    failures: dict[str, Failure] = field(default_factory=dict)
    saved: list[Saved] = field(default_factory=list)
    kept: list[Saved] = field(default_factory=list)
    todo: deque[tuple[Callable[..., None], tuple[Any, ...]]] = field(default_factory=deque)
    _dispatcher: Dispatcher = field(init=False)
    _attempts: Attempts = field(init=False)
    _flying: dict[str, list[Task]] = field(default_factory=dict)
    _thread: int = 0

    def __post_init__(self) -> None:
        self._dispatcher = Dispatcher(self.kit.lanes, self.kit.costs)
        self._attempts = Attempts(self.kit, self.cancel, self.post, self.context)

    def execute(self, frame: Frame, roots: Sequence[int], seeds: Mapping[str, int]) -> None:
        """Run what the roots need, until all is done, has failed, or the run is cancelled."""
        self._thread = threading.get_ident()
        remove = self.cancel.on_cancel(partial(self._dispatcher.send, None))
        try:
            looked = frame.survey.look(roots)
            self.on_event(RunStarted(len(looked), seeds))
            self._open(frame, roots, looked)
            self.begun = True
            self._loop()
        except Cancelled:  # out of a fingerprint; the loop would have seen it next
            pass
        except BaseException:
            self.cancel()
            raise
        finally:
            remove()
            while self._dispatcher.busy:
                self._receive(wait=True)

    def open(self, frame: Frame, roots: Sequence[int]) -> None:
        """Begin a frame: look at what its roots need, take what is remembered, start the rest."""
        self._open(frame, roots, frame.survey.look(roots))

    def _open(self, frame: Frame, roots: Sequence[int], looked: Iterable[int]) -> None:
        self._want(frame, roots)
        state = frame.survey.state
        for i in looked:
            if state[i] in (SEEN, DONE):
                self._cached(frame, i, None)
        if not frame.open and frame.zone is not None:
            self.todo.append((frame.zone.turned, (frame,)))

    def post(self, event: Event) -> None:
        """Say something, from any thread."""
        if threading.get_ident() == self._thread:
            self.on_event(event)
        else:
            self._dispatcher.send(event)

    def submit(self, task: Task) -> None:
        """Have a call made, unless its result is remembered or the same call is under way."""
        key = task.key
        if key is not None:
            result = self.kit.desk.memory.get(key)
            if result is not None:
                task.then(task, result, True)
                return
            if key in self._flying:
                self._flying[key].append(task)
                return
            self._flying[key] = []
        rank = None
        if task.unit.spec.lane == "device":
            self.kit.outlook.look()
            rank = self.kit.outlook.rank(task.unit.step.id)
        self._dispatcher.push(task, rank)

    def land(self, task: Task, outcome: Result | Failure) -> None:
        """A call (or a zone) is over: remember its result, and tell all who waited for it."""
        key = task.key
        waiters: list[Task] = []
        if key is not None:
            if isinstance(outcome, Result) and not task.frugal:
                self.kit.store(key, task.unit.static, outcome)
            waiters = self._flying.pop(key, waiters)
        task.then(task, outcome, False)
        for waiter in waiters:
            waiter.then(waiter, outcome, True)

    def finish(
        self, frame: Frame, i: int, result: Result, cached: bool, spent: float | None = None
    ) -> None:
        """A step has its result; it took ``spent`` seconds now, which may be less than it costs
        without the turns and items that were remembered."""
        survey = frame.survey
        survey.results[i], survey.known[i], survey.state[i] = result, result.digests, DONE
        if cached:
            self._cached(frame, i, result)
        else:
            self.counts.ran += 1
            spent = result.seconds if spent is None else spent
            frame.saved += result.saved
            frame.seconds += result.seconds
            frame.spent += spent
            step = survey.program.units[i].step.id
            if self.kit.facilities.pictures and result.preview:
                self.on_event(Preview(step, result.preview, frame.turns))
            self.on_event(StepDone(step, False, spent, result.summary, frame.turns))
        for user in survey.program.users[i]:
            if survey.state[user] == WANT:
                if survey.program.units[user].lazy and i not in survey.sources(user):
                    continue
                frame.waiting[user] -= 1
                if not frame.waiting[user]:
                    self.todo.append((self._start, (frame, user)))
        self._close(frame, i)

    def fail(self, frame: Frame, i: int, why: Failure) -> None:
        """A step failed, and with it all that needs it; the others go on."""
        survey = frame.survey
        cause = survey.program.units[i].step.id
        survey.state[i] = FAILED
        frame.causes[i] = cause
        frame.failures.setdefault(cause, why)
        self.failures.setdefault(cause, why)
        self.counts.failed += 1
        self.on_event(StepFailed(cause, why.sentence, why.trace, frame.turns))
        self._undecided(frame, i)
        self._close(frame, i)
        self._skip_users(frame, [i])

    def started(self, frame: Frame, i: int) -> None:
        """Say that a step begins."""
        self.on_event(StepStarted(frame.survey.program.units[i].step.id, frame.turns))

    def context(self, task: Task) -> StepContext:
        """The context of a call."""
        return StepContext(
            task.unit.step.id,
            task.frame.turns,
            self.kit.facilities,
            self.cancel,
            self.post,
            partial(self._described, task),
            task.item,
            task.frugal,
        )

    def _described(self, task: Task) -> tuple[Scalars, Mapping[str, Any]]:
        """What is embedded in a file, and which steps were made with little memory."""
        fields, told = self.describe(task.frame, task.step, task)
        frugal = sorted(self._attempts.frugal)
        return fields, {**told, "frugal": frugal} if told and frugal else told

    def _loop(self) -> None:
        while not self.cancel.is_set:
            if self.todo:
                act, args = self.todo.popleft()
                act(*args)
                continue
            task = self._dispatcher.take(self._forgo, self._handed)
            if task is not None:
                self._arrive(task, *self._perform(task))
                while self._receive(wait=False):
                    pass
            elif self._dispatcher.busy:
                self._receive(wait=True)
            elif not self.todo:
                return

    def _want(self, frame: Frame, wanted: Iterable[int]) -> None:
        fresh = frame.survey.demand(wanted)
        frame.enter(fresh)
        if any(frame.survey.program.units[i].spec.lane == "device" for i in fresh):
            self._dispatcher.prepare("device")
        state = frame.survey.state
        broken = [i for i in fresh if any(state[s] > DONE for s in frame.survey.sources(i))]
        for i in reversed(fresh):
            if not frame.count(i):
                self.todo.append((self._start, (frame, i)))
        if broken:
            sources = {s for i in broken for s in frame.survey.sources(i) if state[s] > DONE}
            self._skip_users(frame, sources)

    def _start(self, frame: Frame, i: int) -> None:
        """All that a step needs is here: find its result, or have it computed."""
        survey = frame.survey
        unit = survey.program.units[i]
        if survey.state[i] != WANT:
            return
        try:
            if unit.lazy and i not in survey.decided and not self._decide(frame, i):
                return
            given = gather(survey, i)
        except Misuse as error:
            self.fail(frame, i, Failure(str(error)))
            return
        key = survey.key(i) if self.kit.desk.remembers else None
        survey.keys[i] = key
        task = Task(frame, i, unit, given, key, None, self._over)
        mapped = unit.body is None and any(entry.axis for entry in given)
        if unit.body is None and not mapped:
            self.submit(task)
            return
        if key is not None:
            result = self.kit.desk.memory.get(key)
            if result is not None:
                self.finish(frame, i, result, True)
                return
            if key in self._flying:
                self._flying[key].append(task)
                return
            self._flying[key] = []
        self.started(frame, i)
        (Mapped if mapped else Zone)(self, task).begin()

    def _over(self, task: Task, outcome: Result | Failure, cached: bool) -> None:
        if isinstance(outcome, Failure):
            self.fail(task.frame, task.step, outcome)
        else:
            self.finish(task.frame, task.step, outcome, cached, task.spent)

    def _decide(self, frame: Frame, i: int) -> bool:
        """Ask a lazy step what else it needs; whether it can go on now."""
        survey, desk = frame.survey, self.kit.desk
        unit = survey.program.units[i]
        hook = desk.types.hook(unit.spec.type, "needs")
        while i not in survey.decided:
            key = survey.decision_key(i) if desk.remembers else None
            names = desk.memory.decision(key) if key is not None else None
            if names is None:
                given = gather(survey, i)
                try:
                    names = asked_of_all(unit, given, hook, self.kit.caps.list_items)
                except Misuse:
                    raise
                except Exception as error:
                    raise Misuse(failure(unit.step.id, unit.spec.title, error).sentence) from error
                if key is not None:
                    desk.memory.decide(key, names)
            new = survey.ask(i, names)
            looked = survey.look(new)
            self._want(frame, new)
            for s in looked:
                if survey.state[s] in (SEEN, DONE):
                    self._cached(frame, s, None)
            self._skip_users(frame, [s for s in survey.sources(i) if survey.state[s] > DONE])
            if survey.state[i] != WANT:
                return False
            if frame.count(i):
                return False
        frame.decide()
        return True

    def _forgo(self, task: Task) -> bool:
        """Whether a call was dropped and nobody else waits for the same."""
        if not task.dropped or (task.key and self._flying.get(task.key)):
            return False
        self._flying.pop(task.key or "", None)
        return True

    def _handed(self, task: Task) -> Work:
        """What a lane's thread does for a call."""
        context = self._announced(task)
        return lambda: self._dispatcher.send((task, *self._perform(task, context)))

    def _announced(self, task: Task) -> StepContext:
        if task.item is None:
            self.started(task.frame, task.step)
        return self.context(task)

    def _perform(self, task: Task, context: StepContext | None = None) -> tuple[Outcome, float]:
        return self._attempts.make(task, context or self._announced(task))

    def _receive(self, wait: bool) -> bool:
        """Take one message of the lanes; whether there was one."""
        found, message = self._dispatcher.receive(wait)
        if isinstance(message, tuple):
            self._arrive(*message)
        elif message is not None:
            self.on_event(message)
        return found

    def _arrive(self, task: Task, outcome: Outcome, seconds: float) -> None:
        self._dispatcher.learn(task, seconds)
        if isinstance(outcome, Result):
            self.saved += outcome.saved
        if outcome is not None:
            self.land(task, outcome)

    def _cached(self, frame: Frame, i: int, result: Result | None) -> None:
        """Say that a step costs nothing this time."""
        survey = frame.survey
        key = survey.keys[i]
        result = result or survey.results[i]
        if result is None and key is not None:
            result = self.kit.desk.memory.find(key)
        step = survey.program.units[i].step.id
        self.counts.cached += 1
        if result is not None:
            frame.saved += result.saved
            frame.seconds += result.seconds
            self.kept += result.saved
            for each in result.saved:
                self.on_event(KeptFile(step, each.path, each.hash, frame.turns))
            shows = survey.program.units[i].effect or self.kit.facilities.pictures
            if result.preview and shows:
                self.on_event(Preview(step, result.preview, frame.turns))
        summary = result.summary if result is not None else {}
        self.on_event(StepDone(step, True, 0.0, summary, frame.turns))

    def _undecided(self, frame: Frame, i: int) -> None:
        """A lazy step that is out of it will ask for nothing more."""
        if frame.survey.program.units[i].lazy and i not in frame.survey.decided:
            frame.survey.decided.add(i)
            frame.decide()

    def _close(self, frame: Frame, i: int) -> None:
        frame.open -= 1
        frame.release(i)
        if not frame.open and frame.zone is not None:
            self.todo.append((frame.zone.turned, (frame,)))

    def _skip_users(self, frame: Frame, sources: Iterable[int]) -> None:
        """Skip every step that is to run and needs one of these, near or far."""
        survey = frame.survey
        queue = deque(sources)
        while queue:
            i = queue.popleft()
            for user in survey.program.users[i]:
                if survey.state[user] == WANT and i in survey.sources(user):
                    survey.state[user] = SKIPPED
                    frame.causes[user] = cause = frame.causes[i]
                    self.counts.skipped += 1
                    step = survey.program.units[user].step.id
                    self.on_event(StepSkipped(step, cause, frame.turns))
                    self._undecided(frame, user)
                    self._close(frame, user)
                    queue.append(user)
