"""How a batch goes through the queue, and into the manifest: each of its jobs once.

Before jobs are queued a mark is written into the manifest, and the same mark goes into the queue
with the jobs, in one transaction. So whenever everything is killed, the next start finds the jobs
that were queued, knows which of the batch's they are, and queues none of them again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.batch.errors import BatchError
from backend.batch.manifest import Ended, Manifest, spans
from backend.batch.rows import Point
from backend.engine.queue.batches import ended_of, hold, marked, release
from backend.engine.queue.history import Past
from backend.engine.queue.job import Draft
from backend.engine.queue.store import Queue
from backend.media.outputs import OutputFolder
from backend.sdk import Saved

Drafts = Callable[[Sequence[Point]], Sequence[Draft]]

AT_ONCE = 5000
"""Jobs that are queued in one transaction."""

_SLACK = 60.0
"""Seconds by which a clock may go back without the end of a job being seen late."""


@dataclass(frozen=True, slots=True)
class Again:
    """Which jobs of a manifest run again: those that failed, and those whose files are not there;
    with ``hashes`` also those whose files have other bytes."""

    failed: bool = False
    hashes: bool = False


class Carrier:
    """One batch between its manifest and the queue. Not for several threads."""

    def __init__(
        self, queue: Queue, manifest: Manifest, chosen: Sequence[Point], out: Path
    ) -> None:
        """``chosen`` are the jobs of the batch, ``out`` the folder they write to."""
        self._queue = queue
        self._manifest = manifest
        self._points = {point.index: point for point in chosen}
        self._out = out
        self._since = 0.0
        self.places: dict[int, int] = {}
        """The jobs in the queue by their numbers, with their places in the batch."""
        self.batches: set[int] = set()
        """The batches of the queue in which they are."""
        self._alive: set[int] = set()
        self._marks: dict[int, str] = {}
        self._written: set[int] = set()
        for mark, places in manifest.told.queued:
            self._find(mark, places)

    def _find(self, mark: str, places: Sequence[int]) -> None:
        jobs = marked(self._queue, mark)
        if len(jobs) != len(places):  # the queue is another by now, or they never got there
            return
        for job, place in zip(jobs, places, strict=True):
            self.places[job.id] = place
            self._marks[job.id] = mark
            self.batches.add(job.batch)
            if (mark, place) in self._manifest.told.ended:
                self._written.add(job.id)
            if job.state in ("queued", "running"):
                self._alive.add(place)

    def record(self, *, every: bool = True) -> list[dict[str, Any]]:
        """Write a line for each job that has ended since, and return them.

        With ``every`` all jobs of the batch are looked at, else those that ended of late.

        Raises:
            BatchError, QueueError: the manifest or the queue cannot be used.
        """
        since = 0.0 if every else self._since - _SLACK
        lines = []
        for past in ended_of(self._queue, sorted(self.batches), since, self._written):
            self._since = max(self._since, past.job.ended)
            place = self.places.get(past.job.id)
            if place in self._points:
                lines.append(self._line(self._points[place], past))
        self._manifest.append(lines)
        self._written |= {line["job"] for line in lines}
        self._alive -= {line["index"] for line in lines}
        return lines

    def _line(self, point: Point, past: Past) -> dict[str, Any]:
        job, ending = past.job, past.ending
        return {
            "event": "job",
            "index": point.index,
            "row": point.row,
            "values": point.shown,
            "status": job.state,
            "sentence": ending.sentence,
            "files": [{"path": saved.path, "hash": saved.hash} for saved in ending.outputs],
            "seconds": round(ending.seconds, 4),
            "seeds": dict(job.seeds),
            "job": job.id,
            "mark": self._marks[job.id],
        }

    def left(self, again: Again) -> list[Point]:
        """The jobs that are to be queued: those that neither wait nor run nor have ended well."""
        last = self._manifest.told.last
        return [
            point
            for index, point in self._points.items()
            if index not in self._alive
            and (index not in last or self._runs_again(last[index], again))
        ]

    def _runs_again(self, ended: Ended, again: Again) -> bool:
        if ended.status == "failed":
            return again.failed
        return ended.status != "done" or not self._stands(ended, again)

    def _stands(self, ended: Ended, again: Again) -> bool:
        if again.hashes:
            folder = OutputFolder(self._out)
            return all(folder.holds(Saved(path, known)) for path, known in ended.files)
        return all((self._out / path).exists() for path, _ in ended.files)

    def enlist(self, chosen: Sequence[Point], drafts: Drafts) -> None:
        """Queue jobs of the batch, some thousands at a time.

        Raises:
            BatchError, QueueError: the manifest or the queue cannot be used.
        """
        for at in range(0, len(chosen), AT_ONCE):
            self._enlist(chosen[at : at + AT_ONCE], drafts)

    def _enlist(self, chosen: Sequence[Point], drafts: Drafts) -> None:
        mark = new_mark()
        places = tuple(point.index for point in chosen)
        made = [replace(draft, words=f"{draft.words}\n{mark}") for draft in drafts(chosen)]
        self._manifest.append([{"event": "queued", "mark": mark, "jobs": spans(places)}])
        ids = self._queue.add(made)
        self.places.update(zip(ids, places, strict=True))
        self._marks.update(dict.fromkeys(ids, mark))
        self.batches.add(ids[0])
        self._alive |= set(places)

    def hold(self) -> None:
        """Have the jobs that wait not begin, whoever works through the queue."""
        hold(self._queue, sorted(self.batches))

    def release(self) -> None:
        """Take that back."""
        release(self._queue, sorted(self.batches))

    @property
    def ends(self) -> dict[int, Ended]:
        """How the jobs of the batch ended the last time, by their places."""
        last = self._manifest.told.last
        return {place: last[place] for place in sorted(last) if place in self._points}


def new_mark() -> str:
    """What jobs of a batch are found by in the queue; nothing that a prompt holds by chance."""
    return f"batch-{secrets.token_hex(12)}"


def unlike(
    header: dict[str, Any], known: dict[str, Any], chosen: Sequence[Point],
    ended: Collection[Ended],
) -> str:  # fmt: skip
    """In what a batch is not the one that a manifest tells of, or nothing."""
    parts, others = header["parts"], known["parts"]
    found = [name for name in parts if parts[name] != others.get(name)]
    if not found:
        return ""
    said = f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else found[0]
    details = []
    if header["jobs"] != known["jobs"]:
        details.append(f"it has {known['jobs']} jobs, and now there are {header['jobs']}")
    points = {point.index: point for point in chosen}
    for each in ended:
        point = points.get(each.index)
        if point is not None and point.shown != each.line["values"]:
            details.append(f"job {each.index} had {_values(each.line['values'])}, and now has "
                           f"{_values(point.shown)}")  # fmt: skip
            break
    return f"{said} ({'; '.join(details)})" if details else said


def _values(shown: dict[str, Any]) -> str:
    said = ", ".join(f"{name} = {str(value)[:40]}" for name, value in list(shown.items())[:4])
    return said or "no values"


def refuse_unlike(path: Path, said: str) -> BatchError:
    """What to raise where a manifest is another batch's."""
    return BatchError(f"{path} is the manifest of another batch: not the same are {said}. Go on "
                      "with what it was made from, or write another --manifest.")  # fmt: skip
