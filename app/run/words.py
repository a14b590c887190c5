"""What a card says of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.run.state import JobStatus, JobView
from app.words import tr

if TYPE_CHECKING:
    from backend.engine.queue.job import Ending, Job


def view_of(
    job: Job, ending: Ending | None = None, place: int = 0, document: str = "", mine: bool = False
) -> JobView:
    """A job of the queue as a card shows it. ``place`` counts those that wait, from 1."""
    status: JobStatus = "paused" if job.state == "queued" and job.paused else job.state
    share = min(job.done / job.total, 1.0) if job.total else 0.0
    return JobView(
        job.id,
        job.title or tr("Untitled"),
        status,
        job.seeds,
        progress=1.0 if status == "done" else share,
        sentence=sentence_of(job, status, ending, place),
        error=ending.sentence if ending is not None and status == "failed" else "",
        document=document,
        place=place,
        added=job.added,
        begun=job.begun,
        ended=job.ended,
        mine=mine,
        wish=job.wish,
        outputs=_files(job, ending),
        seconds=ending.seconds if ending is not None else 0.0,
        priority=job.priority,
        retry_of=job.retry_of,
    )


def sentence_of(job: Job, status: JobStatus, ending: Ending | None, place: int) -> str:
    """Where a job stands, in a sentence."""
    if status == "running":
        return running_sentence(job.step, job.wish, None)
    if status == "paused":
        return tr("Paused. It waits until it is resumed.")
    if status == "queued":
        if job.crashes:
            return tr("Begins again. {cause}", cause=job.crashes[-1].cause)
        return tr("Runs next") if place == 1 else tr("Waits, {place} in line", place=place)
    if status == "cancelled":
        return tr("Cancelled")
    if status == "failed":
        return ending.sentence if ending is not None else tr("Failed")
    took = show_seconds(ending.seconds if ending is not None else 0.0)
    files = len(ending.outputs) if ending is not None else 0
    if not files:
        return tr("Done in {took}", took=took)
    if files == 1:
        return tr("Done in {took}, 1 file", took=took)
    return tr("Done in {took}, {files} files", took=took, files=files)


def running_sentence(step: str, wish: str, left: float | None) -> str:
    """What is said of a job that runs: the title of the node that is under way, and how long."""
    if wish == "cancel":
        return tr("Stops")
    if wish == "pause":
        return tr("Stops and goes back into the line")
    if not step:
        return tr("Begins")
    if left is None:
        return step
    return tr("{step}, {left} left", step=step, left=show_seconds(left))


def seeds_in_words(seeds: Mapping[str, int]) -> str:
    """``seed 4127`` where all are one number, else how many there are; empty without any."""
    numbers = set(seeds.values())
    if len(numbers) == 1:
        return tr("seed {seed}", seed=numbers.pop())
    return tr("{n} seeds", n=len(numbers)) if numbers else ""


def show_seconds(seconds: float) -> str:
    """A time as people read it: ``0.84 s``, ``3.2 s``, ``48 s``, ``2 min 05 s``, ``1 h 20 min``."""
    if seconds < 0.995:
        return tr("{n} s", n=f"{seconds:.2f}")
    if seconds < 9.95:
        return tr("{n} s", n=f"{seconds:.1f}")
    whole = round(seconds)
    if whole < 60:
        return tr("{n} s", n=whole)
    if whole < 3600:
        return tr("{m} min {s} s", m=whole // 60, s=f"{whole % 60:02}")
    minutes = round(seconds / 60)
    return tr("{h} h {m} min", h=minutes // 60, m=f"{minutes % 60:02}")


def _files(job: Job, ending: Ending | None) -> tuple[str, ...]:
    if ending is None:
        return ()
    return tuple(f"{job.output}/{saved.path}" for saved in ending.outputs)
