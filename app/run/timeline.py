"""What a job did when: bars of steps on lanes, and the memory of the host beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.run.state import NodeStatus
from backend.engine.events import Event, StepDone, StepFailed, StepStarted
from backend.graph.spec import Lane

MOST_BARS = 20_000
"""Bars of one job; what comes after them is not drawn."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One call of a step. Times are seconds since the job began; ``end`` is ``None`` while it
    runs."""

    step: str
    turns: tuple[int, ...]
    lane: Lane
    category: str
    begin: float
    end: float | None = None
    status: NodeStatus = "running"


@dataclass(frozen=True, slots=True)
class Sample:
    """Bytes that the host held, so many seconds after the job began; and on its GPU."""

    at: float
    memory: int
    device: int = 0


@dataclass(slots=True)
class Timeline:
    """The record of one job. ``begun`` is a time of the clock whose times it is given."""

    job: int
    title: str
    begun: float
    document: str = ""
    bars: list[Bar] = field(default_factory=list)
    memory: list[Sample] = field(default_factory=list)
    ended: float | None = None
    _open: dict[tuple[str, tuple[int, ...]], int] = field(default_factory=dict)

    @property
    def peak(self) -> int:
        """The most bytes that the host was seen to hold."""
        return max((sample.memory for sample in self.memory), default=0)

    @property
    def seconds(self) -> float:
        """How long it is: to its end, or as far as is known."""
        if self.ended is not None:
            return self.ended
        ends = [bar.end if bar.end is not None else bar.begin for bar in self.bars[-50:]]
        return max([*ends, *(s.at for s in self.memory[-1:])], default=0.0)

    def hear(self, event: Event, now: float, lane: Lane = "cpu", category: str = "") -> bool:
        """Take in what the job says; whether there is something new to draw."""
        at = now - self.begun
        if isinstance(event, StepStarted):
            if len(self.bars) >= MOST_BARS:
                return False
            self._open[event.step, event.turns] = len(self.bars)
            self.bars.append(Bar(event.step, event.turns, lane, category, at))
            return True
        if isinstance(event, StepDone | StepFailed):
            place = self._open.pop((event.step, event.turns), None)
            if place is None:  # it came from the cache, and took no time
                return False
            status: NodeStatus = "failed" if isinstance(event, StepFailed) else "done"
            self.bars[place] = _closed(self.bars[place], at, status)
            return True
        return False

    def sample(self, now: float, memory: int, device: int = 0) -> None:
        """Note the memory at a time."""
        if self.ended is None:
            self.memory.append(Sample(now - self.begun, memory, device))

    def end(self, now: float) -> None:
        """The job is over; so is what ran."""
        self.ended = now - self.begun
        for place in self._open.values():
            self.bars[place] = _closed(self.bars[place], self.ended, "idle")
        self._open.clear()


def _closed(bar: Bar, end: float, status: NodeStatus) -> Bar:
    return Bar(bar.step, bar.turns, bar.lane, bar.category, bar.begin, end, status)
