"""The output folder: nothing is written outside it, overwritten by accident, or left half done.

Protocol of one file: the intent is recorded and synced; a temporary file is written in the folder
of its later name and synced; it is put under its name in one step; the folder is synced. Only then
is the file reported as saved. See ``docs/files.md``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from backend.media.journal import SIDECAR, Intent, clean, intent, new_token
from backend.media.names import Field, OutputName, fill
from backend.media.trees import claim_folder, remove, sync_folder, sync_tree, tree_hash
from backend.sdk import Saved, UserError
from backend.values import FramesGone

OVERWRITE = ("number", "replace", "refuse")
_LAST_NUMBER = 10**9
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


def sidecar_of(path: Path) -> Path:
    """Where the provenance of a file stands when it is too long for the file itself."""
    return path.with_name(path.name + SIDECAR)


class Slot(Protocol):
    """The place of one output in a job that is begun again when a kill has ended it."""

    def noted(self) -> Saved | None:
        """What an earlier attempt was about to put here, or had put."""

    def note(self, saved: Saved, own: bool) -> bool:
        """Note on disk what is about to stand here; false when the name is another output's, and
        ``own`` says that it may not be."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One file on its way: its folder, the temporary file, and how it may be called."""

    root: Path
    folder: Path
    temporary: Path
    name: OutputName
    suffix: str
    overwrite: Literal["number", "replace", "refuse"]
    slot: Slot | None

    def target(self, counter: int) -> Path:
        return self.folder / (self.name.stem(counter) + self.suffix)

    def note(self, counter: int, digest: str) -> bool:
        """Note in the slot, if there is one, that the file is about to get this name."""
        if self.slot is None:
            return True
        replaces = self.overwrite == "replace" and not self.name.counted
        name = self.target(counter).relative_to(self.root).as_posix()
        return self.slot.note(Saved(name, digest), own=not replaces)


class OutputFolder:
    """The one folder that a run writes to. Threads and processes may share it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._next: dict[tuple[Path, str, str, str], int] = {}  # the counters reached so far
        self._cleaned = False
        self._lock = threading.Lock()

    def save(
        self,
        name: str,
        suffix: str,
        write: Callable[[Path], None],
        *,
        overwrite: str = "number",
        fields: Mapping[str, Field] | None = None,
        slot: Slot | None = None,
    ) -> Saved:
        """Write one output file.

        Args:
            name: A name template (grammar in ``backend.media.names``); ``/`` makes folders.
            suffix: ``.png`` and the like.
            write: Fills the temporary file it is given. A sidecar that it leaves beside that
                file (``sidecar_of``) is kept beside the output.
            overwrite: When the name is taken, ``number`` finds another (``{counter}``, or a
                number behind the name), ``replace`` writes over it, ``refuse`` raises. A name with
                ``{counter}`` always gets the next free number.
            fields: What the template may use, beside ``counter``, ``date`` and ``time``.
            slot: Where an earlier attempt may have noted this output; what stands as noted is
                taken as saved, and ``write`` is not called.

        Raises:
            UserError: the name is not allowed or taken, or the file cannot be written. Whatever
                else ``write`` raises passes through. In every case nothing is left behind.
        """
        if overwrite not in OVERWRITE:
            raise UserError(f"Overwrite is one of {', '.join(OVERWRITE)}, not {overwrite!r}.")
        if not re.fullmatch(r"(\.[A-Za-z0-9]{1,11}){1,2}", suffix):
            raise UserError(f"{suffix!r} is no file suffix. Write one such as '.png'.")
        if name.lower().endswith(suffix.lower()):
            name = name[: -len(suffix)]
        return self._named(name, suffix, write, overwrite, fields or {}, slot)

    def save_folder(
        self,
        name: str,
        write: Callable[[Path], None],
        *,
        overwrite: str = "number",
        fields: Mapping[str, Field] | None = None,
        slot: Slot | None = None,
    ) -> Saved:
        """Write one output folder, whole or not at all.

        As ``save``, but ``write`` fills an empty temporary folder, and ``overwrite`` is ``number``
        or ``refuse``: a folder that is there is never replaced.

        Raises:
            UserError: as ``save``.
        """
        if overwrite not in ("number", "refuse"):
            raise UserError(f"For a folder overwrite is number or refuse, not {overwrite!r}.")

        def fill_folder(path: Path) -> None:
            path.mkdir()
            write(path)

        return self._named(name, "", fill_folder, overwrite, fields or {}, slot)

    def _named(
        self,
        name: str,
        suffix: str,
        write: Callable[[Path], None],
        overwrite: str,
        fields: Mapping[str, Field],
        slot: Slot | None,
    ) -> Saved:
        noted = slot.noted() if slot is not None else None
        if noted is not None and self._stands(noted):
            return noted
        now = time.localtime()
        given = {"date": time.strftime("%Y-%m-%d", now), "time": time.strftime("%H-%M-%S", now)}
        parts = fill(name, {**given, **fields})
        made: list[Path] = []
        try:
            return self._save(parts, suffix, overwrite, write, made, slot)
        except FramesGone as error:  # what it was to be written from, and not the output
            raise UserError(str(error)) from error
        except OSError as error:
            shown = "/".join((*parts.folders, parts.stem(1) + suffix))
            raise UserError(_cannot(shown, self.root, error)) from error
        finally:
            for folder in reversed(made):  # folders that came to hold nothing
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def holds(self, saved: Saved) -> bool:
        """Whether a saved file is still there with the same bytes."""
        try:
            root = Path(os.path.realpath(self.root))
            path = Path(os.path.realpath(root / saved.path))
            mode = os.stat(path).st_mode
            sound = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
            if not path.is_relative_to(root) or not sound:
                return False
            return tree_hash(path) == saved.hash
        except (OSError, ValueError):
            return False

    def clean(self) -> tuple[str, ...]:
        """Remove what killed processes left half written here; the names of what was removed.

        Files of processes that are alive stay. The first save does it too.
        """
        with self._lock:
            self._cleaned = True
        try:
            return clean(Path(os.path.realpath(self.root)))
        except OSError:
            return ()  # there is no such folder yet, or saving will say what is wrong with it

    def _save(
        self,
        name: OutputName,
        suffix: str,
        overwrite: str,
        write: Callable[[Path], None],
        made: list[Path],
        slot: Slot | None,
    ) -> Saved:
        _make_folders(self.root, made)
        if not self._cleaned:
            self.clean()
        root = Path(os.path.realpath(self.root))
        folder = _confined(root, name.folders, made)
        token = new_token()
        temporary = folder / f".weft-{token}.tmp{suffix or '.folder'}"
        job = _Job(root, folder, temporary, name, suffix, overwrite, slot)  # type: ignore[arg-type]
        if overwrite == "refuse" and not name.counted and os.path.lexists(job.target(1)):
            raise _taken(root, job.target(1))
        with intent(root, token, (temporary, sidecar_of(temporary))) as record:
            try:
                write(temporary)
                sync_tree(temporary)
                digest = tree_hash(temporary)
                if sidecar_of(temporary).exists():
                    sync_tree(sidecar_of(temporary))
                target = self._commit(job, record, digest)
            finally:
                for path in (temporary, sidecar_of(temporary)):
                    with contextlib.suppress(OSError):
                        remove(path)
        sync_folder(folder)
        return Saved(target.relative_to(root).as_posix(), digest)

    def _stands(self, noted: Saved) -> bool:
        """Whether an earlier attempt got as far as to put this output under its name."""
        if not self._cleaned:
            self.clean()
        return self.holds(noted)

    def _commit(self, job: _Job, record: Intent, digest: str) -> Path:
        if job.overwrite == "replace" and not job.name.counted:
            job.note(1, digest)
            return _replace(job)
        key = (job.folder, job.name.before, job.name.after, job.suffix)
        with self._lock:
            counter = self._next.get(key, 0)
        refused = job.overwrite == "refuse" and not job.name.counted
        counter = counter or (1 if refused else _first_free(job))
        while not (job.note(counter, digest) and _place(job, counter, record)):
            if refused:
                raise _taken(job.root, job.target(1))
            counter += 1
        with self._lock:
            if job.name.counted:
                self._next[key] = max(self._next.get(key, 0), counter + 1)
        return job.target(counter)


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it; note which are new, outermost first."""
    missing: list[Path] = []
    at = folder
    while not os.path.lexists(at):
        missing.append(at)
        at = at.parent
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process was as quick
            path.mkdir()
            made.append(path)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def _confined(root: Path, folders: tuple[str, ...], made: list[Path]) -> Path:
    """The real folder of an output, made where it is missing, and never outside ``root``."""
    at = root
    for part in folders:
        at = Path(os.path.realpath(at / part))
        if not at.is_relative_to(root):
            raise UserError(
                f"The folder {'/'.join(folders)!r} in the output folder leads outside by a link. "
                "Outputs go below the output folder only; choose another name."
            )
        _make_folders(at, made)
    return at


def _first_free(job: _Job) -> int:
    """The counter after the highest one in use, or 1."""
    before, after = re.escape(job.name.before), re.escape(job.name.after)
    number = r"([0-9]{1,9})" if job.name.counted else r"-([0-9]{1,9})"
    pattern = re.compile(before + number + after + re.escape(job.suffix), re.IGNORECASE)
    if not job.name.counted and not os.path.lexists(job.target(1)):
        return 1
    with os.scandir(job.folder) as entries:
        found = (pattern.fullmatch(entry.name) for entry in entries)
        highest = max((int(match[1]) for match in found if match), default=0)
    return max(highest, 0 if job.name.counted else 1) + 1


def _place(job: _Job, counter: int, record: Intent) -> bool:
    """Put the temporary file under a name that is free; false when it is taken by now."""
    if counter > _LAST_NUMBER:
        raise UserError(f"The numbers for {job.target(1).name!r} are used up. Choose another name.")
    target = job.target(counter)
    beside = sidecar_of(job.temporary)
    has_sidecar = beside.exists()
    if os.path.lexists(sidecar_of(target)) or os.path.lexists(target):
        return False
    # The sidecar goes first: a picture is never there without its provenance.
    if has_sidecar:
        beside_target = sidecar_of(target).relative_to(job.root).as_posix()
        record.note_sidecar(beside_target, tree_hash(beside))
    if has_sidecar and not _claim(beside, sidecar_of(target), job.root, record):
        return False
    if _claim(job.temporary, target, job.root, record):
        return True
    if has_sidecar:
        sidecar_of(target).unlink(missing_ok=True)
    return False


def _claim(source: Path, target: Path, root: Path, record: Intent) -> bool:
    """Give a file or folder its name in one step, or false when something has it already."""
    if source.is_dir():
        record.note_placeholder(target.relative_to(root).as_posix())
        return claim_folder(source, target)
    try:
        if os.name == "nt":
            os.rename(source, target)  # never replaces there
            return True
        os.link(source, target, follow_symlinks=False)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    # No hard links on this file system: reserve the name by an empty file, then rename over that.
    record.note_placeholder(target.relative_to(root).as_posix())
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        return False
    try:
        os.replace(source, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return True


def _replace(job: _Job) -> Path:
    target = job.target(1)
    if target.is_dir() and not target.is_symlink():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    beside = sidecar_of(job.temporary)
    if beside.exists():
        os.replace(beside, sidecar_of(target))
        os.replace(job.temporary, target)
    else:
        # It tells of the picture that goes; a kill must not leave it beside the new one.
        sidecar_of(target).unlink(missing_ok=True)
        os.replace(job.temporary, target)
    return target


def _taken(root: Path, target: Path) -> UserError:
    return UserError(
        f"{target.relative_to(root).as_posix()!r} is already in the output folder. Choose another "
        "name, or set overwrite to 'number' or 'replace'."
    )


def _cannot(name: str, root: Path, error: OSError) -> str:
    reasons = {
        errno.ENOSPC: "the disk is full. Free some space or choose another output folder",
        errno.EDQUOT: "the disk quota is used up. Free some space or choose another output folder",
        errno.EFBIG: "the file is larger than this system allows",
        errno.EROFS: "the folder is read-only. Choose another output folder",
        errno.EACCES: "this user may not write there. Choose another output folder",
        errno.EPERM: "this user may not write there. Choose another output folder",
        errno.ENOTDIR: "a file stands where a folder is needed. Choose another name or folder",
        errno.EISDIR: "a folder has that name. Choose another name",
        errno.ENAMETOOLONG: "the name is too long. Shorten it",
    }
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return f"{name!r} could not be saved in {str(root)!r}: {reason}."
