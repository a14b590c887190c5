"""The queue as programs use it: add, list, order, pause, cancel, retry.

Any number of processes may have it open. Each act is one short transaction; none is held across
work. What only a runner does is in ``backend.engine.queue.desk``.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import blake3

from backend.engine.queue.database import STEPS, Database, Step
from backend.engine.queue.ending import end, write_json
from backend.engine.queue.errors import Refused
from backend.engine.queue.job import COLUMNS, MAX_PRIORITY, Draft, Ending, Job, job_of
from backend.engine.seeds import put_seeds
from backend.graph import format

_AT_ONCE = 200
"""Jobs that are cancelled in one transaction."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How full the queue is."""

    queued: int
    held: int
    running: int
    paused: bool


class Queue:
    """The queue in one file. It may be used by several threads; close it at the end."""

    def __init__(self, path: Path, steps: Sequence[Step] = STEPS) -> None:
        """Open the queue at ``path``, or make it.

        Raises:
            QueueError: it cannot be opened; so for every method.
        """
        self.database = Database(path, steps)
        self.path = path
        self.leases = path.with_name(path.name + ".runners")

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def __enter__(self) -> Queue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add(self, drafts: Sequence[Draft], *, retry_of: int = 0) -> tuple[int, ...]:
        """Queue jobs as one batch, behind all others of their priority; returns their ids.

        Raises:
            Refused: a priority is out of bounds.
        """
        for draft in drafts:
            _check_priority(draft.priority)
        ids: list[int] = []
        now = time.time()
        with self.database.changes() as db:
            texts: dict[str, int] = {}
            position = _edge(db, "MAX") + 1
            for number, draft in enumerate(drafts):
                if draft.document not in texts:
                    texts[draft.document] = _document(db, draft)
                cursor = db.execute(
                    "INSERT INTO jobs (priority, position, retry_of, title, document, seeds, base,"
                    " grants, output, only, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (draft.priority, position + number, retry_of, draft.title,
                     texts[draft.document], write_json(draft.seeds), draft.base,
                     write_json(draft.grants), draft.output, write_json(draft.only), now),
                )  # fmt: skip
                ids.append(cursor.lastrowid or 0)
            db.executemany("UPDATE jobs SET batch = ? WHERE id = ?", [(ids[0], i) for i in ids])
        return tuple(ids)

    def jobs(self, *, limit: int = -1) -> list[Job]:
        """What runs, then what waits in the order in which it will run."""
        running = self.database.read(
            f"SELECT {COLUMNS} FROM jobs WHERE state = 'running' ORDER BY begun LIMIT ?", limit
        )
        left = limit - len(running) if limit >= 0 else -1
        waiting = self.database.read(
            f"SELECT {COLUMNS} FROM jobs WHERE state = 'queued'"
            " ORDER BY priority DESC, position, id LIMIT ?",
            left,
        )
        return [job_of(row) for row in (*running, *waiting)]

    def ended(self, *, limit: int = -1) -> list[Job]:
        """What has ended and was not cleared, the last first."""
        rows = self.database.read(
            f"SELECT {COLUMNS} FROM jobs WHERE ended > 0 AND listed ORDER BY ended DESC, id DESC"
            " LIMIT ?",
            limit,
        )
        return [job_of(row) for row in rows]

    def job(self, number: int) -> Job:
        """One job, ended or not.

        Raises:
            Refused: there is none of this number.
        """
        with contextlib.suppress(OverflowError):  # no number that SQLite could have given
            for row in self.database.read(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", number):
                return job_of(row)
        raise Refused(f"There is no job {number}; `weft queue list` shows those there are.")

    def document(self, number: int) -> str:
        """The text of the workflow that a job runs, its seeds in it.

        Raises:
            Refused: there is no such job.
        """
        job = self.job(number)
        rows = self.database.read(
            "SELECT text FROM documents WHERE id = (SELECT document FROM jobs WHERE id = ?)", number
        )
        workflow = format.parse(zlib.decompress(rows[0]["text"]), f"the workflow of job {number}")
        return format.dump(put_seeds(workflow, job.seeds))

    @property
    def standing(self) -> Standing:
        """How many jobs wait, are held back, and run."""
        counts = {"queued": 0, "held": 0, "running": 0}
        for row in self.database.read(
            "SELECT CASE WHEN state = 'queued' AND paused THEN 'held' ELSE state END AS what,"
            " COUNT(*) AS count FROM jobs WHERE state IN ('queued', 'running') GROUP BY what"
        ):
            counts[row["what"]] = row["count"]
        return Standing(paused=self.paused, **counts)

    @property
    def paused(self) -> bool:
        """Whether the queue as a whole is paused: what runs goes on, nothing else begins."""
        return bool(self.database.read("SELECT 1 FROM facts WHERE name = 'paused'"))

    def pause(self, ids: Iterable[int] | None = None) -> None:
        """Pause the whole queue, or some jobs; one that runs goes back to its place and waits.

        Raises:
            Refused: a job has ended, or is not there.
        """
        if ids is None:
            with self.database.changes() as db:
                db.execute("INSERT OR REPLACE INTO facts VALUES ('paused', '1')")
            return
        with self.database.changes() as db:
            for number in ids:
                if _alive(db, number, "paused")["state"] == "queued":
                    db.execute("UPDATE jobs SET paused = 1 WHERE id = ?", (number,))
                else:
                    db.execute(
                        "UPDATE jobs SET wish = 'pause' WHERE id = ? AND wish = ''", (number,)
                    )

    def resume(self, ids: Iterable[int] | None = None) -> None:
        """Take back a pause of the whole queue, or of some jobs.

        Raises:
            Refused: a job has ended, or is not there.
        """
        with self.database.changes() as db:
            if ids is None:
                db.execute("DELETE FROM facts WHERE name = 'paused'")
            for number in ids or ():
                _alive(db, number, "resumed")
                db.execute(
                    "UPDATE jobs SET paused = 0, wish = CASE wish WHEN 'pause' THEN '' ELSE wish"
                    " END WHERE id = ?",
                    (number,),
                )

    def cancel(self, ids: Iterable[int] | None = None) -> int:
        """Cancel some jobs, or all that wait or run; returns how many.

        One that waits ends at once; of one that runs its runner is asked.

        Raises:
            Refused: a job has ended, or is not there; then none is cancelled.
        """
        if ids is not None:
            return self._cancel(list(ids))
        count = 0
        rows = self.database.read("SELECT id FROM jobs WHERE state IN ('queued', 'running')")
        for at in range(0, len(rows), _AT_ONCE):  # others get their turn in between
            page = [row["id"] for row in rows[at : at + _AT_ONCE]]
            count += self._cancel(page, all_of_them=False)
        return count

    def _cancel(self, ids: Sequence[int], *, all_of_them: bool = True) -> int:
        """Cancel jobs; one that has ended is an error only where all must be cancelled."""
        count = 0
        with self.database.changes() as db:
            for number in ids:
                try:
                    state = _alive(db, number, "cancelled")["state"]
                except Refused:
                    if all_of_them:
                        raise
                    continue
                count += 1
                if state == "running":
                    db.execute("UPDATE jobs SET wish = 'cancel' WHERE id = ?", (number,))
                else:
                    end(db, number, Ending("cancelled", "It was cancelled before it began."))
        return count

    def retry(self, number: int) -> int:
        """Queue a copy of a job that failed or was cancelled, with the same seeds; its id.

        Raises:
            Refused: it is not there, or neither failed nor was cancelled.
        """
        job = self.job(number)
        if job.state not in ("failed", "cancelled"):
            raise Refused(
                f"Job {number} is {job.state}; only one that failed or was cancelled is retried."
            )
        with self.database.changes() as db:
            copied = "priority, title, document, seeds, base, grants, output, only"
            cursor = db.execute(
                f"INSERT INTO jobs ({copied}, position, retry_of, added)"
                f" SELECT {copied}, ?, id, ? FROM jobs WHERE id = ?",
                (_edge(db, "MAX") + 1, time.time(), number),
            )
            new = cursor.lastrowid or 0
            db.execute("UPDATE jobs SET batch = id WHERE id = ?", (new,))
        return new

    def move(self, number: int, to: int | str) -> None:
        """Have a waiting job run ``first``, ``last``, or just before another that waits.

        It takes on a priority that lets it stand there.

        Raises:
            Refused: a job does not wait, or is not there.
        """
        with self.database.changes() as db:
            _waiting(db, number)
            if isinstance(to, int):
                if to == number:
                    raise Refused(f"Job {number} cannot stand before itself.")
                priority, position = _before(db, number, to)
            else:
                most = "MAX" if to == "first" else "MIN"
                (row,) = db.execute(
                    f"SELECT {most}(priority) AS priority FROM jobs WHERE state = 'queued'"
                )
                priority = row["priority"]
                position = _edge(db, "MIN") - 1 if to == "first" else _edge(db, "MAX") + 1
            db.execute(
                "UPDATE jobs SET priority = ?, position = ? WHERE id = ?",
                (priority, position, number),
            )

    def clear(self) -> int:
        """Take what has ended off the list; it stays in the history. Returns how many."""
        with self.database.changes() as db:
            done = db.execute("UPDATE jobs SET listed = 0 WHERE ended > 0 AND listed")
            return int(done.rowcount)


def _check_priority(priority: int) -> None:
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise Refused(
            f"A priority is from {-MAX_PRIORITY} to {MAX_PRIORITY}, higher first, not {priority}."
        )


def _document(db: sqlite3.Connection, draft: Draft) -> int:
    """The number of a document, which is kept once however many jobs share it."""
    text = draft.document.encode()
    known = blake3.blake3(text + b"\0" + draft.words.encode()).hexdigest()
    db.execute(
        "INSERT OR IGNORE INTO documents (hash, text, words) VALUES (?, ?, ?)",
        (known, zlib.compress(text), draft.words),
    )
    row = db.execute("SELECT id FROM documents WHERE hash = ?", (known,)).fetchone()
    return int(row["id"])


def _edge(db: sqlite3.Connection, most: str) -> float:
    """The first (``MIN``) or last (``MAX``) place in the line."""
    row = db.execute(f"SELECT {most}(position) AS edge FROM jobs WHERE state = 'queued'").fetchone()
    return float(row["edge"] or 0.0)


def _alive(db: sqlite3.Connection, number: int, what: str) -> sqlite3.Row:
    """The state of a job that waits or runs."""
    with contextlib.suppress(OverflowError):
        for row in db.execute("SELECT state FROM jobs WHERE id = ?", (number,)):
            if row["state"] in ("queued", "running"):
                found: sqlite3.Row = row
                return found
            raise Refused(f"Job {number} is {row['state']} and cannot be {what} any more.")
    raise Refused(f"There is no job {number}; `weft queue list` shows those there are.")


def _waiting(db: sqlite3.Connection, number: int) -> None:
    if _alive(db, number, "moved")["state"] != "queued":
        raise Refused(f"Job {number} runs already and cannot be moved.")


def _before(db: sqlite3.Connection, number: int, other: int) -> tuple[int, float]:
    """The priority and place just before another job."""
    _waiting(db, other)
    for _ in range(2):
        row = db.execute("SELECT priority, position FROM jobs WHERE id = ?", (other,)).fetchone()
        priority, after = int(row["priority"]), float(row["position"])
        row = db.execute(
            "SELECT MAX(position) AS place FROM jobs WHERE state = 'queued' AND priority = ?"
            " AND position < ? AND id != ?",
            (priority, after, number),
        ).fetchone()
        before = after - 2 if row["place"] is None else float(row["place"])
        place = (before + after) / 2
        if before < place < after and after - before > 1e-6:
            break
        _space(db)  # there is no number left between the two
    return priority, place


def _space(db: sqlite3.Connection) -> None:
    """Give the waiting jobs places a whole number apart, in the order they have."""
    rows = db.execute(
        "SELECT id FROM jobs WHERE state = 'queued' ORDER BY priority DESC, position, id"
    ).fetchall()
    places = [(place, row["id"]) for place, row in enumerate(rows)]
    db.executemany("UPDATE jobs SET position = ? WHERE id = ?", places)
