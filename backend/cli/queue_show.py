"""How jobs of the queue and the history are shown."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cli.check import counted, show_diagnostics
from backend.cli.errors import FAILED, INVALID, USAGE, Stop
from backend.cli.places import user_settings
from backend.cli.streams import Output, plain, put

if TYPE_CHECKING:
    from backend.engine.queue.history import Past
    from backend.engine.queue.job import Job
    from backend.engine.queue.store import Queue, Standing

POLL = 0.25
"""Seconds between two looks at the queue."""


@contextlib.contextmanager
def the_queue(output: Output) -> Iterator[Queue]:
    """The user's queue. Jobs whose runner has died are put back into the line first.

    Raises:
        Stop: it cannot be used, or refuses what is asked of it.
    """
    from backend.engine.queue.claims import reclaim
    from backend.engine.queue.errors import InvalidJob, QueueError, Refused
    from backend.engine.queue.place import FILE
    from backend.engine.queue.store import Queue
    from backend.settings import data_folder

    settings = user_settings()
    try:
        with Queue(data_folder(settings) / FILE) as queue:
            reclaim(queue, settings.queue.attempts)
            yield queue
    except InvalidJob as error:
        show_diagnostics(output, error.diagnostics)
        raise Stop(str(error), INVALID) from None
    except Refused as error:
        raise Stop(str(error), USAGE) from None
    except QueueError as error:
        raise Stop(str(error), FAILED) from None


def job_record(job: Job) -> dict[str, Any]:
    """A job as JSON."""
    return {"event": "job", **asdict(job)}


def past_record(past: Past) -> dict[str, Any]:
    """A job of the history as JSON; its outputs are paths below ``output``."""
    ending = asdict(past.ending)
    del ending["state"]
    return {**job_record(past.job), "event": "history", **ending}


def state_of(job: Job) -> str:
    """The state of a job in a word."""
    if job.state == "queued" and job.paused:
        return "paused"
    return {"cancel": "cancelling", "pause": "pausing"}.get(job.wish, job.state)


def job_line(job: Job) -> str:
    """A job on a line: number, state, title, seeds, and how far it is."""
    parts = [f"{job.id:>6}  {state_of(job):10} {plain(job.title)}"]
    seeds = list(dict.fromkeys(job.seeds.values()))
    if seeds:
        more = ", ..." if len(seeds) > 2 else ""
        parts.append(f"seed {', '.join(map(str, seeds[:2]))}{more}")
    if job.priority:
        parts.append(f"priority {job.priority}")
    if job.state == "running" and job.total:
        parts.append(f"{job.done / job.total:.0%} {plain(job.step)}".rstrip())
    if job.crashes:
        parts.append(f"broke off {counted(len(job.crashes), 'time')}")
    return "  ".join(parts)


def standing_line(standing: Standing) -> str:
    """How full the queue is, in a sentence."""
    parts = [f"{standing.running} running", f"{standing.queued} waiting"]
    if standing.held:
        parts.append(f"{standing.held} paused")
    any_job = standing.running + standing.queued + standing.held
    said = ", ".join(parts) if any_job else "Nothing to do"
    paused = " The queue is paused; `weft queue resume` goes on." if standing.paused else ""
    return f"{said}.{paused}"


def show_jobs(queue: Queue, limit: int, *, ended: bool, output: Output) -> None:
    """``weft queue list``."""
    jobs = queue.jobs(limit=limit if not output.json and limit else -1)
    past = queue.ended(limit=limit if not output.json and limit else -1) if ended else []
    for job in (*reversed(past), *jobs):
        output.record(job_record(job))
        output.line(job_line(job))
    standing = queue.standing
    output.record({"event": "queue", **asdict(standing)})
    left = standing.running + standing.queued + standing.held - len(jobs)
    if left > 0:
        output.line(f"        and {left} more; --limit 0 shows all")
    output.line(standing_line(standing))


def show_past(past: Past, output: Output) -> None:
    """All that the history has of a job."""
    job, ending = past.job, past.ending
    output.record(past_record(past))
    output.line(past_line(past))
    rows: list[tuple[str, str]] = [("why", ending.sentence)]
    rows += [("seed", f"{name} = {seed}") for name, seed in job.seeds.items()]
    rows += [("output", f"{Path(job.output) / saved.path}  {saved.hash}")
             for saved in ending.outputs]  # fmt: skip
    rows += [("time", f"{each.seconds:.2f} s  {each.step}") for each in ending.timings]
    rows += [("failed", f"{step}: {said}") for step, said in ending.failures.items()]
    for crash in job.crashes:
        steps = f" in {', '.join(crash.steps)}" if crash.steps else ""
        rows.append(("broke off", f"{crash.cause}{steps}"))
        rows += [("  said", line) for line in crash.last_output.splitlines()[-10:]]
    rows.append(("retry of", str(job.retry_of or "")))
    for label, value in rows:
        if value:
            output.line(f"  {label:10} {plain(value)}")


def past_line(past: Past) -> str:
    """A job of the history on a line."""
    job, ending = past.job, past.ending
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.ended))
    files = f"  {counted(len(ending.outputs), 'file')}" if ending.outputs else ""
    said = f"{job.id:>6}  {when}  {job.state:10} {ending.seconds:7.1f} s  {plain(job.title)}"
    return said + files


def watch_jobs(queue: Queue, output: Output, *, wait: bool, sleep: Callable[[float], None]) -> None:
    """``weft queue watch``: show each change, until no job waits or runs."""
    import sys

    if not output.json and sys.stdout.isatty():
        _live(queue, wait, sleep)
        return
    shown: dict[int, str] = {}
    for jobs, standing in _looks(queue, wait, sleep):
        for job in jobs:
            line = job_line(job)
            if shown.get(job.id) != line:
                shown[job.id] = line
                output.line(line)
                output.record(job_record(job))
        gone = [number for number in shown if number not in {job.id for job in jobs}]
        for number in gone:
            job = queue.job(number)
            if job.ended:
                output.line(job_line(job))
                output.record(job_record(job))
            del shown[number]
        if not (standing.queued or standing.running):
            output.line(standing_line(standing))
            output.record({"event": "queue", **asdict(standing)})


def _looks(
    queue: Queue, wait: bool, sleep: Callable[[float], None]
) -> Iterator[tuple[Sequence[Job], Standing]]:
    """What runs and the next few that wait, whenever something has changed."""
    seen: int | None = None
    while True:
        changed = queue.database.changed()
        standing = queue.standing
        if changed != seen:
            seen = changed
            yield queue.jobs(limit=20), standing
        if not wait and not (standing.queued or standing.running):
            return
        sleep(POLL)


def _live(queue: Queue, wait: bool, sleep: Callable[[float], None]) -> None:
    """The same on a terminal, where it is drawn over."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), transient=True, auto_refresh=False) as live:
        for jobs, standing in _looks(queue, wait, sleep):
            lines = [*(job_line(job) for job in jobs), standing_line(standing)]
            live.update(Group(*(Text(line) for line in lines)), refresh=True)
    put(standing_line(queue.standing))
