"""What ``weft batch`` shows: jobs as they begin and end, a dry run, contact sheets."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.batch.errors import Unwritable
from backend.batch.manifest import Ended
from backend.batch.plan import Batch
from backend.batch.rows import Point, told
from backend.batch.sheet import MOST, shown_of, write_sheet
from backend.cli.batch_plan import Wish
from backend.cli.check import counted
from backend.cli.errors import Stop
from backend.cli.flow import Flow
from backend.cli.plan import Machine, show_plan
from backend.cli.streams import Output, plain, put, tell

if TYPE_CHECKING:
    from backend.engine.cancel import Cancel
    from backend.engine.events import Event
    from backend.engine.queue.job import Ending, Job, State

LISTED = 10
"""Jobs that a dry run shows, beside the last."""


class Report:
    """Says how a batch goes on; its workers tell it in their threads, so one speaks at a time."""

    def __init__(
        self,
        output: Output,
        batch: Batch,
        stop: Cancel,
        places: Mapping[int, int],
        names: Sequence[str],
    ) -> None:
        """``stop`` is called when nobody reads any more; ``places`` are those of the queue's jobs
        in the batch, ``names`` the parameters in which its jobs differ."""
        self.stop = stop
        self._output = output
        self._points = {point.index: point for point in batch.points}
        self._places = places
        self._names = names
        self._lock = threading.Lock()
        self._paused = False

    def begins(self, manifest: Path, left: Sequence[Point]) -> None:
        """The batch begins, or goes on."""
        count = len(self._points)
        self._record(
            {"event": "begins", "jobs": count, "left": len(left), "manifest": str(manifest)}
        )
        already = f", {len(left)} of them to be queued" if len(left) < count else ""
        self._tell(f"{counted(count, 'job')}{already}; the manifest is {manifest}")

    def begun(self, job: Job) -> None:
        """A job begins."""
        with self._lock:
            self._paused = False
            place = self._places[job.id]
            said = told(self._points[place], self._names)
            self._record({"event": "begun", "index": place, "job": job.id})
            self._tell(f"Job {place} of {len(self._points)} begins{': ' if said else ''}{said}")

    def event(self, job: Job, event: Event) -> None:
        """The path of a file that was saved, and what a step has to say."""
        from backend.cli.report import note
        from backend.engine.events import Note, SavedFile

        if not isinstance(event, SavedFile | Note):
            return
        with self._lock:
            place = self._places[job.id]
            if isinstance(event, Note):
                self._record({"event": "note", "index": place, "text": note(event)})
                self._tell(note(event))
                return
            path = str(Path(job.output) / event.path)
            self._record({"event": "saved", "index": place, "path": path, "hash": event.hash})
            if not self._output.json and not put(plain(path)):
                self.stop()

    def ended(self, job: Job, state: State, ending: Ending | None) -> None:
        """A job is queued again; that it has ended is told once the manifest says so."""
        if state == "queued":
            with self._lock:
                place = self._places.get(job.id, 0)
                said = ending.sentence if ending is not None else ""
                self._record({"event": "again", "index": place, "job": job.id, "sentence": said})
                self._tell(f"Job {place} is queued again. {said}".rstrip())

    def paused(self) -> None:
        """The queue is paused; said once."""
        with self._lock:
            if not self._paused:
                self._paused = True
                self._record({"event": "paused"})
                self._tell("The queue is paused; `weft queue resume` goes on.")

    def wrote(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Jobs have ended, as these lines of the manifest say."""
        with self._lock:
            for line in lines:
                self._record(line)
                took = f" in {line['seconds']:.1f} s" if line["seconds"] else ""
                said = f"Job {line['index']} {line['status']}{took}. {line['sentence']}"
                self._tell(said.rstrip())

    def caught_up(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Jobs have ended before this program began, as these lines of the manifest say."""
        for line in lines:
            self._record(line)
        if lines:
            states = [line["status"] for line in lines]
            counts = {state: states.count(state) for state in dict.fromkeys(states)}
            self._tell(f"Ended meanwhile: {_counted(counts)}")

    def _tell(self, line: str) -> None:
        if not self._output.json:
            tell(plain(line))

    def _record(self, record: Mapping[str, Any]) -> None:
        try:
            self._output.record(record)
        except Stop:
            self.stop()  # the jobs go back to the queue; then the command ends
            raise


def summary(counts: Mapping[str, int], manifest: Path) -> str:
    """How a batch stands, in a sentence."""
    return f"Jobs: {_counted(counts)}. What became of each is in {manifest}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts.items() if number)


def show_dry_run(flow: Flow, batch: Batch, wish: Wish, output: Output) -> int:
    """Show the jobs of a batch, and what the first of them would load; returns the exit status.

    Raises:
        Stop: what is said of the device cannot be.
    """
    points = batch.points
    for point in points[:LISTED]:
        _show_point(point, output)
    if len(points) > LISTED + 1:
        output.line(f"        and {len(points) - LISTED - 1} more, the last:")
    if len(points) > LISTED:
        _show_point(points[-1], output)
    output.record({"event": "batch", "jobs": len(points), "out": str(batch.out)})
    output.line(f"{counted(len(points), 'job')}; outputs go to {plain(str(batch.out))}")
    first = replace(flow, workflow=batch.recipe.document(points[0]))
    machine = Machine(wish.memory, wish.host_memory, wish.device)
    return show_plan(first, machine, output, steps=False)


def _show_point(point: Point, output: Output) -> None:
    output.record({"event": "job", "index": point.index, "row": point.row, "values": point.shown})
    output.line(f"{point.index:>6}  {plain(told(point))}")


def show_sheet(path: Path, batch: Batch, ends: Mapping[int, Ended], output: Output) -> bool:
    """Write the contact sheet of the jobs that are done, and name its files; false where it cannot
    be written, which is told."""
    from backend.engine.cancel import Cancel

    shown = shown_of(batch, ends)
    if not shown:
        tell("No job has left a picture, so there is no contact sheet.")
        return True
    if len(shown) > MOST:
        tell(f"The contact sheet shows the first {MOST} of {len(shown)} pictures.")
    try:
        pages = write_sheet(path, shown, Cancel().check)
    except Unwritable as error:
        tell(str(error))
        return False
    for page in pages:
        output.record({"event": "sheet", "path": str(page)})
        output.line(plain(str(page)))
    return True
