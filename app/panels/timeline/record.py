"""What a timeline shows, as plain data, and the arithmetic of its axis. Without Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.run.timeline import Timeline
from backend.graph.spec import Lane

LANES: tuple[Lane, ...] = ("device", "cpu", "file")


@dataclass(frozen=True, slots=True)
class Span:
    """One call of a step, in seconds since the run began; ``end`` is ``None`` while it goes on."""

    step: str
    title: str
    lane: Lane
    category: str
    begin: float
    end: float | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """Bytes that the engine's process held, at a second of the run."""

    at: float
    used: int


@dataclass(frozen=True, slots=True)
class Record:
    """A run: its calls in order of their begin, its memory, and the second that it is at.

    ``now`` is ``None`` when the run is over; ``device`` is what its first lane is called.
    """

    spans: tuple[Span, ...] = ()
    samples: tuple[Sample, ...] = ()
    now: float | None = None
    device: str = "GPU"

    @property
    def length(self) -> float:
        """Seconds from the begin to the last that is known."""
        ends = [span.begin if span.end is None else span.end for span in self.spans]
        last = [sample.at for sample in self.samples[-1:]]
        return max([self.now or 0.0, *ends, *last])

    @property
    def peak(self) -> int:
        """The most bytes that were held."""
        return max((sample.used for sample in self.samples), default=0)

    def end_of(self, span: Span) -> float:
        """Where a span ends, or has got to."""
        if span.end is not None:
            return span.end
        return max(span.begin, self.now if self.now is not None else self.length)

    def lanes(self) -> tuple[Lane, ...]:
        """The lanes that have something in them."""
        there = {span.lane for span in self.spans}
        return tuple(lane for lane in LANES if lane in there)


def record_of(
    timeline: Timeline, title_of: Callable[[str], str], now: float | None, device: str = "GPU"
) -> Record:
    """What is shown of a job's timeline.

    Args:
        timeline: What the job did.
        title_of: The title of a step's node, as the canvas shows it.
        now: Seconds since the job began; ``None`` when it is over.
        device: What the lane of the accelerator is called.
    """
    spans = [
        Span(
            bar.step, " · ".join([title_of(bar.step), *(str(turn) for turn in bar.turns)]),
            bar.lane, bar.category, bar.begin, bar.end, bar.status == "failed",
        )
        for bar in timeline.bars
    ]  # fmt: skip
    spans.sort(key=lambda span: span.begin)
    samples = tuple(Sample(sample.at, sample.memory) for sample in timeline.memory)
    return Record(tuple(spans), samples, now, device)


@dataclass(frozen=True, slots=True)
class Axis:
    """Seconds on a line of pixels: ``begin`` is at its left end, ``seconds`` fit into ``width``."""

    begin: float
    seconds: float
    width: float

    def x(self, second: float) -> float:
        """Where a second lies."""
        return (second - self.begin) / self.seconds * self.width

    def second(self, x: float) -> float:
        """Which second lies at a place."""
        return self.begin + x / self.width * self.seconds

    def zoomed(self, factor: float, around: float, length: float) -> Axis:
        """Closer by a factor, with the second under ``around`` (pixels) where it is.

        Never closer than a millisecond in all, never farther than ``length`` seconds.
        """
        seconds = min(max(self.seconds / factor, 1e-3), length)
        fixed = self.second(around)
        begin = fixed - around / self.width * seconds
        return Axis(begin, seconds, self.width).inside(length)

    def inside(self, length: float) -> Axis:
        """Moved so that it shows nothing before 0 or after ``length``, where that can be."""
        begin = max(0.0, min(self.begin, length - self.seconds))
        return Axis(begin, self.seconds, self.width)

    def ticks(self, apart: float = 90.0) -> tuple[float, ...]:
        """Round seconds that lie at least ``apart`` pixels from each other."""
        step = round_step(self.seconds * apart / max(self.width, 1.0))
        first = math.ceil(self.begin / step - 1e-9)
        last = math.floor((self.begin + self.seconds) / step + 1e-9)
        return tuple(number * step for number in range(first, last + 1))


def round_step(least: float) -> float:
    """The least of 1, 2, 5 times a power of ten (from a minute on: of clock figures) that is not
    less than ``least``."""
    for clock in (60, 120, 300, 600, 1800, 3600):
        if least > 30 and least <= clock:
            return float(clock)
    power = 10.0 ** math.floor(math.log10(max(least, 1e-9)))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= least * (1 - 1e-9))


def tick_words(second: float, step: float) -> str:
    """A second on the axis: ``2 s``, ``0.25 s``, ``3:20``."""
    if step >= 60 or second >= 600:
        return f"{int(second) // 60}:{int(second) % 60:02d}"
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step < 1 else 0
    return f"{second:.{digits}f} s"


def neighbour(spans: Sequence[Span], chosen: int, direction: str) -> int:
    """The span that an arrow key leads to: the one before or after in time in its lane, or the one
    nearest in time in the lane above or below. ``-1`` chosen gives the first."""
    if not spans:
        return -1
    if not 0 <= chosen < len(spans):
        return 0
    here = spans[chosen]
    if direction in ("left", "right"):
        lane = [number for number, span in enumerate(spans) if span.lane == here.lane]
        at = lane.index(chosen) + (1 if direction == "right" else -1)
        return lane[max(0, min(at, len(lane) - 1))]
    there = [lane for lane in LANES if any(span.lane == lane for span in spans)]
    row = there.index(here.lane) + (1 if direction == "down" else -1)
    if not 0 <= row < len(there):
        return chosen
    lane = [number for number, span in enumerate(spans) if span.lane == there[row]]
    return min(lane, key=lambda number: abs(spans[number].begin - here.begin))
