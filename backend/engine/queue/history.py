"""The history: what ran, with what came of it; found by any part of a prompt, name or date."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from backend.engine.queue.errors import Refused
from backend.engine.queue.job import COLUMNS, Ending, Job, job_of
from backend.engine.queue.store import Queue


@dataclass(frozen=True, slots=True)
class Past:
    """A job that has ended, and how."""

    job: Job
    ending: Ending


def past(queue: Queue, number: int) -> Past:
    """One job of the history.

    Raises:
        Refused: there is no such job, or it has not ended.
    """
    job = queue.job(number)
    for found in pasts(queue, "j.id = ?", (number,), 1):
        return found
    raise Refused(f"Job {number} is {job.state}; it comes into the history when it has ended.")


def latest(queue: Queue, limit: int = -1) -> Iterator[Past]:
    """The history, the last that ended first; ``limit`` below 0: all of it."""
    return pasts(queue, "TRUE", (), limit)


def search(queue: Queue, words: Sequence[str], limit: int = -1) -> Iterator[Past]:
    """The jobs in which every one of ``words`` occurs, the last that ended first.

    Looked through are titles, texts and other parameters, node types and ids, files, models,
    seeds, states, why it failed, and the local date as ``2026-01-31``; capitals do not matter.
    """
    wanted = [word.casefold() for word in words if word]
    if not wanted:
        return latest(queue, limit)
    conditions, values = ["instr(text, ?) > 0" for _ in wanted], list(wanted)
    # The LIKE is what the index of parts of words can answer; for it % and _ stand for anything.
    indexed = [f"%{word}%" for word in wanted if _is_indexed(word)]
    condition = " AND ".join([*conditions, *("text LIKE ?" for _ in indexed)])
    values += indexed
    return pasts(queue, f"j.id IN (SELECT rowid FROM words WHERE {condition})", values, limit)


def _is_indexed(word: str) -> bool:
    """Whether the index of three letters each helps with this word. A pattern without three in a
    row is not only of no use to it: followed by one that is, it kills SQLite 3.40."""
    return all(len(run) > 2 for run in word.replace("%", "_").split("_"))


def pasts(
    queue: Queue, condition: str, values: Sequence[object], limit: int = -1
) -> Iterator[Past]:
    """The ended jobs ``j`` with results ``r`` for which an SQL condition holds, the last first;
    page by page, so that a long history is never in memory as a whole."""
    columns = ", ".join(f"j.{name}" for name in COLUMNS.split(", "))
    before: tuple[float, int] = (float("inf"), 0)
    while limit:
        page = 200 if limit < 0 else min(limit, 200)
        rows = queue.database.read(
            f"SELECT {columns}, r.sentence, r.seconds, r.outputs, r.failures, r.timings"
            f" FROM jobs j JOIN results r ON r.job = j.id WHERE j.ended > 0 AND {condition}"
            " AND (j.ended, j.id) < (?, ?) ORDER BY j.ended DESC, j.id DESC LIMIT ?",
            *values, *before, page,
        )  # fmt: skip
        for row in rows:
            job = job_of(row)
            known = {name: json.loads(row[name]) for name in ("outputs", "failures", "timings")}
            told = {"state": job.state, "sentence": row["sentence"], "seconds": row["seconds"]}
            yield Past(job, msgspec.convert({**told, **known}, Ending))
            before = (job.ended, job.id)
        if len(rows) < page:
            return
        limit -= page if limit > 0 else 0
