"""Leases: a locked file by which others see that a runner is alive, however it may end.

The system drops the lock with the process, so no clock and no process number is ever asked.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path

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
            _take(self._file)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._file), os.stat(self._path)):
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
    """Whether the runner with this token lives."""
    try:
        file = os.open(folder / (token + SUFFIX), os.O_RDWR)
    except OSError:
        return False
    try:
        return not _is_free(file)
    finally:
        os.close(file)


def sweep(folder: Path) -> None:
    """Remove the leases of runners that are dead."""
    with contextlib.suppress(OSError):
        for path in list(folder.glob(f"*{SUFFIX}")):
            if not is_alive(folder, path.name.removesuffix(SUFFIX)):
                path.unlink(missing_ok=True)


if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)

    def _is_free(file: int) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _is_free(file: int) -> bool:
        # Shared, so that two who ask at once do not take each other for the runner.
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
