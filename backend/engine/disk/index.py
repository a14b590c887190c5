"""The index of the disk cache: what is known of which key, in SQLite. Processes may share it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

VERSION = 1
ENTRY_BYTES = 1024
"""What an entry costs beside its file, as far as its worth per byte is concerned."""
_WAIT = 10.0
"""Seconds to wait for another process that writes."""

_SCHEMA = f"""
CREATE TABLE result (
  key TEXT PRIMARY KEY, static TEXT NOT NULL, facts TEXT NOT NULL, whole INTEGER NOT NULL,
  file TEXT, bytes INTEGER NOT NULL, seconds REAL NOT NULL, worth REAL NOT NULL,
  used INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX by_static ON result (static);
CREATE INDEX by_worth ON result (worth) WHERE file IS NOT NULL;
CREATE TABLE decision (
  key TEXT PRIMARY KEY, names TEXT NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tally (age REAL NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO tally VALUES (0, 0);
PRAGMA user_version = {VERSION};
"""


class NotYet(Exception):
    """There is no index yet, or another process is making it just now."""


class Newer(Exception):
    """A later Weft made the index in a form that this one does not know."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of a key. ``whole``: the result can be had, from ``file`` where it has any
    values, and not only its ``facts``."""

    facts: str
    whole: bool
    file: str | None


@dataclass(frozen=True, slots=True)
class New:
    """A row to be written. ``nbytes`` are those of the file and its frames."""

    key: str
    static: str
    facts: str
    seconds: float
    whole: bool = False
    file: str | None = None
    nbytes: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """``entries`` whole results, ``remembered`` ones of which only digests are left, the
    ``nbytes`` of all files, lazy ``decisions``."""

    entries: int = 0
    remembered: int = 0
    nbytes: int = 0
    decisions: int = 0


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is not what SQLite wrote, or lacks tables."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "no such" in str(error)


class Index:
    """One connection to an index. A caller uses it from one thread at a time.

    Every method may raise ``sqlite3.Error``.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open an index, and where ``create`` says so make it.

        Raises:
            NotYet: there is none, and it is not to be made.
            Newer: a later version made it.
            sqlite3.Error: it cannot be opened, or is broken.
        """
        if not create and not os.path.exists(path):
            raise NotYet
        self.is_new = False
        mode = "rwc" if create else "rw"
        self._db = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=_WAIT,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if self._version() == 0:
                if not create:
                    raise NotYet
                self.is_new = self._make()
            if self._version() > VERSION:
                raise Newer
            self._db.execute("PRAGMA synchronous = FULL")
            found = os.stat(path)
        except BaseException:
            self._db.close()
            raise
        self._path, self._place = path, (found.st_dev, found.st_ino)

    @property
    def stands(self) -> bool:
        """Whether the file that was opened is still the one under its name."""
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._place

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def row(self, key: str) -> Row | None:
        """What is known of a key."""
        found = self._db.execute("SELECT facts, whole, file FROM result WHERE key = ?", (key,))
        row = found.fetchone()
        return Row(row[0], bool(row[1]), row[2]) if row is not None else None

    def seen(self, static: str) -> bool:
        """Whether any result has this static key."""
        found = self._db.execute("SELECT 1 FROM result WHERE static = ? LIMIT 1", (static,))
        return found.fetchone() is not None

    def decision(self, key: str) -> frozenset[str] | None:
        """What a lazy node asked for."""
        found = self._db.execute("SELECT names FROM decision WHERE key = ?", (key,)).fetchone()
        return frozenset(json.loads(found[0])) if found is not None else None

    def files(self) -> Iterator[tuple[str, str, int]]:
        """Key, file and bytes of every entry that has a file."""
        sql = "SELECT key, file, bytes FROM result WHERE file IS NOT NULL"
        yield from self._db.execute(sql).fetchall()

    def totals(self) -> Totals:
        """How much it knows of."""
        one = self._db.execute("SELECT total(whole), count(*), total(bytes) FROM result").fetchone()
        decisions = self._db.execute("SELECT count(*) FROM decision").fetchone()[0]
        return Totals(int(one[0]), one[1] - int(one[0]), int(one[2]), decisions)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is written together, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def put(self, new: New) -> str | None:
        """Write a whole result; the file that it took the place of, if there was one."""
        age, total = self._tally()
        old = self._take(new.key)
        worth = age + new.seconds / (new.nbytes + ENTRY_BYTES)
        self._db.execute(
            "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new.key, new.static, new.facts, new.whole, new.file, new.nbytes, new.seconds,
                worth, _now(),
            ),
        )  # fmt: skip
        self._set_bytes(total + new.nbytes - old[1])
        return old[0]

    def remember(self, rows: Iterable[New]) -> None:
        """Write what is known of results whose values are not kept; whole ones stay as they are."""
        now = _now()
        self._db.executemany(
            "INSERT INTO result VALUES (?, ?, ?, 0, NULL, 0, ?, 0, ?) ON CONFLICT (key) DO UPDATE "
            "SET facts = excluded.facts, used = excluded.used WHERE NOT whole",
            [(row.key, row.static, row.facts, row.seconds, now) for row in rows],
        )

    def decide(self, decisions: Iterable[tuple[str, frozenset[str]]]) -> None:
        """Write what lazy nodes asked for."""
        now = _now()
        self._db.executemany(
            "INSERT OR REPLACE INTO decision VALUES (?, ?, ?)",
            [(key, json.dumps(sorted(names)), now) for key, names in decisions],
        )

    def touch(self, keys: Iterable[str]) -> None:
        """Note that results were used: their worth is renewed."""
        age, _ = self._tally()
        self._db.executemany(
            "UPDATE result SET used = ?, worth = ? + seconds / (bytes + ?) WHERE key = ?",
            [(_now(), age, ENTRY_BYTES, key) for key in keys],
        )

    def forget(self, key: str) -> str | None:
        """Drop all that is known of a key; the file that it had."""
        _, total = self._tally()
        file, nbytes = self._take(key)
        self._set_bytes(total - nbytes)
        return file

    def shrink(self, budget: int) -> list[str]:
        """Drop what is worth least until all fits; digests stay. The files that may go.

        GreedyDual-Size (Cao and Irani, 1997), as in memory: the age rises to the worth of what
        went, so that what is not used again goes in the end.
        """
        age, total = self._tally()
        gone: list[str] = []
        while total > budget:
            found = self._db.execute(
                "SELECT key, file, bytes, worth FROM result WHERE file IS NOT NULL "
                "ORDER BY worth LIMIT 1"
            ).fetchone()
            if found is None:
                total = 0
                break
            key, file, nbytes, age = found
            self._db.execute(
                "UPDATE result SET whole = 0, file = NULL, bytes = 0 WHERE key = ?", (key,)
            )
            gone.append(file)
            total -= nbytes
        self._db.execute("UPDATE tally SET age = ?, bytes = ?", (age, total))
        return gone

    def trim(self, most: int) -> None:
        """Forget the oldest of what only digests are left of, and of decisions, beyond ``most``;
        and count all bytes again."""
        for table, which in (("result", "file IS NULL"), ("decision", "1")):
            sql = f"SELECT count(*) FROM {table} WHERE {which}"
            over = self._db.execute(sql).fetchone()[0] - most
            if over > 0:
                self._db.execute(
                    f"DELETE FROM {table} WHERE key IN "
                    f"(SELECT key FROM {table} WHERE {which} ORDER BY used LIMIT ?)",
                    (over,),
                )
        self._db.execute("UPDATE tally SET bytes = (SELECT total(bytes) FROM result)")

    def clear(self) -> list[str]:
        """Forget everything; the files that may go."""
        gone = [file for _, file, _ in self.files()]
        self._db.execute("DELETE FROM result")
        self._db.execute("DELETE FROM decision")
        self._db.execute("UPDATE tally SET age = 0, bytes = 0")
        return gone

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _make(self) -> bool:
        """Make the tables; whether it was this process that did."""
        for left in reversed(range(200)):
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError:  # SQLite does not wait where others do the same
                if not left:
                    raise
                time.sleep(0.01)
        with self.transaction():
            if self._version() != 0:  # another process was as quick
                return False
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
        return True

    def _tally(self) -> tuple[float, int]:
        age, total = self._db.execute("SELECT age, bytes FROM tally").fetchone()
        return float(age), int(total)

    def _set_bytes(self, total: int) -> None:
        self._db.execute("UPDATE tally SET bytes = ?", (total,))

    def _take(self, key: str) -> tuple[str | None, int]:
        found = self._db.execute("SELECT file, bytes FROM result WHERE key = ?", (key,)).fetchone()
        self._db.execute("DELETE FROM result WHERE key = ?", (key,))
        return found if found is not None else (None, 0)


def _now() -> int:
    return int(time.time())
