"""What a runner does with the queue: take a job, say how far it is, and end it exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from backend.engine.queue.batches import among
from backend.engine.queue.ending import add_crash, end
from backend.engine.queue.errors import unusable
from backend.engine.queue.job import COLUMNS, Crash, Ending, Job, State, Timing, job_of
from backend.engine.queue.lease import Lease, is_alive, sweep
from backend.engine.queue.store import Queue
from backend.media.outputs import OutputFolder
from backend.sdk import Saved

AHEAD = 64
"""Waiting jobs of the highest priority that a runner may choose among."""


def first(jobs: Sequence[Job]) -> int:
    """Take the jobs as they stand in the line."""
    return 0


class Claims:
    """A runner's hold on the jobs of a queue; as long as its process lives, nobody else's."""

    def __init__(self, queue: Queue, attempts: int = 3, batches: Sequence[int] = ()) -> None:
        """``attempts``: how often a job is begun when the process that runs it dies; ``batches``:
        whose jobs alone are taken, any where there are none.

        Raises:
            QueueError: the runner's lease cannot be written.
        """
        self._queue = queue
        self._attempts = attempts
        self._mine = among(batches)
        try:
            sweep(queue.leases)
            self._lease = Lease(queue.leases)
        except OSError as error:
            raise unusable(queue.path, error) from error

    def close(self) -> None:
        """Let go of the lease; a job that is still held goes back into the line."""
        self._lease.release()

    def take(self, choose: Callable[[Sequence[Job]], int] = first) -> Job | None:
        """Take the next job, or nothing when none waits or the queue is paused.

        ``choose`` says by its place which of the waiting jobs of the highest priority is next.
        """
        database = self._queue.database
        if not self.line(1):
            return None
        with database.changes() as db:
            jobs = self.line()
            if not jobs:
                return None
            job = jobs[choose(jobs)]
            db.execute(
                "UPDATE jobs SET state = 'running', runner = ?, begun = ?, claims = claims + 1,"
                " attempts = attempts + 1, wish = '', step = '', done = 0, total = 0 WHERE id = ?",
                (self._lease.token, time.time(), job.id),
            )
            (row,) = db.execute(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", (job.id,))
            return job_of(row)

    def line(self, most: int = AHEAD) -> list[Job]:
        """The waiting jobs of the highest priority as they stand in the line; none while the queue
        is paused."""
        rows = self._queue.database.read(
            f"SELECT {COLUMNS} FROM jobs WHERE state = 'queued' AND NOT paused AND {self._mine}"
            " AND NOT EXISTS (SELECT 1 FROM facts WHERE name = 'paused')"
            " ORDER BY priority DESC, position, id LIMIT ?",
            most,
        )
        jobs = [job_of(row) for row in rows]
        return [job for job in jobs if job.priority == jobs[0].priority]

    def waits(self, job: Job) -> bool:
        """Whether a job still waits to be taken by any runner."""
        return bool(
            self._queue.database.read(
                "SELECT 1 FROM jobs WHERE id = ? AND state = 'queued' AND NOT paused", job.id
            )
        )

    def wish(self, job: Job) -> str:
        """What others ask of a job that this runner has: ``cancel``, ``pause`` or nothing;
        ``lost`` when it is not this runner's any more."""
        rows = self._queue.database.read(
            "SELECT wish FROM jobs WHERE id = ? AND claims = ? AND state = 'running'",
            job.id, job.claims,
        )  # fmt: skip
        return str(rows[0]["wish"]) if rows else "lost"

    def progress(self, job: Job, step: str, done: float, total: float) -> None:
        """Note how far a job is, for others to see."""
        with self._queue.database.changes(durable=False) as db:
            db.execute(
                "UPDATE jobs SET step = ?, done = ?, total = ? WHERE id = ? AND claims = ?"
                " AND state = 'running'",
                (step, done, total, job.id, job.claims),
            )

    def finish(self, job: Job, ending: Ending) -> bool:
        """End a job; false when it was not this runner's any more."""
        if ending.state != "done":
            ending = with_standing(self._queue, job, ending)
        with self._queue.database.changes() as db:
            row = db.execute(_MINE, (job.id, job.claims)).fetchone()
            if row is not None:
                end(db, job.id, ending)
        return row is not None

    def give_back(self, job: Job, *, paused: bool = False) -> None:
        """Put a job that was stopped back in its place; this attempt does not count."""
        with self._queue.database.changes() as db:
            db.execute(
                "UPDATE jobs SET state = 'queued', runner = '', wish = '', paused = ?, step = '',"
                " done = 0, total = 0, attempts = attempts - 1 WHERE id = ? AND claims = ?"
                " AND state = 'running'",
                (paused, job.id, job.claims),
            )

    def crashed(self, job: Job, crash: Crash, timings: tuple[Timing, ...] = ()) -> State:
        """The process that ran a job died: put it back, or end it after too many attempts.

        Returns the job's state after that.
        """
        return crashed(self._queue, job, crash, self._attempts, timings)


_MINE = "SELECT crashes, wish, attempts FROM jobs WHERE id = ? AND claims = ? AND state = 'running'"


def crashed(
    queue: Queue, job: Job, crash: Crash, attempts: int, timings: tuple[Timing, ...] = ()
) -> State:
    """As ``Claims.crashed``, of whichever runner."""
    files = standing(queue, job)
    with queue.database.changes() as db:
        row = db.execute(_MINE, (job.id, job.claims)).fetchone()
        if row is None:
            return job.state
        known = add_crash(row["crashes"], crash)
        db.execute("UPDATE jobs SET crashes = ? WHERE id = ?", (known, job.id))
        if row["wish"] == "cancel":
            end(db, job.id, Ending("cancelled", "It was cancelled.", outputs=files))
            return "cancelled"
        if row["attempts"] >= attempts:
            tried = f" It was begun {attempts} times." if attempts > 1 else ""
            said = f"{crash.cause}{tried}"
            end(db, job.id, Ending("failed", said, outputs=files, timings=timings))
            return "failed"
        db.execute(
            "UPDATE jobs SET state = 'queued', runner = '', wish = '', paused = ?, step = '',"
            " done = 0, total = 0 WHERE id = ?",
            (row["wish"] == "pause", job.id),
        )
        return "queued"


def reclaim(queue: Queue, attempts: int) -> list[tuple[Job, State]]:
    """Put the jobs of dead runners back into the line; those jobs and their states after that."""
    rows = queue.database.read(f"SELECT {COLUMNS}, runner FROM jobs WHERE state = 'running'")
    lives = {token: is_alive(queue.leases, token) for token in {row["runner"] for row in rows}}
    found = []
    for row in rows:
        if not lives[row["runner"]]:
            job = job_of(row)
            steps = (job.step,) if job.step else ()
            crash = Crash("The program that ran it ended before it was done.", steps)
            found.append((job, crashed(queue, job, crash, attempts)))
    return found


def standing(queue: Queue, job: Job) -> tuple[Saved, ...]:
    """The outputs that the ledger has of a job and that stand as it says."""
    rows = queue.database.read("SELECT root, name, hash FROM ledger WHERE job = ?", job.id)
    noted = [(row["root"], Saved(row["name"], row["hash"])) for row in rows]
    return tuple(saved for root, saved in noted if OutputFolder(Path(root)).holds(saved))


def with_standing(queue: Queue, job: Job, ending: Ending) -> Ending:
    """An ending with the outputs that only the ledger knows of."""
    known = {saved.path: saved for saved in (*ending.outputs, *standing(queue, job))}
    return replace(ending, outputs=tuple(known.values()))
