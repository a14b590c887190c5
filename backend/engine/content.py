"""Content digests of files and folders that parameters name, each file read once while it stays."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import blake3

MAX_FILES = 100_000
"""Files in the largest folder whose content is taken; a larger one has no digest."""

_FRESH = 2_000_000_000
"""Nanoseconds after its last change in which a file may change again unseen, at the coarsest
clock of a file system; so long it is read each time."""

_Stamp = tuple[int, int, int, int, int]


class Contents:
    """Content digests by path, remembered as long as size, times and inode stay the same."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Stamp, str]] = {}
        self._lock = threading.Lock()

    def digest(self, path: Path, check: Callable[[], None] = lambda: None) -> str | None:
        """The digest of a file, or of all files in a folder with their names; ``None`` if it
        cannot be read. ``check`` is called often and may raise."""
        try:
            if path.is_dir():
                return self._folder(path, check)
            return self._file(path, check)
        except OSError:
            return None

    def _file(self, path: Path, check: Callable[[], None]) -> str | None:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return None
        stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        with self._lock:
            known = self._known.get(str(path))
        if known is not None and known[0] == stamp:
            return known[1]
        hasher = blake3.blake3()
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                check()
                hasher.update(chunk)
        digest = "blake3:" + hasher.hexdigest()
        if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _FRESH:
            with self._lock:
                self._known[str(path)] = (stamp, digest)
        return digest

    def _folder(self, path: Path, check: Callable[[], None]) -> str | None:
        parts = []
        for count, file in enumerate(_files(path)):
            digest = self._file(file, check)
            if count >= MAX_FILES:
                return None
            parts.append([file.relative_to(path).as_posix(), digest])
        return "blake3:" + blake3.blake3(json.dumps(sorted(parts, key=str)).encode()).hexdigest()


def _files(folder: Path) -> Iterable[Path]:
    """Every file below a folder; links to folders are not followed."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(root) / name
