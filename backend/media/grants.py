"""What may be read: a workflow from a stranger reads only below what the user has granted."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from backend.sdk import UserError
from backend.values.filenames import is_reserved

_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Grants:
    """The files and folders that may be read. ``base`` is the workflow's own folder.

    A relative path is relative to ``base``. Nothing is granted by itself, ``base`` neither:
    whoever opens a workflow says in ``roots`` what its nodes may read.
    """

    base: Path
    roots: tuple[Path, ...] = ()

    def read(self, path: str) -> Path:
        """The real path, links resolved, of a granted file or folder.

        Raises:
            UserError: it is no proper path, outside the grants, missing, or neither a regular
                file nor a folder.
        """
        found = self._locate(path)
        try:
            mode = os.stat(found).st_mode
        except OSError as error:
            raise UserError(_cannot(path, error)) from error
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UserError(f"{path!r} is neither a file nor a folder but a device or a pipe.")
        return found

    def open(self, path: str) -> BinaryIO:
        """Open a granted regular file for reading.

        What was opened is tested again, so that a link which is swapped between the test and the
        opening gives nothing away.

        Raises:
            UserError: as ``read``; also when it is a folder.
        """
        found = self._locate(path)
        try:
            handle = open_regular(found, path)
        except OSError as error:
            raise UserError(_cannot(path, error)) from error
        if not self._covers(_opened(handle, found)):
            handle.close()
            raise UserError(_outside(path))
        return handle

    def portable(self, path: str) -> str:
        """How provenance names this path: relative to ``base``, or else its bare name."""
        base = os.path.abspath(self.base)
        full = os.path.abspath(os.path.join(base, path))
        inside = full == base or full.startswith(base.rstrip(os.sep) + os.sep)
        if inside and (os.name == "nt" or not _DRIVE.match(path)):
            return Path(os.path.relpath(full, base)).as_posix()
        return PurePosixPath(path.replace("\\", "/")).name

    def _locate(self, path: str) -> Path:
        _check_form(path)
        try:
            found = Path(os.path.realpath(self.base / path))
        except (OSError, ValueError) as error:
            raise UserError(f"{path!r} is not a path that this system knows: {error}.") from error
        if not self._covers(found):
            raise UserError(_outside(path))
        return found

    def _covers(self, found: Path) -> bool:
        """Whether a real path is one of the roots or below one."""
        return any(found.is_relative_to(os.path.realpath(root)) for root in self.roots)


def open_regular(found: Path, name: str) -> BinaryIO:
    """Open a regular file, and never wait on a pipe nor wake a device.

    Raises:
        OSError: it cannot be opened.
        UserError: it is no regular file; ``name`` is what the sentence calls it.
    """
    # A Windows folder cannot be opened at all, so the answer is given before trying.
    if found.is_dir():
        raise UserError(f"{name!r} is a folder, not a file.")
    extra = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC"))
    handle = open(  # noqa: SIM115  # it is the caller's to close
        found, "rb", opener=lambda path, flags: os.open(path, flags | extra)
    )
    if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
        handle.close()
        raise UserError(f"{name!r} is not a file but a device or a pipe.")
    return handle


def _opened(handle: BinaryIO, expected: Path) -> Path:
    """Where an open file really lies, as far as the system can say."""
    try:
        return Path(os.readlink(f"/proc/self/fd/{handle.fileno()}"))
    except OSError:
        pass  # no /proc here: resolve the name once more and see that it is the same file
    again = Path(os.path.realpath(expected))
    same = os.path.samestat(os.fstat(handle.fileno()), os.stat(again))
    return again if same else Path(os.sep)


def _check_form(path: str) -> None:
    """Refuse by its text alone what must not even be looked at (a network path, a device)."""
    if not path:
        raise UserError("No file or folder is chosen. Choose one in the node's parameters.")
    if "\0" in path:
        raise UserError(f"{path!r} holds a NUL character, which no file name has.")
    if re.match(r"[\\/]{2}", path):
        raise UserError(f"{path!r} is a network or device path, which a workflow may not name.")
    parts = re.split(r"[\\/]", path)
    if (parts[0].startswith("~") and len(parts) > 1) or path == "~":
        raise UserError(
            f"{path!r}: '~' does not stand for a home folder here. Write the path relative to the "
            "workflow."
        )
    if _DRIVE.match(path) and (os.name != "nt" or not re.match(r"[A-Za-z]:[\\/]", path)):
        raise UserError(
            f"{path!r} begins with a drive letter. Write the path relative to the workflow."
        )
    for part in parts:
        if is_reserved(part):
            raise UserError(f"{path!r}: {part!r} is the name of a device on Windows, not a file.")


def _outside(path: str) -> str:
    return (
        f"{path!r} is outside what this workflow may read. Put the file beside the workflow, or "
        "grant its folder: --allow-read FOLDER on the command line, or pick the file yourself."
    )


def _cannot(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{path!r} does not exist. Paths are relative to the workflow's folder, with '/'."
    if isinstance(error, PermissionError):
        return f"{path!r} cannot be read: this user has no permission."
    return f"{path!r} cannot be read: {error.strerror or error}."
