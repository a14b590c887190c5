"""Outputs into the trash, and back."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QFile

from backend.media.outputs import sidecar_of

OWN = ".weft-trash"
"""A folder in the output folder, for file systems that have no trash."""


@dataclass(frozen=True, slots=True)
class Trashed:
    """A file that was deleted: where it was, and where it lies; with it its sidecar."""

    was: Path
    lies: Path
    beside: Trashed | None = None

    @property
    def is_own(self) -> bool:
        """Whether it lies in Weft's own folder and not in the trash of the system."""
        return self.lies.parent.name == OWN


def put_away(path: Path, root: Path) -> Trashed:
    """Move an output below ``root`` into the system's trash; where its file system has none, into
    the folder ``OWN``.

    Raises:
        OSError: it cannot be moved; then it stays.
    """
    gone = _put_away(path, root)
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        return gone
    try:
        return Trashed(gone.was, gone.lies, _put_away(sidecar, root))
    except OSError:
        put_back(gone)
        raise


def put_back(gone: Trashed) -> None:
    """Bring a file back to where it was.

    Raises:
        OSError: it is no longer in the trash, or its place is taken.
    """
    if os.path.lexists(gone.was):
        raise FileExistsError(17, "another file has its name now", str(gone.was))
    gone.was.parent.mkdir(parents=True, exist_ok=True)
    if gone.beside is not None:
        put_back(gone.beside)
    shutil.move(gone.lies, gone.was)
    if gone.lies.parent.name == "files":  # freedesktop.org's trash notes each file beside it
        note = gone.lies.parent.parent / "info" / f"{gone.lies.name}.trashinfo"
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)


def to_system_trash(path: Path) -> Path | None:
    """Move a file into the trash of the system and tell where it lies there; ``None`` where there
    is none for its file system, or it does not tell."""
    file = QFile(str(path))
    if file.moveToTrash() and not path.exists():
        return Path(file.fileName()) if file.fileName() else None
    return None


def _put_away(path: Path, root: Path) -> Trashed:
    if not path.is_file():
        raise FileNotFoundError(2, os.strerror(2), str(path))
    lies = to_system_trash(path)
    if lies is not None:
        return Trashed(path, lies)
    own = root / OWN
    own.mkdir(exist_ok=True)
    lies = own / f"{secrets.token_hex(4)}-{path.name}"
    path.rename(lies)
    return Trashed(path, lies)
