"""Locks on open files by which processes know of each other. The system drops a lock with the
process that holds it, however that ends, so no clock and no process number is ever asked.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    _PLACE = 1 << 30  # far behind the content, which stays readable

    def lock(descriptor: int) -> None:
        """Take the lock of an open file for this process alone, and wait for it.

        Raises:
            OSError: the file system has no locks, or on Windows another holds it for ten seconds.
        """
        _locking(descriptor, msvcrt.LK_LOCK)

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file if nobody holds it; whether that went well.

        Raises:
            OSError: the file system has no locks (not on Windows).
        """
        try:
            _locking(descriptor, msvcrt.LK_NBLCK)
        except OSError:
            return False
        return True

    is_free = try_lock

    def _locking(descriptor: int, how: int) -> None:
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, how, 1)
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Take the lock of an open file for this process alone, and wait for it.

        Raises:
            OSError: the file system has no locks.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file if nobody holds it; whether that went well.

        Raises:
            OSError: the file system has no locks.
        """
        return _try(descriptor, fcntl.LOCK_EX)

    def is_free(descriptor: int) -> bool:
        """Whether nobody has the lock of an open file for itself. Two who ask at once do not take
        each other for its holder; the asking ends when the file is closed.

        Raises:
            OSError: the file system has no locks.
        """
        return _try(descriptor, fcntl.LOCK_SH)

    def _try(descriptor: int, how: int) -> bool:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one with this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
