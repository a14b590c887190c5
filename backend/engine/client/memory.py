"""How much memory a process holds, and how much it may."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

SHARE = 0.9
"""How much of all memory a host may take where nothing else is said."""

_CGROUPS = Path("/sys/fs/cgroup")


def allowance(wanted: int) -> int:
    """The bytes that a host may take: ``wanted``, or for 0 nine tenths of the machine's or of the
    control group's, whichever is less."""
    return wanted or int(SHARE * min(_machine(), _group()))


def held(pid: int) -> int:
    """Bytes that a process holds and that cannot be read again from a file; 0 when it is gone.

    On Linux these are its anonymous and shared pages and what was swapped out, so weights that
    are mapped from their file do not count. Elsewhere it is what the system calls its own.
    """
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/status", "rb") as file:
                text = file.read()
        except OSError:
            return 0
        return sum(_kibibytes(text, name) for name in (b"RssAnon:", b"RssShmem:", b"VmSwap:"))
    import psutil

    with contextlib.suppress(psutil.Error):
        info = psutil.Process(pid).memory_info()
        return int(getattr(info, "private", info.rss))
    return 0


def out_of_memory_kills() -> int:
    """How many processes the system has ended because memory ran out; 0 where it does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text("ascii").splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def _kibibytes(text: bytes, name: bytes) -> int:
    _, found, rest = text.partition(name)
    return 1024 * int(rest.split(None, 1)[0]) if found else 0


def _machine() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def _group() -> int:
    """The least limit of the control groups around this process; huge where there is none."""
    limits = [2**62]
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                root, name = _CGROUPS, "memory.max"
            elif "memory" in controllers.split(","):
                root, name = _CGROUPS / "memory", "memory.limit_in_bytes"
            else:
                continue
            own = root / path.lstrip("/")
            for folder in (own, *own.parents):
                limits += _limit(folder / name)
                if folder == root:
                    break
    return min(limits)


def _limit(file: Path) -> list[int]:
    try:
        text = file.read_text("ascii").strip()
    except OSError:
        return []
    return [int(text)] if text.isdecimal() else []
