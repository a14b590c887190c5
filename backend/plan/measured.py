"""What steps really took on this machine, kept between runs, so that the next plan is told better.

A *formula* says how many bytes a step computes in; what was measured corrects it: the same step of
the same size is told by what it took, another size of the same step by the same ratio. Seconds are
told only of what has run in this size. No result depends on any of it, so a file that is broken is
begun anew, and a folder that cannot be written to is said once.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

FILE = "measured.sqlite"
"""The name of the file in Weft's cache folder."""
MOST = 20_000
"""Sizes of steps that are remembered; those that ran longest ago are forgotten first."""
MOST_RATIO = 16.0
"""Measured by told bytes is taken to be no more than this, and no less than one by this."""
_KEPT = 0.7
"""The weight of what was measured before, against what is measured now."""
_TABLES = """
CREATE TABLE IF NOT EXISTS steps (
    node TEXT, components TEXT, device TEXT, dtype TEXT, size INTEGER,
    activation INTEGER, seconds REAL, used REAL,
    PRIMARY KEY (node, components, device, dtype, size));
CREATE INDEX IF NOT EXISTS by_use ON steps (used);
CREATE TABLE IF NOT EXISTS links (name TEXT PRIMARY KEY, speed REAL);
"""
_WHICH = "node = ? AND components = ? AND device = ? AND dtype = ?"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key:
    """What is measured: a call of a node type with components (their identities, in order), on a
    device, in a precision.

    ``size`` is what the formula says in bytes, and so stands for the sizes of all that goes in; 0
    where they are not known.
    """

    node: str
    components: tuple[str, ...]
    size: int
    device: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes to compute in, and seconds of one pass, ``None`` where none was measured in this size.
    ``measured`` says that the bytes were."""

    activation: int
    seconds: float | None = None
    measured: bool = False


Row = tuple[int | None, float | None]
"""Measured bytes and seconds."""


class Measured:
    """The store. Threads may share it, and processes its file."""

    def __init__(self, path: Path | None, say: Callable[[str], None] = lambda said: None) -> None:
        """Nothing is touched before the first use.

        Args:
            path: The file; without one nothing is remembered.
            say: Is told, in a sentence, what is wrong with the file.
        """
        self._path, self._say = path, say
        self._lock = threading.Lock()
        self._file: sqlite3.Connection | None = None

    def learn(self, key: Key, activation: int | None, seconds: float | None) -> None:
        """Note one call: the most bytes that it took beside weights, and the seconds of compute of
        one pass, without those in which it waited for weights. ``None``: not measured."""

        def note(file: sqlite3.Connection) -> None:
            before = _rows(file, key).get(key.size, (None, None))
            row = (_most(before[0], activation), _mean(before[1], seconds), time.time())
            file.execute(
                "INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*_names(key), key.size, *row),
            )
            file.execute(
                "DELETE FROM steps WHERE used <"
                " (SELECT used FROM steps ORDER BY used DESC LIMIT 1 OFFSET ?)",
                (MOST - 1,),
            )

        self._do(note, None)

    def estimate(self, key: Key) -> Estimate:
        """What a call will take: ``key.size`` bytes, or what was measured, or as much more or less
        than ``key.size`` as it was in the size that is nearest."""
        nothing: dict[int, Row] = {}
        rows = self._do(lambda file: _rows(file, key), nothing, reads=True)
        activation, seconds = rows.get(key.size, (None, None))
        if activation is not None:
            return Estimate(activation, seconds, True)
        ratios = {size: row[0] / size for size, row in rows.items() if size and row[0] is not None}
        if not ratios or not key.size:
            return Estimate(key.size, seconds)
        near = min(ratios, key=lambda size: abs(math.log(size / key.size)))
        ratio = min(max(ratios[near], 1 / MOST_RATIO), MOST_RATIO)
        return Estimate(math.ceil(key.size * ratio), seconds)

    def moved(self, name: str, nbytes: int, seconds: float) -> None:
        """Note how fast weights came: ``disk``, to host memory, or ``copy``, to the device."""
        if nbytes > 0 and seconds > 0:
            speed = nbytes / seconds

            def note(file: sqlite3.Connection) -> None:
                row = (name, _mean(_speed(file, name), speed))
                file.execute("INSERT OR REPLACE INTO links VALUES (?, ?)", row)

            self._do(note, None)

    def speed(self, name: str) -> float | None:
        """Bytes per second of ``disk`` or ``copy``; ``None`` where none was measured."""
        return self._do(lambda file: _speed(file, name), None, reads=True)

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._lock:
            self._drop()

    def _do(self, work: Callable[[sqlite3.Connection], T], otherwise: T, reads: bool = False) -> T:
        """What ``work`` gives, all of it or nothing written; ``otherwise`` where the file cannot
        be used, or who only ``reads`` finds none. A broken one is begun anew first."""
        with self._lock:
            for again in (True, False):
                if self._path is None or (reads and not self._file and not self._path.exists()):
                    break
                try:
                    self._file = self._file or _connect(self._path)
                    with self._file:
                        return work(self._file)
                except (sqlite3.Error, OSError, ValueError, TypeError) as error:
                    self._drop()
                    if not self._recover(self._path, error, again):
                        break
            return otherwise

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _recover(self, path: Path, error: Exception, again: bool) -> bool:
        """Whether it is worth another try after an error."""
        said = str(error)
        if isinstance(error, sqlite3.OperationalError) and "locked" in said:
            return False  # others write; what was measured now is not worth a wait
        strange = "no such" in said or "columns" in said  # it holds other tables
        if not again or (isinstance(error, sqlite3.OperationalError | OSError) and not strange):
            self._say(f"{path} cannot be used ({error}), so nothing is learnt about memory.")
            self._path = None
            return False
        self._say(f"{path} was broken ({error}). It is begun anew; estimates are rougher for now.")
        for ending in ("", "-wal", "-shm", "-journal"):
            try:
                path.with_name(path.name + ending).unlink(missing_ok=True)
            except OSError:
                self._path = None
        return self._path is not None


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = sqlite3.connect(path, timeout=2.0, check_same_thread=False)
    try:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.executescript(_TABLES)
    except BaseException:
        file.close()
        raise
    return file


def _names(key: Key) -> tuple[str, str, str, str]:
    return key.node, "\n".join(key.components), key.device, key.dtype


def _rows(file: sqlite3.Connection, key: Key) -> dict[int, Row]:
    found = file.execute(f"SELECT size, activation, seconds FROM steps WHERE {_WHICH}", _names(key))
    return {
        int(size): (_count(activation), None if seconds is None else float(seconds))
        for size, activation, seconds in found
    }


def _count(value: object) -> int | None:
    return None if value is None else int(str(value))


def _speed(file: sqlite3.Connection, name: str) -> float | None:
    row = file.execute("SELECT speed FROM links WHERE name = ?", (name,)).fetchone()
    return float(row[0]) if row else None


def _most(before: int | None, now: int | None) -> int | None:
    """Peaks of one size differ little; the larger one counts, and an old one fades."""
    if before is None or now is None:
        return before if now is None else now
    return max(now, math.ceil(_KEPT * before + (1 - _KEPT) * now))


def _mean(before: float | None, now: float | None) -> float | None:
    if before is None or now is None:
        return before if now is None else now
    return _KEPT * before + (1 - _KEPT) * now
