"""How a job ends in the database, whoever ends it: its state, its result and its words at once."""

from __future__ import annotations

import json
import sqlite3
import time

import msgspec

from backend.engine.queue.job import Crash, Ending

MOST_WORDS = 200_000
"""Characters of a job's words; what is beyond cannot be searched for."""


def write_json(value: object) -> str:
    """A value of plain data, structs and dataclasses as compact JSON."""
    return msgspec.json.encode(value).decode()


def end(db: sqlite3.Connection, number: int, ending: Ending) -> None:
    """End a job that waits or runs, within the caller's transaction."""
    now = time.time()
    row = db.execute(
        "SELECT j.title, j.seeds, d.words FROM jobs j JOIN documents d ON d.id = j.document"
        " WHERE j.id = ?",
        (number,),
    ).fetchone()
    db.execute(
        "UPDATE jobs SET state = ?, ended = ?, runner = '', wish = '', paused = 0, step = '',"
        " done = 0, total = 0 WHERE id = ?",
        (ending.state, now, number),
    )
    db.execute(
        "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?)",
        (number, ending.sentence, ending.seconds, write_json(ending.outputs),
         write_json(dict(ending.failures)), write_json(ending.timings)),
    )  # fmt: skip
    words = _words(row, ending, now)
    db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, words))
    db.execute("DELETE FROM ledger WHERE job = ?", (number,))


def add_crash(known: str, crash: Crash) -> str:
    """The crashes of a job as they are kept, with one more."""
    return write_json([*json.loads(known), crash])


def _words(row: sqlite3.Row, ending: Ending, now: float) -> str:
    """What a job is found by, in small letters, each on a line."""
    parts = [
        row["title"],
        time.strftime("%Y-%m-%d %H:%M", time.localtime(now)),
        ending.state,
        *(saved.path for saved in ending.outputs),
        *(str(seed) for seed in dict.fromkeys(json.loads(row["seeds"]).values())),
        ending.sentence,
        row["words"],
    ]
    return "\n".join(part.casefold() for part in parts if part)[:MOST_WORDS]
