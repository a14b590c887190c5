"""Jobs that were queued together: found by a mark, counted, held back, and looked at when ended."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from backend.engine.queue.history import Past, pasts
from backend.engine.queue.job import COLUMNS, Job, job_of
from backend.engine.queue.store import Queue, Standing

_PAGE = 500
"""Ended jobs that are read at once."""


def among(batches: Sequence[int], column: str = "batch") -> str:
    """The condition that a job is one of these batches; always true for none."""
    return f"{column} IN ({', '.join(str(int(each)) for each in batches)})" if batches else "TRUE"


def marked(queue: Queue, mark: str) -> list[Job]:
    """The jobs whose ``words`` hold a mark, retries left out, in the order in which they were
    queued."""
    rows = queue.database.read(
        f"SELECT {COLUMNS} FROM jobs WHERE retry_of = 0 AND document IN"
        " (SELECT id FROM documents WHERE instr(words, ?) > 0) ORDER BY id",
        mark,
    )
    return [job_of(row) for row in rows]


def standing_of(queue: Queue, batches: Sequence[int]) -> Standing:
    """How many jobs of these batches wait, are held back, and run."""
    counts = {"queued": 0, "held": 0, "running": 0}
    for row in queue.database.read(
        "SELECT CASE WHEN state = 'queued' AND paused THEN 'held' ELSE state END AS what,"
        f" COUNT(*) AS count FROM jobs WHERE {among(batches)} AND state IN ('queued', 'running')"
        " GROUP BY what"
    ):
        counts[row["what"]] = row["count"]
    return Standing(paused=queue.paused, **counts)


def hold(queue: Queue, batches: Sequence[int]) -> None:
    """Pause all jobs of these batches that wait."""
    _pause(queue, batches, True)


def release(queue: Queue, batches: Sequence[int]) -> None:
    """Let the paused jobs of these batches go on."""
    _pause(queue, batches, False)


def _pause(queue: Queue, batches: Sequence[int], paused: bool) -> None:
    if batches:
        with queue.database.changes() as db:
            db.execute(
                f"UPDATE jobs SET paused = ? WHERE {among(batches)} AND state = 'queued'",
                (paused,),
            )


def ended_of(
    queue: Queue, batches: Sequence[int], since: float = 0.0, known: Container[int] = ()
) -> Iterator[Past]:
    """The jobs of these batches that ended at ``since`` (seconds since 1970) or later and are not
    ``known``, the first first."""
    if not batches:
        return
    rows = queue.database.read(
        f"SELECT id FROM jobs WHERE ended > 0 AND ended >= ? AND {among(batches)}"
        " ORDER BY ended, id",
        since,
    )
    new = [row["id"] for row in rows if row["id"] not in known]
    for at in range(0, len(new), _PAGE):
        page = new[at : at + _PAGE]
        found = {past.job.id: past for past in pasts(queue, among(page, "j.id"), ())}
        yield from (found[number] for number in page if number in found)
