"""What a decoding worker may not do. Where the system has no such limit, the others still hold."""

from __future__ import annotations

import contextlib
import signal
import sys

SPARE = 256 * 2**20
"""Bytes that a decoder may take beside what the picture itself needs."""


def confine() -> None:
    """From now on this process writes no file, leaves no core dump, and gains no rights."""
    if sys.platform == "win32":
        return
    import resource

    _limit(resource.RLIMIT_CORE, 0, 0)
    _limit(resource.RLIMIT_FSIZE, 0, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def allow(need: int, seconds: float) -> None:
    """Let the next piece of work take ``need`` bytes and ``seconds``; then the system ends it."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _size() + SPARE + need
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    _limit(resource.RLIMIT_AS, limit, hard)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def rest() -> None:
    """The work is done: nothing runs out while waiting for the next."""
    if sys.platform == "win32":
        return
    import resource

    signal.setitimer(signal.ITIMER_REAL, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    _limit(resource.RLIMIT_AS, hard, hard)


def _limit(kind: int, soft: int, hard: int) -> None:
    import resource

    # macOS refuses a limit below what its system libraries alone are mapped to.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (soft, hard))


def _size() -> int:
    """Bytes of address space that this process has now; 4 GiB where that cannot be told."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return 4 * 2**30
    import resource

    return pages * resource.getpagesize()
