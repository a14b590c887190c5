"""The log: one file that all processes of a user write to, put away when it is full.

``weft.log`` is the newest; behind it stand ``weft.log.1``, ``weft.log.2``... up to a number.
Whoever writes holds the lock on ``weft.lock`` meanwhile, so that no line is lost or mixed with
another's, also while files are put away.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.locks import lock

NAME = "weft.log"
_LOCK = "weft.lock"
_OLD = re.compile(re.escape(NAME) + r"\.([1-9][0-9]{0,5})")


@dataclass(frozen=True)
class Log:
    """The log in a folder: a file is put away before it would exceed ``size`` bytes, and ``keep``
    of those stay."""

    folder: Path
    size: int
    keep: int

    @property
    def path(self) -> Path:
        """The newest file."""
        return self.folder / NAME

    def write(self, text: str) -> Path | None:
        """Add an entry and give the file that it stands in; ``None`` where it cannot be written.

        An entry is a line ``== TIME PROCESS`` and the text. Of one that is longer than a file the
        middle is left out.
        """
        head = f"== {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {os.getpid()}\n"
        raw = text.rstrip("\n").encode("utf-8", "backslashreplace")
        entry = _fitted(head.encode(), raw, self.size)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder / _LOCK):
                self._rotate(len(entry))
                _append(self.path, entry)
        except OSError:
            return None
        return self.path

    def files(self) -> tuple[Path, ...]:
        """Every file of the log that is there, the oldest first."""
        old = sorted(self._old(), reverse=True)
        return (*(path for _, path in old), *([self.path] if self.path.is_file() else ()))

    def _old(self) -> list[tuple[int, Path]]:
        try:
            with os.scandir(self.folder) as entries:
                names = [entry.name for entry in entries]
        except OSError:
            return []
        matches = (_OLD.fullmatch(name) for name in names)
        return [(int(m[1]), self.folder / m[0]) for m in matches if m is not None]

    def _rotate(self, more: int) -> None:
        try:
            full = self.path.stat().st_size + more > self.size
        except FileNotFoundError:
            full = False
        old = sorted(self._old(), reverse=True)
        for number, path in old:
            if number > self.keep - full:
                path.unlink(missing_ok=True)
            elif full:
                path.replace(self.folder / f"{NAME}.{number + 1}")
        if full and self.keep:
            self.path.replace(self.folder / f"{NAME}.1")
        elif full:
            self.path.unlink(missing_ok=True)


def _fitted(head: bytes, text: bytes, size: int) -> bytes:
    room = size - len(head) - 1
    if len(text) > room:
        gap = b"\n... the middle of these %d bytes is left out ...\n" % len(text)
        half = max(0, room - len(gap)) // 2
        text = text[:half] + gap + text[len(text) - half :]
    return head + text + b"\n"


def _append(path: Path, entry: bytes) -> None:
    """Add an entry whole or not at all."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        before = os.fstat(file).st_size
        if os.write(file, entry) != len(entry):  # the disk is full
            os.ftruncate(file, before)
            raise OSError("the entry could not be written whole")
    finally:
        os.close(file)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: as well as it goes
            lock(file)
        yield
    finally:
        os.close(file)  # lets go of the lock
