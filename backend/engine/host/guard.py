"""What a host does before anything else: it dies with its client, and leaves word of a crash."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def open_ends(given: Sequence[int]) -> list[int]:
    """The descriptors that the client handed over, kept from what nodes may start."""
    if sys.platform == "win32":
        import msvcrt

        ways = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR)
        return [msvcrt.open_osfhandle(h, way) for h, way in zip(given, ways, strict=True)]
    for fd in given:
        os.set_inheritable(fd, False)
    return list(given)


def protect(trace: int, parent: int) -> None:
    """Set the process up; ``trace`` gets the Python stacks at a crash, ``parent`` is the client."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the client, which then cancels
    if sys.platform == "linux":
        _die_with_parent(parent)
        with contextlib.suppress(OSError):  # the system's choice where memory runs out
            Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    if sys.platform != "win32":
        import resource

        # Writing gigabytes of core would keep the client waiting for the news.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(trace, all_threads=True)
    if hasattr(signal, "SIGUSR1"):  # the client asks where an endless loop is
        faulthandler.register(signal.SIGUSR1, trace, all_threads=True)
    for stream in (sys.stdout, sys.stderr):
        # The last lines before a crash are the ones that matter.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def leave() -> None:
    """End this process at once, and on POSIX all that it has started."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _die_with_parent(parent: int) -> None:
    """Have the system end this process with its client, even where it is stuck in native code."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the system knew
        leave()
