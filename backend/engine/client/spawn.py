"""Starting a host process: its environment, its pipes, nothing of the current folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import backend

MODULE = "backend.engine.host"
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_DROPPED = ("PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONBREAKPOINT")


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process and this side's ends: ``orders`` to it, ``reports`` from it, what it prints, and
    the file that its stacks go to when it crashes."""

    process: subprocess.Popen[bytes]
    orders: int
    reports: int
    printed: int
    trace: int


def spawn(module: str = MODULE) -> Spawned:
    """Start a host, or another ``module`` that is served in the same way. On Linux it lives no
    longer than the thread that calls this.

    Raises:
        OSError: the system has no room for another process or its pipes.
    """
    opened: list[int] = []
    try:
        orders_in, orders = _pipe(opened)
        reports, reports_out = _pipe(opened)
        printed, printed_out = _pipe(opened)
        trace = _trace_file(opened)
        process = _start(module, orders_in, reports_out, printed_out, trace)
    except BaseException:
        for fd in opened:
            os.close(fd)
        raise
    for fd in (orders_in, reports_out, printed_out):
        os.close(fd)
    return Spawned(process, orders, reports, printed, trace)


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a host sees of the environment.

    It never goes to the network by itself, and it finds the same Weft as its client: an empty
    entry in ``PYTHONPATH`` would mean the current folder, and others are relative to it.
    """
    found = {name: value for name, value in environ.items() if name not in _DROPPED}
    found |= dict.fromkeys(_OFFLINE, "1")
    found["PYTHONSAFEPATH"] = "1"
    given = environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [os.path.abspath(path) for path in given if path]
    home = Path(backend.__file__).resolve().parent.parent
    if home not in {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}:
        paths.insert(0, str(home))
    found.pop("PYTHONPATH", None)
    if paths:
        found["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    return found


def _start(
    module: str, orders: int, reports: int, printed: int, trace: int
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", module]
    options: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": printed,
        "stderr": subprocess.STDOUT,
        "env": environment(),
        "close_fds": True,
    }
    inherited = [orders, reports, trace]
    if sys.platform == "win32":
        import msvcrt

        handles = [msvcrt.get_osfhandle(fd) for fd in inherited]
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles})
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return subprocess.Popen(
            [*command, *map(str, handles), str(os.getpid())],
            **options, cwd=Path(sys.executable).anchor,
            startupinfo=startup, creationflags=flags,
        )  # fmt: skip
    return subprocess.Popen(
        [*command, *map(str, inherited), str(os.getpid())],
        **options, cwd="/",
        pass_fds=inherited, start_new_session=True,
    )  # fmt: skip


def _pipe(opened: list[int]) -> tuple[int, int]:
    ends = os.pipe()
    high = [_high(end) for end in ends]
    opened += high
    return high[0], high[1]


def _trace_file(opened: list[int]) -> int:
    """A file without a name, so that nothing is left behind however both sides end."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("weft-trace")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    fd = _high(fd)
    opened.append(fd)
    return fd


def _high(fd: int) -> int:
    """The same file above the standard streams, whose numbers are free where they are closed."""
    if fd > 2 or sys.platform == "win32":
        return fd
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)
