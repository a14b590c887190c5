"""Costly results on disk, so that neither a restart nor a crash loses them.

Reading happens where it is asked for; writing happens in one thread of its own, so that no run
waits for a disk. Whatever goes wrong with the folder, a run goes on without it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from backend.engine.disk.entry import Broken, check_frames, frame_files, read_entry, result_of
from backend.engine.disk.index import Index, Newer, NotYet, Row, Totals, is_corrupt
from backend.engine.disk.sweep import Verified
from backend.engine.disk.troubles import Troubles
from backend.engine.disk.writer import INDEX, Batch, Writer
from backend.media.spool import Spool
from backend.plan.result import Result

MOST_WAITING = 2**30
"""Bytes of results that wait to be written; above that whoever puts more waits too."""
_MOST_PENDING = 100_000
_ASK_AGAIN = 1.0
"""Seconds for which what was not there is not looked for again: others may have put it."""

_WORTH_WAITING = 1.0
"""Seconds that writing may hold up a run, however little it took to compute what is written."""
_LOOK_UP = 0.05
"""Seconds between two looks at whether anybody still wants to wait."""

T = TypeVar("T")


class DiskCache:
    """Results by key in a folder that threads and processes share.

    A result goes to disk when it took ``costly`` seconds, or wrote files. Of the others the digests
    are kept, together with the next costly one: they lead to its key without running anything.
    """

    def __init__(self, root: Path, budget: int, costly: float, build: str = "") -> None:
        """Nothing is touched on disk before the first use.

        Args:
            root: The folder.
            budget: Bytes of all files in it.
            costly: Seconds from which a result is worth a file.
            build: What else than its key a result depends on (see ``build_digest``).
        """
        self.root, self.budget, self.costly, self._build = root, budget, costly, build
        self._troubles = Troubles(root)
        self._spool = Spool(root / "held")
        self._writer = Writer(root, budget, self._troubles)
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._batch = Batch()  # what waits for the writer
        self._under_way = Batch()  # what it writes now
        self._busy = self._closing = self._roused = self._urgent = False
        self._thread: threading.Thread | None = None
        self._reader: Index | None = None
        self._off = False
        self._blind_until = 0.0
        self._absent: set[str] = set()
        self._ask_at = 0.0

    def find(self, key: str) -> Result | None:
        """What is known of a key; never with ``values``."""
        key = self._build + key
        if self._is_absent(key):
            return None
        with self._lock:
            for batch in (self._batch, self._under_way):
                if (told := batch.known(key)) is not None:
                    return told
                if key in batch.forgotten:
                    return None
        row = self._row(key)
        return _parsed(row) if row is not None else None

    def get(self, key: str) -> Result | None:
        """The result with its values, or ``None``; counts as a use."""
        key = self._build + key
        if self._is_absent(key):
            return None
        with self._lock:
            for batch in (self._batch, self._under_way):
                if key in batch.whole:
                    return batch.whole[key][1]
                if key in batch.cheap or key in batch.forgotten:
                    return None
        row = self._row(key)
        if row is None or not row.whole:
            return None
        result = _parsed(row) if row.file is None else self._read(key, row.file)
        if result is not None:
            with self._lock:
                self._batch.used[key] = None
        return result

    def put(self, key: str, static: str, result: Result) -> None:
        """Keep a result, or if it was cheap what is known of it. Waits only for a full queue."""
        key, static = self._build + key, self._build + static
        costly = result.seconds >= self.costly or bool(result.saved)
        with self._lock:
            self._absent.discard(key)
            if not costly or self._off:
                self._batch.remember(key, static, result, _MOST_PENDING)
                return
            while self._batch.nbytes > MOST_WAITING and self._thread is not None:
                self._ready.wait()
            self._batch.keep(key, static, result)
            self._urgent = True
            self._wake()

    def forget(self, key: str) -> None:
        """Drop all that is known of a key."""
        key = self._build + key
        with self._lock:
            self._batch.forget(key)
            if not self._off and os.path.exists(self.root / INDEX):
                self._urgent = True
                self._wake()

    def clear(self) -> Totals:
        """Drop everything, for all processes that share the folder; what was there.

        Raises:
            OSError: it cannot be removed.
        """
        self.flush()
        with self._lock:
            self._batch = Batch()
            self._close_reader()
            self._absent.clear()
        return self._writer.clear()

    def info(self) -> Totals:
        """How much lies there."""
        return self._ask(lambda index: index.totals(), Totals())

    def verify(self) -> Verified:
        """Read every entry; remove those that are damaged, and files that belong to none.

        Raises:
            OSError, sqlite3.Error: the folder cannot be read, or not be written to.
        """
        self.flush()
        return self._writer.verify()

    def seen(self, static: str) -> bool:
        """Whether a result of a step with this static key is known, whatever its inputs were."""
        static = self._build + static
        return bool(self._ask(lambda index: index.seen(static), False))

    def decision(self, key: str) -> frozenset[str] | None:
        """What a lazy node asked for in a state."""
        key = self._build + key
        with self._lock:
            for batch in (self._batch, self._under_way):
                if key in batch.decisions:
                    return batch.decisions[key]
        return self._ask(lambda index: index.decision(key), None)

    def decide(self, key: str, names: frozenset[str]) -> None:
        """Remember what a lazy node asked for, with the next costly result."""
        with self._lock:
            self._batch.decide(self._build + key, names, _MOST_PENDING)

    def settle(self, stop: Callable[[], bool]) -> None:
        """Wait until every costly result that was put is on disk, but no longer than these took to
        compute (a second at least), nor once ``stop`` says so: what is run next may end the
        process."""
        if not (self._urgent or self._busy):
            return
        with self._lock:
            waiting = (*self._batch.whole.values(), *self._under_way.whole.values())
            if not waiting:
                return
            most = max(_WORTH_WAITING, sum(result.seconds for _, result in waiting))
            end = time.monotonic() + most
            while self._thread is not None and (self._urgent or self._busy) and not stop():
                left = end - time.monotonic()
                if left <= 0:
                    return
                self._ready.wait(min(left, _LOOK_UP))

    def flush(self) -> None:
        """Wait until every costly result that was put is on disk, or has failed to get there."""
        with self._lock:
            while self._thread is not None and (self._urgent or self._busy):
                self._ready.wait()

    def troubles(self) -> tuple[str, ...]:
        """Sentences on what went wrong with the folder, each kind once."""
        return self._troubles.take()

    def close(self) -> None:
        """Write what waits, and let go of the folder."""
        with self._lock:
            if self._batch.used and not self._off:
                self._urgent = True
                self._wake()
            self._closing = True
            self._ready.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        with self._lock:
            self._thread = None
            self._close_reader()
        self._writer.close()
        self._spool.close()

    def _is_absent(self, key: str) -> bool:
        """Whether a key was looked for in vain a moment ago, so that it need not be again."""
        now = time.monotonic()
        if now >= self._ask_at:
            self._ask_at = now + _ASK_AGAIN
            self._absent.clear()
        return key in self._absent

    def _row(self, key: str) -> Row | None:
        row = self._ask(lambda index: index.row(key), None)
        if row is None:
            self._absent.add(key)
        return row

    def _ask(self, question: Callable[[Index], T], nothing: T) -> T:
        """An answer of the index, or ``nothing`` where there is none."""
        with self._lock:
            try:
                index = self._index()
                return question(index) if index is not None else nothing
            except sqlite3.Error as error:
                self._close_reader()
                if is_corrupt(error):
                    self._repair()
                else:
                    self._blind_until = time.monotonic() + _ASK_AGAIN
                    self._troubles.unreadable(error)
                return nothing

    def _index(self) -> Index | None:
        """The index for reading; where it lies on disk, the writer looks after its folder once."""
        if self._off or (self._blind_until and time.monotonic() < self._blind_until):
            return None
        if self._reader is None:
            if not os.path.exists(self.root / INDEX):
                return None
            try:
                self._reader = Index(self.root / INDEX, create=False)
            except NotYet:
                return None
            except Newer:
                self._off = True
                self._troubles.newer()
                return None
            if not self._roused:
                self._urgent = True
                self._wake()
        return self._reader

    def _repair(self) -> None:
        self._writer.broken = self._urgent = True
        self._wake()

    def _read(self, key: str, file: str) -> Result | None:
        """The result in a file. A file that is not as it was is forgotten."""
        try:
            result = read_entry(self.root, file, self._spool.link)
            for frames in frame_files(dict(result.values)):
                self._spool.own(frames)
            check_frames(result.values)
            return result
        except FileNotFoundError:
            # Another process may have dropped or replaced it since the index was asked.
            row = self._ask(lambda index: index.row(key), None)
            if row is not None and row.file not in (None, file):
                return self._read(key, str(row.file))
            missing = row is not None and row.file == file
        except Broken:
            missing = True
            self._troubles.broken(file)
        except OSError as error:
            missing = False
            self._troubles.cannot_read(error)
        if missing:
            self.forget(key.removeprefix(self._build))
        return None

    def _wake(self) -> None:
        """Have the writer look at what waits; its thread is made when first needed."""
        self._roused = True
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._serve, name="weft-cache", daemon=True)
            self._thread.start()
        self._ready.notify_all()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _serve(self) -> None:
        while True:
            with self._lock:
                while not self._urgent and not self._closing:
                    self._ready.wait()
                if not self._urgent:
                    return
                self._under_way, self._batch = self._batch, Batch()
                self._urgent, self._busy = False, True
                self._ready.notify_all()
            replaced = False
            try:
                replaced = self._writer.write(self._under_way)
            except Exception as error:
                logging.getLogger(__name__).exception("the disk cache failed")
                self._troubles.failed(error)
            with self._lock:
                if self._writer.off:
                    self._off = True
                if replaced:  # the index is another file now
                    self._close_reader()
                self._absent.clear()
                self._batch.take_back(self._under_way.left)
                self._under_way = Batch()
                self._busy = False
                self._ready.notify_all()


def _parsed(row: Row) -> Result | None:
    with contextlib.suppress(ValueError):
        return result_of(row.facts)
    return None
