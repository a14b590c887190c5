"""Where each node and each job stands, as plain data, and how what a run says changes it.

Nothing here knows of Qt, of threads or of processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from backend.engine.events import (
    Event,
    KeptFile,
    Note,
    Preview,
    Progress,
    RunFinished,
    RunStarted,
    SavedFile,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from backend.graph.document import no_items

NodeStatus = Literal["idle", "queued", "running", "done", "cached", "failed", "skipped", "degraded"]
JobStatus = Literal["queued", "paused", "running", "done", "failed", "cancelled"]

OVER: frozenset[NodeStatus] = frozenset({"done", "cached", "degraded", "failed", "skipped"})
"""In these a step's part in a run is over."""

_ENDS = (StepDone, StepFailed, StepSkipped)


@dataclass(frozen=True, slots=True)
class NodeRun:
    """What came of a step in the last run that it was part of.

    Attributes:
        status: ``degraded`` is done, with something left out or split; ``note`` says what.
        done: How far it is, of ``total`` (0: it does not say).
        seconds: What it took, all turns of the zones around it together.
        left: Seconds until it is over, if that can be told.
        sentence: Why it failed or was skipped.
        outputs: What it gave, in words, by output.
        saved: The files it wrote, or that stand as it would write them.
        preview: The last picture (JPEG), also that of an earlier run; empty where there is none.
        turns: The turns of the zones around it, from 1, outermost first.
        note: What it had to say meanwhile.
        trace: For the log.
        live: How many calls of it are under way.
        ran: How many calls of it computed something.
        since: When it began, in seconds of the clock that the reducers were given.
        usual: Seconds that it took when it last computed, if that is known.
        peak: The most bytes that the host was seen to hold while it ran; 0 where it was too quick.
    """

    status: NodeStatus = "idle"
    done: float = 0.0
    total: float = 0.0
    seconds: float = 0.0
    left: float | None = None
    sentence: str = ""
    outputs: Mapping[str, str] = field(default_factory=no_items)
    saved: tuple[str, ...] = ()
    preview: bytes = b""
    turns: tuple[int, ...] = ()
    note: str = ""
    trace: str = ""
    live: int = 0
    ran: int = 0
    since: float = 0.0
    usual: float | None = None
    peak: int = 0

    @property
    def share(self) -> float:
        """How far it is, 0 to 1."""
        if self.status in OVER:
            return 1.0
        return min(self.done / self.total, 1.0) if self.total > 0 else 0.0


IDLE = NodeRun()


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a card shows it.

    Attributes:
        status: ``paused`` is one that waits until somebody resumes it.
        seeds: By ``node.param``.
        progress: 0 to 1.
        left: Seconds until its end, if that can be told.
        sentence: Where it stands, for people.
        picture: The last picture it showed or saved (JPEG); empty where none is known.
        error: Why it failed; empty otherwise.
        document: The id of the open document it was started from; empty for any other's.
        place: Its place among those that wait, from 1; 0 where it does not wait.
        added, begun, ended: Seconds since 1970, 0 for not yet.
        mine: Whether this program runs it.
        wish: ``cancel`` or ``pause`` while that is asked of whoever runs it.
        outputs: The files it saved, absolute; known when it has ended.
        seconds: How long it took; known when it has ended.
    """

    id: int
    title: str
    status: JobStatus
    seeds: Mapping[str, int] = field(default_factory=no_items)
    progress: float = 0.0
    left: float | None = None
    sentence: str = ""
    picture: bytes = b""
    error: str = ""
    document: str = ""
    place: int = 0
    added: float = 0.0
    begun: float = 0.0
    ended: float = 0.0
    mine: bool = False
    wish: str = ""
    outputs: tuple[str, ...] = ()
    seconds: float = 0.0
    priority: int = 0
    retry_of: int = 0


def queued(before: NodeRun = IDLE, usual: float | None = None) -> NodeRun:
    """A step that is going to run; its last picture stays."""
    return NodeRun("queued", preview=before.preview, usual=usual)


def after(run: NodeRun, event: Event, now: float, usual: float | None = None) -> NodeRun:
    """A step after it said something.

    Args:
        run: What it was.
        event: Of this step; what is about the whole run leaves it as it is.
        now: Seconds of any clock that only goes forward.
        usual: Seconds that a step like this took before, if any did.
    """
    if isinstance(event, RunStarted | RunFinished):
        return run
    if isinstance(event, StepStarted):
        return _started(run, event, now, usual)
    if isinstance(event, Progress):
        if run.status != "running":  # that it began was left out where messages piled up
            run = _started(run, StepStarted(event.step, event.turns), now, usual)
        left = _left(now - run.since, event.done, event.total, usual)
        return replace(run, done=event.done, total=event.total, left=left, turns=event.turns)
    if isinstance(event, Preview):
        return replace(run, preview=event.jpeg)
    if isinstance(event, Note):
        return replace(run, note=event.text)
    if isinstance(event, SavedFile | KeptFile):
        return replace(run, saved=tuple(dict.fromkeys((*run.saved, event.path))))
    return _ended(run, event)


def _started(run: NodeRun, event: StepStarted, now: float, usual: float | None) -> NodeRun:
    if run.status == "running" or (event.turns and run.status in OVER):  # one more turn of it
        status: NodeStatus = "failed" if run.status == "failed" else "running"
        return replace(run, status=status, live=run.live + 1, turns=event.turns, left=None)
    fresh = NodeRun("running", preview=run.preview, saved=run.saved, note=run.note)
    return replace(fresh, live=1, left=usual, turns=event.turns, since=now, usual=usual)


def _ended(run: NodeRun, event: StepDone | StepFailed | StepSkipped) -> NodeRun:
    """After one call of the step is over; it runs on where other turns of it do."""
    live = max(run.live - 1, 0)
    over = replace(run, live=live, left=None, turns=event.turns)
    if isinstance(event, StepFailed):
        return replace(over, status="failed", sentence=event.sentence, trace=event.trace)
    if run.status == "failed":  # another turn of it has failed
        return over
    if isinstance(event, StepSkipped):
        return replace(over, status="skipped", sentence="")
    ran = run.ran + (not event.cached)
    status: NodeStatus = "done" if ran else "cached"
    if ran and run.note:
        status = "degraded"
    return replace(
        over,
        status="running" if live else status,
        seconds=run.seconds + event.seconds,
        outputs=event.outputs,
        ran=ran,
    )


def _left(elapsed: float, done: float, total: float, usual: float | None) -> float | None:
    """Seconds left: by its pace, or before there is one by what it usually takes."""
    if total > 0 and done > 0:
        return max(elapsed * (total - done) / done, 0.0)
    return max(usual - elapsed, 0.0) if usual is not None else None


def stopped(run: NodeRun, before: NodeRun = IDLE) -> NodeRun:
    """A step when its run is over: one that never ended is what it was ``before``."""
    return run if run.status in OVER else replace(before, preview=run.preview or before.preview)


_RANK: tuple[NodeStatus, ...] = (
    "failed", "running", "queued", "skipped", "degraded", "done", "cached", "idle",
)  # fmt: skip


def together(runs: Iterable[NodeRun]) -> NodeRun:
    """Several steps as one: what a subgraph's node shows of all that is inside it.

    ``done`` of ``total`` are then steps, each by its share.
    """
    all_of_them = tuple(runs)
    if len(all_of_them) < 2:
        return all_of_them[0] if all_of_them else IDLE
    states = {run.status for run in all_of_them}
    status = next(each for each in _RANK if each in states)
    if status == "queued" and states & OVER:
        status = "running"  # between two of them
    said = [run for run in all_of_them if run.status == status]
    lefts = [run.left for run in said if run.left is not None]
    begun = [run.since for run in all_of_them if run.since]
    return NodeRun(
        status,
        sum(run.share for run in all_of_them),
        float(len(all_of_them)),
        sum(run.seconds for run in all_of_them),
        max(lefts) if lefts else None,
        next((run.sentence for run in said if run.sentence), ""),
        saved=tuple(dict.fromkeys(path for run in all_of_them for path in run.saved)),
        preview=next((run.preview for run in reversed(all_of_them) if run.preview), b""),
        turns=next((run.turns for run in said), ()),
        note=next((run.note for run in all_of_them if run.note), ""),
        trace=next((run.trace for run in said if run.trace), ""),
        live=sum(run.live for run in all_of_them),
        ran=sum(run.ran for run in all_of_them),
        since=min(begun, default=0.0),
    )
