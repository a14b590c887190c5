"""A disk that is full, at every amount of room that is left: a sentence, and nothing broken.

    python -m tests.stress.full            (as root on Linux: it mounts a small disk of memory)

On a disk with only so many kilobytes left, for many such numbers, a user queues a job, works
through the queue, runs a workflow, changes a setting, looks at the history. Every command must end
with a status and a sentence, never with a fault of the program. Then there is room again, and the
same commands must do it all; no temporary file may be left, and the databases must be whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.stress.kills import Home

SIZE = 12 * 2**20
ROOMS = (0, 1, 4, 8, 12, 20, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)
FLOW = {
    "weft": 1,
    "nodes": {
        "c": {"type": "solid_image", "params": {"width": 200, "height": 150}},
        "k": {"type": "save_image", "params": {"name": "x"}, "inputs": {"image": "c.image"}},
        "t": {"type": "text", "params": {"value": "some words"}},
        "w": {"type": "save_text", "params": {"name": "words"}, "inputs": {"text": "t.text"}},
    },
}
COMMANDS = (
    ("queue", "add", "flow.weft.json"),
    ("queue", "run"),
    ("run", "flow.weft.json"),
    ("settings", "set", "cache.disk", "1GiB"),
    ("history", "show"),
    ("cache", "info"),
    ("models", "scan"),
)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of ``SIZE`` bytes at a folder.

    Raises:
        PermissionError: this user may not mount one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    done = subprocess.run(options, capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, room: int) -> Path:
    """Fill the disk up but for ``room`` kilobytes; the file that does it."""
    ballast = folder / "ballast"
    held = os.statvfs(folder)
    count = held.f_bavail * held.f_frsize - room * 1024
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        for _ in range(max(0, count) // 4096):
            file.write(bytes(4096))
    return ballast


def broken(home: Home, told: str, *, calm: bool) -> Iterator[str]:
    """Run all commands; a sentence for each that ends as it must not."""
    for command in COMMANDS:
        done = home.weft(*command)
        said = done.stdout + done.stderr
        if "Traceback" in said or "Weft itself went wrong" in said or done.returncode < 0:
            yield f"{told}: weft {' '.join(command)}: status {done.returncode}: {said[-300:]}"
        elif done.returncode and not said.strip():
            yield f"{told}: weft {' '.join(command)}: status {done.returncode} without a word"
        elif calm and done.returncode:
            yield f"{told}, room again: weft {' '.join(command)}: {said[-300:]}"


def left(home: Home, told: str) -> Iterator[str]:
    """A sentence for each temporary file that is left, and each database that is not whole."""
    for path in home.folder.rglob("*"):
        if ".tmp" in path.name or path.name.endswith(".intent"):
            yield f"{told}: {path.relative_to(home.folder)} is left"
        if path.suffix == ".sqlite":
            with contextlib.closing(sqlite3.connect(path)) as database:
                if database.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                    yield f"{told}: {path.name} is damaged"


def stress(folder: Path, rooms: tuple[int, ...], rng: random.Random) -> list[str]:
    """All amounts of room, one after the other, each on a new disk; what went wrong."""
    faults: list[str] = []
    for room in rooms:
        with small_disk(folder / f"disk{room}") as disk:
            home = Home(disk, 0)
            (disk / "flow.weft.json").write_text(json.dumps(FLOW))
            if rng.random() < 0.5:
                home.weft("queue", "add", "flow.weft.json")  # the databases are there already
            told = f"{room} kB left"
            ballast = fill(disk, room)
            faults += broken(home, told, calm=False)
            ballast.unlink()
            faults += broken(home, told, calm=True)
            faults += left(home, told)
    return faults


def main() -> int:
    """The whole stress; the exit status."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="weft-full-") as folder:
        try:
            faults = stress(Path(folder), ROOMS, random.Random(7))
        except PermissionError as error:
            print(f"A disk of memory cannot be mounted here ({error}); run it as root.")
            return 2
    for fault in faults:
        print(fault)
    print(f"{len(ROOMS)} amounts of room, {len(COMMANDS)} commands each; faults: {len(faults)}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
