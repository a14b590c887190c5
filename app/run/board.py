"""The state of every node of one open document, and of the job that runs of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from app.run.costs import Costs
from app.run.state import IDLE, OVER, NodeRun, after, queued, stopped
from backend.engine.events import (
    Event,
    Note,
    Progress,
    RunStarted,
    StepDone,
    StepFailed,
    StepSkipped,
)
from backend.graph.document import Workflow, no_items

PICTURES = 64 * 2**20
"""Bytes of pictures that are kept of one document; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a job was made of. ``plan`` are its steps with their node types."""

    document: str
    workflow: Workflow
    plan: Mapping[str, str]
    only: tuple[str, ...] = ()


@dataclass(slots=True)
class Live:
    """How far the job that runs is."""

    job: int
    begun: float
    steps: int = 0
    over: int = 0
    shares: dict[str, float] = field(default_factory=dict)
    step: str = ""
    said: str = ""
    """What it said of itself before any step began."""

    def hear(self, event: Event) -> None:
        """Take in what it says."""
        if isinstance(event, RunStarted):
            self.steps, self.over = event.steps, 0
            self.shares.clear()
        elif isinstance(event, Progress) and not event.turns and event.total > 0:
            self.shares[event.step] = min(event.done / event.total, 1.0)
            self.step = event.step
        elif isinstance(event, StepDone | StepFailed | StepSkipped):
            if not event.turns:
                self.over += 1
                self.shares.pop(event.step, None)
        elif step := getattr(event, "step", ""):
            self.step = step
        elif isinstance(event, Note):
            self.said = event.text

    @property
    def progress(self) -> float:
        """0 to 1. Lazy branches may add steps that nobody knew of when it began."""
        total = max(self.steps, self.over)
        return min((self.over + sum(self.shares.values())) / total, 1.0) if total else 0.0


class Board:
    """Takes in the events of the jobs of one document, in their order."""

    def __init__(self, document: str) -> None:
        self.document = document
        self.runs: dict[str, NodeRun] = {}
        self.origin: Origin | None = None
        self.job = 0  # that runs now
        self.last = 0  # that began last
        self.seeds: Mapping[str, int] = no_items()
        self._before: dict[str, NodeRun] = {}
        self._touched: set[str] = set()
        self._pictures: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0

    def expect(self, origin: Origin, costs: Costs) -> frozenset[str]:
        """A job waits; steps that nothing else is going on with are queued. What changed."""
        changed = set()
        for step, kind in origin.plan.items():
            run = self.runs.get(step, IDLE)
            if run.status not in ("running", "queued"):
                self._before.setdefault(step, run)
                usual = costs.usual(self.document, step, kind)
                self.runs[step] = queued(run, usual)
                changed.add(step)
        return frozenset(changed)

    def begin(self, job: int, origin: Origin, costs: Costs) -> frozenset[str]:
        """A job begins (again): no step of it has run yet. What changed."""
        self.job, self.last, self.origin = job, job, origin
        self._touched.clear()
        return self.expect(origin, costs)

    def hear(self, event: Event, now: float, costs: Costs) -> str:
        """Take in an event; the step that it is about, or nothing."""
        step = getattr(event, "step", "")
        if not step:
            return ""
        kind = self.origin.plan.get(step, "") if self.origin is not None else ""
        usual = costs.usual(self.document, step, kind)
        run = self.runs.get(step, IDLE)
        if step not in self._touched:
            self._touched.add(step)
            self._before.setdefault(step, run)
            run = queued(run, usual)
        run = self.runs[step] = after(run, event, now, usual)
        if run.status in OVER and not run.live:
            self._before.pop(step, None)
            if isinstance(event, StepDone) and not event.cached and not event.turns:
                costs.learn(self.document, step, kind, run.seconds)
        self._keep(step, run)
        return str(step)

    def end(self, waiting: Collection[str]) -> frozenset[str]:
        """A job is over, or waits no more: steps that never ran are what they were before, but for
        those of ``waiting``, with which others of this document run or wait. What changed."""
        changed = set()
        for step, before in list(self._before.items()):
            run = self.runs[step]
            if run.status == "running" and self.job:
                continue
            if step in waiting:
                self.runs[step] = queued(run, run.usual)
            else:
                self.runs[step] = stopped(run, before)
                del self._before[step]
            changed.add(step)
        return frozenset(changed)

    def tick(self, now: float) -> frozenset[str]:
        """Time goes by for steps that do not say how far they are. What changed."""
        changed = set()
        for step, run in self.runs.items():
            if run.status == "running" and not run.total and run.usual is not None:
                self.runs[step] = replace(run, left=max(run.usual - (now - run.since), 0.0))
                changed.add(step)
        return frozenset(changed)

    def weigh(self, memory: int) -> frozenset[str]:
        """The host holds so many bytes; the steps that run now and never saw as many."""
        grown = {s for s, r in self.runs.items() if r.status == "running" and r.peak < memory}
        for step in grown:
            self.runs[step] = replace(self.runs[step], peak=memory)
        return frozenset(grown)

    def left(self, live: Live, now: float, costs: Costs) -> float | None:
        """Seconds until the end of the job: what its steps usually take, or else by its pace."""
        if self.origin is None:
            return None
        known = costs.together(self.document, self._waiting())
        if known is not None:
            running = [r for r in self.runs.values() if r.status == "running"]
            lefts = [r.left for r in running]
            if all(left is not None for left in lefts):
                return known + sum(left or 0.0 for left in lefts)
        share = live.progress
        return (now - live.begun) * (1 - share) / share if share > 0.02 else None

    def _waiting(self) -> Iterator[tuple[str, str]]:
        """The steps that are still to come. What is inside a zone counts with the zone."""
        assert self.origin is not None
        plan = self.origin.plan
        for step, kind in plan.items():
            outer = step.rpartition("/")[0]
            while outer and outer not in plan:
                outer = outer.rpartition("/")[0]
            run = self.runs.get(step, IDLE)
            if not outer and run.status == "queued" and step not in self._touched:
                yield step, kind

    def _keep(self, step: str, run: NodeRun) -> None:
        """See that pictures stay within their bytes."""
        size = len(run.preview)
        if self._pictures.get(step, 0) == size:
            return
        self._bytes += size - self._pictures.pop(step, 0)
        self._pictures[step] = size
        while self._bytes > PICTURES and len(self._pictures) > 1:
            oldest, freed = self._pictures.popitem(last=False)
            self._bytes -= freed
            self.runs[oldest] = replace(self.runs[oldest], preview=b"")
