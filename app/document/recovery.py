"""What survives a crash of the studio: each open document, as it was seconds before.

Each session writes its unsaved document into a file of the recovery folder and holds that file's
lock. A file whose lock nobody holds is of a session that is dead.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.graph.document import Workflow
from backend.graph.format import FormatError, dump, parse
from backend.locks import try_lock

SUFFIX = ".recovery.json"


@dataclass(frozen=True, slots=True)
class Recovered:
    """A document that a dead session has left. ``path`` is the file it was of, or ``None``."""

    file: Path
    workflow: Workflow
    path: Path | None


class Recovery:
    """The recovery file of one session: written after edits, removed when all is saved."""

    def __init__(self, folder: Path) -> None:
        """Nothing is written before the first ``write``."""
        self._folder = folder
        self._name = secrets.token_hex(8)
        self._lock: int | None = None

    @property
    def file(self) -> Path:
        """Where the document is kept."""
        return self._folder / f"{self._name}{SUFFIX}"

    def write(self, workflow: Workflow, path: Path | None) -> None:
        """Keep a document.

        Raises:
            OSError: the folder cannot be written to.
            FormatError: the document cannot be written.
        """
        text = json.dumps({"path": None if path is None else str(path), "text": dump(workflow)})
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = os.open(self._guard, os.O_RDWR | os.O_CREAT, 0o600)
            try_lock(self._lock)
        draft = self.file.with_suffix(".tmp")
        try:
            with draft.open("w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            os.replace(draft, self.file)
        finally:
            draft.unlink(missing_ok=True)

    def clear(self) -> None:
        """All is saved, or thrown away on purpose: there is nothing to recover."""
        self.file.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self._guard.unlink(missing_ok=True)

    @property
    def _guard(self) -> Path:
        return self._folder / f"{self._name}.lock"


def recoverable(folder: Path) -> Iterator[Recovered]:
    """What dead sessions have left. Files that cannot be read stay, and are not told."""
    for file in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        if _is_alive(file):
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, FormatError):
            held = json.loads(file.read_text("utf-8"))
            path = Path(held["path"]) if held["path"] else None
            yield Recovered(file, parse(held["text"], file.name), path)


def forget(found: Recovered) -> None:
    """A document was recovered, or is not wanted."""
    found.file.unlink(missing_ok=True)
    _guard_of(found.file).unlink(missing_ok=True)


def _is_alive(file: Path) -> bool:
    try:
        descriptor = os.open(_guard_of(file), os.O_RDWR)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _guard_of(file: Path) -> Path:
    return file.with_name(file.name.removesuffix(SUFFIX) + ".lock")
