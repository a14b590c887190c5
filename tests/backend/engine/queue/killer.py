"""Works through a queue in processes of its own that are killed at chosen moments.

``python -m tests.backend.engine.queue.killer FOLDER each N`` kills once, at every N-th moment in
turn; ``... random N`` kills N times over, several times in a row at random moments. A moment lies
before or after each act on the disk: a sync, a link, a rename, a removal, a transaction. For each
kill a line says what was found after the queue had been worked through.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from backend.engine.cancel import Cancel
from backend.engine.queue.database import Database
from backend.engine.queue.history import past
from backend.engine.queue.runner import Runner
from backend.engine.queue.store import Queue
from tests.backend.engine.queue.conftest import Heard, Here, Shop, saying

JOBS = (
    ("one two", {"name": "n-{counter:2}"}),
    ("three", {"name": "new", "overwrite": "replace", "beside": True}),
    ("four five", {"name": "with", "beside": True}),
    ("six", {"name": "folder", "folder": True}),
    ("seven", {"name": "once", "overwrite": "refuse"}),
)
EXPECTED = {
    "n-01.txt": "one", "n-02.txt": "two", "new.txt": "three",
    "new.txt.weft.json": "tells of three", "with.txt": "four",
    "with.txt.weft.json": "tells of four", "with-2.txt": "five",
    "with-2.txt.weft.json": "tells of five", "folder/text": "six", "once.txt": "seven",
}  # fmt: skip


def make(folder: Path) -> None:
    """A queue with jobs of every kind of output."""
    shop = Shop(folder)
    for text, params in JOBS:
        shop.add(saying(text, **params))
    shop.queue.close()


def work(folder: Path, die_at: int) -> None:
    """Work through the queue, and die at a moment; 0 for never. Never returns."""
    count = count_moments(die_at)
    with Queue(folder / "queue.sqlite") as queue:
        Runner(queue, Here, Heard(), attempts=100).work(Cancel())
    (folder / "moments").write_text(str(count()))
    os._exit(0)


def count_moments(die_at: int) -> Callable[[], int]:
    """Count the moments from now on, and end this process by a kill at one of them."""
    reached = 0

    def moment() -> None:
        nonlocal reached
        reached += 1
        if reached == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(act: Callable[..., Any]) -> Callable[..., Any]:
        def surrounded(*args: Any, **options: Any) -> Any:
            moment()
            try:
                return act(*args, **options)
            finally:
                moment()

        return surrounded

    os.fsync = lambda file: None  # type: ignore[assignment]  # a kill does not lose what is written
    for name in ("fsync", "link", "replace", "rename", "unlink"):
        setattr(os, name, around(getattr(os, name)))
    sqlite3.connect = partial(sqlite3.connect, factory=Quick)  # type: ignore[assignment]
    whole = Database.changes

    @contextlib.contextmanager
    def changes(self: Database, **how: Any) -> Any:
        with whole(self, **how) as db:
            yield db
            moment()
        moment()

    Database.changes = changes  # type: ignore[method-assign]
    return lambda: reached


class Quick(sqlite3.Connection):
    """A connection that leaves it to the system when to write to the disk."""

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        lax = statement.startswith("PRAGMA synchronous")
        return super().execute("PRAGMA synchronous = OFF" if lax else statement, *values)


def in_a_process(folder: Path, die_at: int) -> bool:
    """Whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            work(folder, die_at)
        except BaseException:
            import traceback

            traceback.print_exc()
        os._exit(1)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and status:
        raise SystemExit("the work failed")
    return os.WIFSIGNALED(status)


def examine(folder: Path) -> list[str]:
    """What is not as it should be after the work."""
    wrong = []
    found = {
        path.relative_to(folder / "out").as_posix(): path.read_text()
        for path in (folder / "out").rglob("*")
        if path.is_file()
    }
    if found != EXPECTED:
        wrong.append(f"the files are {found}")
    with Queue(folder / "queue.sqlite") as queue:
        for number in range(1, len(JOBS) + 1):
            job = queue.job(number)
            if job.state != "done":
                wrong.append(f"job {number} is {job.state}")
                continue
            files = [saved.path for saved in past(queue, number).ending.outputs]
            if len(files) != len(JOBS[number - 1][0].split()) or not all(
                (folder / "out" / name).exists() for name in files
            ):
                wrong.append(f"job {number} knows of {files}")
        if queue.database.read("SELECT * FROM ledger"):
            wrong.append("the ledger is not empty")
        if os.listdir(queue.leases):
            wrong.append(f"leases are left: {os.listdir(queue.leases)}")
    return wrong


def attempt(folder: Path, moments: list[int]) -> dict[str, Any]:
    """Kill at these moments, each in the process after the last, and then let the work end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    make(folder)
    died = [in_a_process(folder, moment) for moment in moments]
    in_a_process(folder, 0)
    return {"moments": moments, "killed": all(died[:1]), "wrong": examine(folder)}


def main(folder: Path, how: str, number: int) -> None:
    attempt(folder / "count", [])  # nobody is killed: how many moments there are
    moments = int((folder / "count" / "moments").read_text())
    rows = [[moment] for moment in range(1, moments + 1, number)]
    if how == "random":
        draw = random.Random(7)
        rows = [[draw.randrange(1, moments // 2) for _ in range(4)] for _ in range(number)]
    for row in rows:
        print(json.dumps(attempt(folder / "kill", row)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
