"""The index: what scans have found, in one SQLite file, so that a second scan only looks at stats.

A row is keyed by path; its ``stamp`` holds size and time of all its files, and as long as that is
the same, so is the row. Rows below a place that is away, such as an unplugged disk, stay and say
so. The index can be deleted at any time; only hashes must then be computed again.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from backend.catalog.errors import CatalogError
from backend.catalog.identity import Identity, from_plain, to_plain

AWAY = "away"
"""The fact that holds the places that are not there now, with a sentence on each."""
STALE = "stale "
"""Before the stamp of a row that is to be told anew as soon as its files are there again."""
FORMAT = 1
"""Raised when the tables change; an index of another format is made anew."""

_TABLES = (
    "DROP TABLE IF EXISTS models",
    "DROP TABLE IF EXISTS facts",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE models (
    path TEXT PRIMARY KEY, stamp TEXT NOT NULL, root TEXT NOT NULL, name TEXT NOT NULL,
    size INTEGER NOT NULL, fast TEXT NOT NULL, problem TEXT NOT NULL, content TEXT NOT NULL,
    sha256 TEXT NOT NULL, files TEXT NOT NULL, identity TEXT NOT NULL)""",
    "CREATE INDEX stamps ON models (path, stamp)",
    f"PRAGMA user_version = {FORMAT}",
)


@dataclass(frozen=True)
class Entry:
    """A model on disk: a file, the shards of one, or a folder.

    ``path`` is the file, the first shard or the folder; ``files`` are its files below the folder
    ``path`` lies in (for a folder, below itself); ``name`` is how people call it. Where it cannot
    be used, ``problem`` says why. ``fast`` is its identity on this machine; ``content`` the full
    ``blake3:`` hash once ``weft models verify`` has computed it; ``sha256`` what its source says.
    """

    path: Path
    root: Path
    name: str
    stamp: str
    size: int
    files: tuple[str, ...]
    fast: str = ""
    identity: Identity | None = None
    problem: str = ""
    content: str = ""
    sha256: str = ""


class Index:
    """The open index. Safe to be used by several processes at once, by one thread each."""

    def __init__(self, path: Path) -> None:
        """Open the index file at ``path``, or make it.

        Raises:
            CatalogError: it cannot be opened.
        """
        self._path = path
        try:
            if path.is_file() and not os.access(path.parent, os.W_OK):
                self._open_unchanging(path)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=20, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            if not self._is_current():
                with self.changes():
                    # Another process may have made the tables while this one waited its turn.
                    for statement in () if self._is_current() else _TABLES:
                        self._db.execute(statement)
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, error) from error

    def _open_unchanging(self, path: Path) -> None:
        """Open an index that lies where nothing can be written, so that it can still be read."""
        address = f"{path.absolute().as_uri()}?immutable=1"
        self._db = sqlite3.connect(address, uri=True, isolation_level=None)
        if not self._is_current():
            raise sqlite3.DatabaseError("it is of another version")

    def _is_current(self) -> bool:
        return bool(self._db.execute("PRAGMA user_version").fetchone()[0] == FORMAT)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def changes(self) -> Iterator[None]:
        """Everything within is kept whole, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def stamps(self) -> dict[str, str]:
        """The stamp of each entry by its path."""
        return dict(self._db.execute("SELECT path, stamp FROM models"))

    def put(self, entries: Iterable[Entry]) -> None:
        """Keep entries, each in place of an older one. A hash of other contents is forgotten."""
        self._db.executemany(
            "INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    str(e.path), e.stamp, str(e.root), e.name, e.size, e.fast, e.problem,
                    e.content, e.sha256, json.dumps(e.files),
                    "" if e.identity is None else json.dumps(to_plain(e.identity)),
                )
                for e in entries
            ],
        )  # fmt: skip

    def drop(self, paths: Iterable[str]) -> None:
        """Forget entries."""
        self._db.executemany("DELETE FROM models WHERE path = ?", [(path,) for path in paths])

    def make_stale(self, paths: Iterable[str]) -> None:
        """Have entries told anew when their files are there again; hashes are kept."""
        self._db.executemany(
            "UPDATE models SET stamp = ? || stamp WHERE path = ? AND substr(stamp, 1, ?) != ?",
            [(STALE, path, len(STALE), STALE) for path in paths],
        )

    def away(self) -> dict[str, str]:
        """The places that were not there at the last scan, with a sentence on each."""
        return dict(json.loads(self.fact(AWAY) or "{}"))

    def entries(self) -> Iterator[Entry]:
        """Every entry, by path."""
        yield from self._told("SELECT * FROM models ORDER BY path", ())

    def like(self, wanted: str, path: Path) -> Iterator[Entry]:
        """Every entry whose name holds what is wanted, that has it as a hash, or lies at a path."""
        if not wanted:
            return
        # What is no text is in no row: a path that the shell gave need not be UTF-8.
        wanted, place = (s.encode("utf-8", "replace").decode() for s in (wanted, str(path)))
        yield from self._told(
            "SELECT * FROM models WHERE instr(name, ?1) > 0 OR path = ?2"
            " OR ?1 IN (fast, content, sha256) ORDER BY path",
            (wanted, place),
        )

    def broken(self) -> int:
        """How many entries have a problem."""
        rows = self._db.execute("SELECT count(*) FROM models WHERE problem != ''")
        return int(rows.fetchone()[0])

    def get(self, path: Path) -> Entry | None:
        """The entry of a path."""
        return next(self._told("SELECT * FROM models WHERE path = ?", (str(path),)), None)

    def _told(self, query: str, given: tuple[str, ...]) -> Iterator[Entry]:
        """Rows as entries; of those below a place that is away, this is the problem."""
        away = self.away()
        for row in self._db.execute(query, given):
            entry = _entry(row)
            said = next((away[place] for place in away if below(str(entry.path), place)), "")
            yield replace(entry, problem=said) if said else entry

    def keep_hash(self, entry: Entry, *, content: str = "", sha256: str = "") -> bool:
        """Keep hashes of an entry, if it has not changed meanwhile; whether that was so."""
        done = self._db.execute(
            "UPDATE models SET content = coalesce(nullif(?, ''), content),"
            " sha256 = coalesce(nullif(?, ''), sha256) WHERE path = ? AND stamp = ?",
            (content, sha256, str(entry.path), entry.stamp),
        )
        return done.rowcount == 1

    def keep_problem(self, entry: Entry, problem: str) -> None:
        """Say that an entry cannot be used, until its files change."""
        self._db.execute(
            "UPDATE models SET problem = ? WHERE path = ? AND stamp = ?",
            (problem, str(entry.path), entry.stamp),
        )

    def fact(self, name: str) -> str:
        """A fact about the index as a whole; "" where none was kept."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def keep_fact(self, name: str, value: str) -> None:
        """Keep a fact about the index as a whole."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def below(path: str, place: str) -> bool:
    """Whether a path is a place, or lies below it."""
    return path == place or path.startswith(place.rstrip(os.sep) + os.sep)


@contextmanager
def opened(path: Path) -> Iterator[Index]:
    """The index at ``path``; what SQLite cannot do there is a sentence.

    Raises:
        CatalogError: the file cannot be read or written.
    """
    try:
        with Index(path) as index:
            yield index
    except sqlite3.Error as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> CatalogError:
    place = next(folder for folder in path.parents if folder.exists())
    said = str(error)
    if not os.access(place, os.W_OK):
        advice = f"Make {place} writable."
    elif "full" in said or isinstance(error, OSError):
        advice = f"See to the disk of {place}."
    else:
        advice = "Delete the file."
    return CatalogError(f"The index of models {path} cannot be used ({said}). {advice}")


def _entry(row: tuple[object, ...]) -> Entry:
    path, stamp, root, name, size, fast, problem, content, sha256, files, identity = row
    plain: Mapping[str, object] | None = json.loads(str(identity)) if identity else None
    return Entry(
        Path(str(path)), Path(str(root)), str(name), str(stamp), int(str(size)),
        tuple(json.loads(str(files))), str(fast), None if plain is None else from_plain(plain),
        str(problem), str(content), str(sha256),
    )  # fmt: skip
