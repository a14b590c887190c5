"""Leases: a locked file by which others see that a runner is alive, however it may end.

The system drops the lock with the process, so no clock and no process number is ever asked.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path

from backend.locks import is_at, is_free, lock

SUFFIX = ".lease"


class Lease:
    """The lease of one runner, held until it is let go of or the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take a new lease in ``folder``, which is made.

        Raises:
            OSError: it cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.token = secrets.token_hex(8)
        self._path = folder / (self.token + SUFFIX)
        while True:
            # It is not handed on to processes that this one starts: it ends with this one.
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            lock(self._file)
            if is_at(self._file, self._path):
                return
            os.close(self._file)  # a sweeper came between the two and removed it: make it again

    def release(self) -> None:
        """Let go of the lease."""
        if sys.platform == "win32":  # an open file cannot be removed there
            os.close(self._file)
            self._path.unlink(missing_ok=True)
        else:
            self._path.unlink(missing_ok=True)
            os.close(self._file)


def is_alive(folder: Path, token: str) -> bool:
    """Whether the runner with this token lives. Where that cannot be told it counts as alive:
    a job that waits is better than one that runs twice."""
    try:
        file = os.open(folder / (token + SUFFIX), os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # not ours to open, or this process has no descriptor to spare
        return True
    try:
        return not is_free(file)
    except OSError:  # the file system has no locks
        return True
    finally:
        os.close(file)


def sweep(folder: Path) -> None:
    """Remove the leases of runners that are dead."""
    with contextlib.suppress(OSError):
        for path in list(folder.glob(f"*{SUFFIX}")):
            with contextlib.suppress(OSError):
                _sweep_one(path)


def _sweep_one(path: Path) -> None:
    file = os.open(path, os.O_RDWR)
    free = False
    try:
        free = is_free(file)
        if free and sys.platform != "win32":
            # While the lock is still held: one who just made this file waits for it, and then
            # sees that the file is gone.
            path.unlink(missing_ok=True)
    finally:
        os.close(file)
        if free and sys.platform == "win32":  # an open file cannot be removed there
            path.unlink(missing_ok=True)
