"""The SQLite file of queue and history: its tables, its version, and how it is opened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from backend.engine.queue.errors import QueueError, unusable

BUSY = 20.0
"""Seconds that a transaction waits for those of other programs; each takes milliseconds."""

Step: TypeAlias = Callable[[sqlite3.Connection], None]
"""Brings a database from one version to the next."""

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, text BLOB NOT NULL, words TEXT NOT NULL);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    paused INTEGER NOT NULL DEFAULT 0,
    listed INTEGER NOT NULL DEFAULT 1,
    priority INTEGER NOT NULL,
    position REAL NOT NULL,
    batch INTEGER NOT NULL DEFAULT 0,
    retry_of INTEGER NOT NULL DEFAULT 0,
    title TEXT NOT NULL,
    document INTEGER NOT NULL REFERENCES documents (id),
    seeds TEXT NOT NULL,
    base TEXT NOT NULL,
    grants TEXT NOT NULL,
    output TEXT NOT NULL,
    only TEXT NOT NULL,
    added REAL NOT NULL,
    begun REAL NOT NULL DEFAULT 0,
    ended REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    claims INTEGER NOT NULL DEFAULT 0,
    runner TEXT NOT NULL DEFAULT '',
    wish TEXT NOT NULL DEFAULT '',
    step TEXT NOT NULL DEFAULT '',
    done REAL NOT NULL DEFAULT 0,
    total REAL NOT NULL DEFAULT 0,
    crashes TEXT NOT NULL DEFAULT '[]');
CREATE INDEX line ON jobs (state, priority DESC, position, id);
CREATE INDEX ends ON jobs (ended) WHERE ended > 0;
CREATE INDEX batches ON jobs (batch);
CREATE TABLE results (
    job INTEGER PRIMARY KEY REFERENCES jobs (id),
    sentence TEXT NOT NULL, seconds REAL NOT NULL, outputs TEXT NOT NULL, failures TEXT NOT NULL,
    timings TEXT NOT NULL);
CREATE TABLE ledger (
    job INTEGER NOT NULL, slot TEXT NOT NULL, root TEXT NOT NULL, name TEXT NOT NULL,
    hash TEXT NOT NULL, PRIMARY KEY (job, slot)) WITHOUT ROWID;
CREATE INDEX places ON ledger (root, name);
"""


def _first(db: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        db.execute(statement)
    try:
        # Any part of a word can be looked for quickly; a LIKE finds the same without it.
        db.execute("CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'trigram')")
    except sqlite3.OperationalError:
        db.execute("CREATE TABLE words (rowid INTEGER PRIMARY KEY, text TEXT NOT NULL)")


STEPS: tuple[Step, ...] = (_first,)
"""What made each version of the tables out of the one before; the newest version is their count."""


class Database:
    """The open file. Threads take turns; processes share it by short transactions."""

    def __init__(self, path: Path, steps: Sequence[Step] = STEPS) -> None:
        """Open the file at ``path``, or make it; one of an older version is backed up and lifted.

        Raises:
            QueueError: it cannot be opened, is broken, or was made by a newer Weft.
        """
        self.path = path
        self.version = len(steps)
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
            self._db.row_factory = sqlite3.Row
            try:
                self._begin_in_turn(steps)
            except BaseException:
                self._db.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise unusable(path, error) from error

    def _begin_in_turn(self, steps: Sequence[Step]) -> None:
        """Begin, and again while others do: SQLite does not wait by itself where two at once bring
        a file into its journal mode, or one is the last to leave it."""
        end = time.monotonic() + BUSY
        while True:
            try:
                return self._begin(steps)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
            time.sleep(0.01)

    def _begin(self, steps: Sequence[Step]) -> None:
        if self._version() != self.version:
            self._lift(steps)
        self._db.execute("PRAGMA journal_mode = WAL")
        # What was said to be queued, saved or done is on the disk, whatever happens to the power.
        self._db.execute("PRAGMA synchronous = FULL")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def read(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query.

        Raises:
            QueueError: the file cannot be used.
        """
        with self._lock, self._told():
            return self._db.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def changes(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Everything within is kept whole, or not at all; short, since others wait for it.

        What is not ``durable`` may be forgotten when the power fails, and costs no write to disk.

        Raises:
            QueueError: the file cannot be used, or a newer Weft has changed it meanwhile.
        """
        with self._lock, self._told():
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if self._version() != self.version:
                    raise QueueError(
                        f"The queue in {self.path} was changed by another version of Weft "
                        "meanwhile; start this program again."
                    )
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def changed(self) -> int:
        """A number that is another after any other program has changed the file."""
        return int(self.read("PRAGMA data_version")[0][0])

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _lift(self, steps: Sequence[Step]) -> None:
        """Bring the tables to the newest version, in one transaction, after a backup."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have done it while this one waited its turn.
            found = self._version()
            if found > self.version:
                raise QueueError(
                    f"The queue in {self.path} was made by a newer Weft (version {found}, this one "
                    f"knows {self.version}). Update Weft, or move the file away."
                )
            if 0 < found < self.version:
                _back_up(self.path, self.path.with_name(f"{self.path.name}.{found}.backup"))
            for step in steps[found:]:
                step(self._db)
            self._db.execute(f"PRAGMA user_version = {self.version}")
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def _back_up(path: Path, to: Path) -> None:
    """Copy the database, whole or not at all, through a connection of its own that reads."""
    draft = to.with_name(f"{to.name}.{os.getpid()}.tmp")
    try:
        with (
            contextlib.closing(sqlite3.connect(path, timeout=BUSY)) as source,
            contextlib.closing(sqlite3.connect(draft)) as target,
        ):
            source.backup(target)
        os.replace(draft, to)
    finally:
        draft.unlink(missing_ok=True)
