"""What went wrong with the disk cache, in sentences; each kind is told once."""

from __future__ import annotations

import errno
import sqlite3
import threading
from pathlib import Path

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would be larger than this system allows",
    errno.EROFS: "the folder is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.ENOTDIR: "a file stands where the folder should be",
    errno.EEXIST: "a file stands where the folder should be",
}
_SQLITE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the folder is read-only",
    sqlite3.SQLITE_CANTOPEN: "its index cannot be opened",
    sqlite3.SQLITE_PERM: "this user may not write there",
    sqlite3.SQLITE_BUSY: "another process keeps its index locked",
}


class Troubles:
    """Sentences that were not told yet. Threads may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._kinds: set[str] = set()
        self._waiting: list[str] = []
        self._lock = threading.Lock()

    def take(self) -> tuple[str, ...]:
        """All sentences since the last call."""
        with self._lock:
            told, self._waiting = tuple(self._waiting), []
            return told

    def cannot_write(self, error: OSError | sqlite3.Error) -> None:
        """A result could not be written."""
        self._tell(
            "write",
            f"Results are not kept in the cache folder {self._root}: {reason(error)}. The run goes "
            "on without.",
        )

    def cannot_read(self, error: OSError) -> None:
        """An entry is there and cannot be read."""
        self._tell(
            "read",
            f"A result in the cache folder {self._root} cannot be read "
            f"({error.strerror or error}); it is computed again.",
        )

    def unreadable(self, error: sqlite3.Error) -> None:
        """The index cannot be read."""
        self._tell(
            "index",
            f"The index of the cache folder {self._root} cannot be read ({error}). The run goes on "
            "without it.",
        )

    def broken(self, file: str) -> None:
        """An entry does not hold what was written."""
        self._tell(
            "broken",
            f"A result in the cache folder {self._root} was damaged; it is computed again. "
            "`weft cache verify` looks at all of them.",
        )

    def rebuilt(self, count: int) -> None:
        """The index was broken and has been made anew."""
        self._tell(
            "rebuilt",
            f"The index of the cache folder {self._root} was damaged or gone. It was made anew "
            f"from the {count} results that lie there.",
        )

    def newer(self) -> None:
        """A later Weft made the index."""
        self._tell(
            "newer",
            f"A newer version of Weft made the cache folder {self._root}; it is not used. "
            "Choose another with the setting folders.cache, or empty it by `weft cache clear`.",
        )

    def failed(self, error: Exception) -> None:
        """Something that nobody thought of."""
        self._tell(
            "failed",
            f"Keeping results in the cache folder {self._root} failed ({type(error).__name__}: "
            f"{error}). The run goes on without.",
        )

    def _tell(self, kind: str, sentence: str) -> None:
        with self._lock:
            if kind not in self._kinds:
                self._kinds.add(kind)
                self._waiting.append(sentence)


def reason(error: OSError | sqlite3.Error) -> str:
    """Why something could not be written, in a few words."""
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0, error.strerror or str(error))
    return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, str(error))
