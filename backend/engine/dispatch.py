"""Which ready call is made where: on a lane's thread, or right here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import TypeAlias

from backend.engine.events import Event
from backend.engine.lanes import Work, Workers
from backend.engine.ready import Ready
from backend.engine.task import Outcome, Task, weight
from backend.graph.spec import Lane

QUICK = 0.001
"""Seconds below which a call is made in the scheduler's own thread rather than handed over."""

Done: TypeAlias = tuple[Task, Outcome, float]
Message: TypeAlias = Done | Event | None
"""What lanes send: a call that is over, something to be said, or only a wake-up."""


class Dispatcher:
    """Ready calls by lane, what is under way, and the mail from the lanes' threads.

    A call for the device always goes to the device's thread. Any other goes to its lane too, unless
    calls like it were quick, or nothing could overlap with it: then a thread would only cost time.
    """

    def __init__(self, lanes: Mapping[Lane, Workers], costs: dict[tuple[str, int], float]) -> None:
        """``costs`` are seconds by kind of call; they are learnt, and outlive a run."""
        self._lanes = lanes
        self._costs = costs
        self._ready: Mapping[Lane, Ready] = {
            "device": Ready(),
            "file": Ready(),
            "cpu": Ready(),
        }
        self._busy: dict[Lane, int] = {"device": 0, "file": 0, "cpu": 0}
        self._mail: SimpleQueue[Message] = SimpleQueue()

    @property
    def busy(self) -> bool:
        """Whether any lane has something under way."""
        return any(self._busy.values())

    def prepare(self, lane: Lane) -> None:
        """Have a thread ready; that of the device imports torch meanwhile."""
        self._lanes[lane].grow(1)

    def push(self, task: Task, rank: int | None = None) -> None:
        """Note a ready call; ``rank`` as in ``Ready``."""
        self._ready[task.unit.spec.lane].push(task, rank)

    def take(self, forgo: Callable[[Task], bool], begin: Callable[[Task], Work]) -> Task | None:
        """Hand ready calls to free lanes; returns the one, if any, that is best made right here.

        ``forgo`` says whether a call is not wanted any more, ``begin`` makes what a lane is to do.
        """
        for lane, ready in self._ready.items():
            workers = self._lanes[lane]
            while (task := ready.first()) is not None:
                if forgo(task):
                    ready.pop()
                    continue
                if lane != "device" and (self._is_quick(task) or self._is_alone()):
                    return ready.pop()
                if self._busy[lane] >= workers.size:
                    break
                ready.pop()
                self._busy[lane] += 1
                workers.grow(self._busy[lane])
                workers.put(begin(task))
        return None

    def send(self, message: Message) -> None:
        """Send something to the scheduler, from any thread."""
        self._mail.put(message)

    def receive(self, wait: bool) -> tuple[bool, Message]:
        """Whether there is mail, and the first of it; ``wait`` until there is."""
        try:
            message = self._mail.get(block=wait)
        except Empty:
            return False, None
        if isinstance(message, tuple):
            self._busy[message[0].unit.spec.lane] -= 1
        return True, message

    def learn(self, task: Task, seconds: float) -> None:
        """Note what a call took; a slow one counts at once, quick ones only bit by bit."""
        kind = _kind(task)
        old = self._costs.get(kind, seconds)
        self._costs[kind] = max(seconds, (old + seconds) / 2)

    def _is_quick(self, task: Task) -> bool:
        cost = self._costs.get(_kind(task))
        return cost is not None and cost < QUICK

    def _is_alone(self) -> bool:
        """Whether nothing could overlap with the one call that is ready."""
        return sum(map(len, self._ready.values())) == 1 and not self.busy


def _kind(task: Task) -> tuple[str, int]:
    """Calls that are taken to cost about the same: of one type, with inputs of like size."""
    return task.unit.spec.type, weight(task.given).bit_length() // 2
