"""Older versions of saved documents: the last ten of each file, in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

import blake3

MOST = 10


def keep(path: Path, folder: Path, most: int = MOST) -> Path | None:
    """Copy the file into ``folder`` before it is written over; the copy, or ``None``.

    Nothing is kept of a file that is not there, or that is the same as the last version kept. A
    backup that cannot be made is no reason not to save, so nothing is raised.
    """
    older = versions(path, folder)
    with contextlib.suppress(OSError):
        data = path.read_bytes()
        if older and older[0].read_bytes() == data:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        number = 1 + max((_number(each) for each in older), default=0)
        copy = folder / f"{_mark(path)}.{number:06d}.{stamp}.weft.json"
        draft = copy.with_suffix(".tmp")
        try:
            shutil.copyfile(path, draft)
            os.replace(draft, copy)
        finally:
            draft.unlink(missing_ok=True)
        for old in versions(path, folder)[most:]:
            old.unlink(missing_ok=True)
        return copy
    return None


def versions(path: Path, folder: Path) -> list[Path]:
    """The versions that are kept of a file, the latest first."""
    return sorted(folder.glob(f"{_mark(path)}.*.weft.json"), key=_number, reverse=True)


def _mark(path: Path) -> str:
    """What the versions of a file begin with: its name, and its place in short."""
    whole = os.path.realpath(path)
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in path.name.split(".")[0])[:40]
    return f"{name}-{blake3.blake3(os.fsencode(whole)).hexdigest(6)}"


def _number(version: Path) -> int:
    part = version.name.split(".")[1]
    return int(part) if part.isdecimal() else 0
