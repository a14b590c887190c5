"""Nodes that do harm, or look around; the tests hand this file to a host as a node file."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from backend.sdk import Context, Image, UserError, Video, node


@node(category="Trouble")
def harm(ctx: Context, how: str = "nothing", mark: str = "", number: float = 0.0) -> float:
    """Do harm, and write down when."""
    print("about to", how, flush=False)
    if mark:
        Path(mark).write_text(repr(time.monotonic()))
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "abort":
        os.abort()
    elif how == "exit":
        os._exit(3)
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "leave":
        sys.exit(4)
    elif how == "loop":
        while True:
            pass
    elif how == "stuck":
        ctypes.PyDLL(None).sleep(1000)  # holds the interpreter's lock, as bad native code does
    elif how == "eat":
        held = []
        while True:
            held.append(bytearray(b"x") * 2**22)
    elif how == "wait":
        while True:
            ctx.check()
            time.sleep(0.01)
    elif how == "refuse":
        raise UserError("This number is not wanted. Choose another.")
    return number + 1


@node(category="Trouble")
def chatter(ctx: Context, count: int = 100, side: int = 64, mark: str = "") -> int:
    """Say and show as much as possible, then write a file."""
    rng = np.random.default_rng(0)
    picture = Image(rng.random((1, side, side, 3), dtype=np.float32))
    for i in range(count):
        print("x" * 1000)
        ctx._previews._last = ctx._progress._last = 0.0  # at no pace at all
        ctx.progress(i, count)
        ctx.preview(picture)
    ctx.note("all said")
    if mark:
        Path(mark).write_text("done")
    return count


@node(category="Trouble")
def made(ctx: Context, size: int = 8, seed: int = 0) -> Image:
    """Random pixels."""
    rng = np.random.default_rng(seed)
    return Image(rng.random((1, size, size, 3), dtype=np.float32))


class Labour(NamedTuple):
    """Something large, and a number."""

    image: Image
    number: float


@node(category="Trouble")
def labour(ctx: Context, image: Image, mark: str = "") -> Labour:
    """Take long enough to be kept, and write down how often that was."""
    end = time.perf_counter() + 0.6
    while time.perf_counter() < end:
        ctx.check()
    with Path(mark).open("a") as file:
        file.write("once")
    return Labour(image.but(image.pixels / 2), 1.0)


@node(category="Trouble")
def film(ctx: Context, frames: int = 3) -> Video:
    """Frames that grow brighter."""
    rows = (Image(np.full((1, 4, 6, 3), i / 10, np.float32)) for i in range(frames))
    return ctx.spool(rows, 5.0, "8")


@node(category="Trouble")
def words(ctx: Context) -> list[str]:
    """Three words."""
    return ["no", "big", "thing"]


@node(category="Trouble")
def surroundings(ctx: Context) -> str:
    """Where the process is and what it imports from."""
    import numpy

    backend = sys.modules["backend"].__file__
    return repr(
        {
            "cwd": os.getcwd(),
            "path": sys.path,
            "numpy": numpy.__file__,
            "backend": backend,
            "pid": os.getpid(),
            "offline": os.environ.get("HF_HUB_OFFLINE"),
        }
    )


@node(category="Trouble")
def child(ctx: Context, mark: str = "") -> int:
    """Start a process that would outlive this one, then die."""
    import subprocess

    started = subprocess.Popen(["sleep", "1000"])
    Path(mark).write_text(str(started.pid))
    os._exit(5)
