"""The files of an output folder: listed, searched, and marked as kept."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.media.journal import SIDECAR

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"})
MOST = 20_000
"""Files that are listed, the newest of them."""
_LONGEST = 100_000


@dataclass(frozen=True, slots=True)
class Output:
    """A file below the output folder; ``name`` is its path there with ``/``."""

    name: str
    path: Path
    size: int
    time_ns: int

    @property
    def is_picture(self) -> bool:
        """Whether its name is that of a picture, so that it may have a thumbnail."""
        return self.path.suffix.lower() in PICTURES


def outputs_in(folder: Path) -> tuple[Output, ...]:
    """The files below a folder, newest first; hidden ones, links and sidecars are left out.

    A folder that is not there has none.
    """
    found: list[Output] = []
    for at, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in files:
            if name.startswith(".") or name.endswith(SIDECAR):
                continue
            path = Path(at, name)
            with contextlib.suppress(OSError):  # removed since it was listed
                told = path.lstat()
                if path.is_file() and not path.is_symlink():
                    short = path.relative_to(folder).as_posix()
                    found.append(Output(short, path, told.st_size, told.st_mtime_ns))
    found.sort(key=lambda each: (-each.time_ns, each.name))
    return tuple(found[:MOST])


def words_in(path: Path) -> str:
    """What a search looks through beside the name: seeds, models, and the texts of its workflow,
    in small letters. Empty for a file that tells nothing."""
    from app.viewer.provenance import read_told
    from backend.sdk import UserError

    try:
        told = read_told(path)
    except UserError:
        return ""
    parts = [words for _, words in told.rows]
    with contextlib.suppress(ValueError, RecursionError):  # a file may tell anything
        parts += _texts(json.loads(told.workflow))
    return " ".join(parts).lower()[:_LONGEST]


def matches(asked: str, *texts: str) -> bool:
    """Whether every word that is asked for is in one of the texts."""
    return all(any(word in text for text in texts) for word in asked.lower().split())


def _texts(workflow: Any) -> list[str]:
    """The title of a workflow, and what its parameters say in words."""
    found: list[str] = []
    waiting: list[tuple[Any, bool]] = [(workflow, False)]
    while waiting:
        at, is_params = waiting.pop()
        if isinstance(at, dict):
            for key, value in at.items():
                told = isinstance(value, str) and (is_params or key in ("title", "about"))
                if told:
                    found.append(value)
                waiting.append((value, key == "params"))
        elif isinstance(at, list):
            waiting += [(each, is_params) for each in at]
    return found


class Kept:
    """The names of outputs that the user wants to keep, in a small file of their own."""

    def __init__(self, path: Path) -> None:
        """What is no such file keeps nothing."""
        self._path = path
        self._names: set[str] = set()
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(path.read_text("utf-8"))
            if isinstance(told, list):
                self._names = {each for each in told if isinstance(each, str)}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)

    def mark(self, names: Iterable[str], kept: bool) -> None:
        """Keep these, or no longer.

        Raises:
            OSError: it cannot be written; then nothing has changed.
        """
        given = set(names)
        wanted = self._names | given if kept else self._names - given
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        beside.write_text(json.dumps(sorted(wanted), indent=1) + "\n", "utf-8")
        os.replace(beside, self._path)
        self._names = wanted
