"""Intents: a record on disk of every output that is being written, so that a kill leaves no litter.

Before a temporary file is made, its name is written to an intent file in the output folder, and the
intent stays locked as long as the writer lives. The system drops the lock with the process, however
that ends. Who finds an intent that can be locked knows that its writer is dead and removes what it
names. A live writer's lock keeps everyone else away.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from backend.locks import is_at, lock, try_lock
from backend.media.trees import remove, tree_hash

SIDECAR = ".weft.json"
INTENT = re.compile(r"\.weft-[0-9a-f]{16}\.intent")
TEMPORARY = re.compile(r"\.weft-[0-9a-f]{16}\.tmp(\.[A-Za-z0-9]{1,11}){1,4}")
_LARGEST_INTENT = 1 << 20


def new_token() -> str:
    return secrets.token_hex(8)


@contextlib.contextmanager
def intent(root: Path, token: str, temporary: Sequence[Path]) -> Iterator[Intent]:
    """Record on disk that the ``temporary`` files are being written; forget it at the end.

    Raises:
        OSError: the record cannot be written.
    """
    record = Intent(root, token)
    try:
        record.note([path.relative_to(root).as_posix() for path in temporary])
        yield record
    finally:
        record.forget()


class Intent:
    """One locked intent file."""

    def __init__(self, root: Path, token: str) -> None:
        self.path = root / f".weft-{token}.intent"
        self._descriptor = _create_locked(self.path)

    def note(self, temporary: Sequence[str]) -> None:
        """Add files that may be removed when this process dies."""
        self._write([{"temporary": name} for name in temporary])

    def note_placeholder(self, name: str) -> None:
        """Add a file that may be removed when this process dies, but only while it is empty."""
        self._write([{"placeholder": name}])

    def note_sidecar(self, name: str, digest: str) -> None:
        """Add a sidecar that may be removed when this process dies, but only while it has these
        bytes and what it stands beside is not there."""
        self._write([{"sidecar": name, "hash": digest}])

    def _write(self, lines: Sequence[dict[str, str]]) -> None:
        os.write(self._descriptor, "".join(json.dumps(line) + "\n" for line in lines).encode())
        os.fsync(self._descriptor)

    def forget(self) -> None:
        """The files are where they belong: remove the record, then let go of the lock."""
        with contextlib.suppress(OSError):
            if sys.platform == "win32":  # an open file cannot be removed there
                os.close(self._descriptor)
                self.path.unlink(missing_ok=True)
            else:
                self.path.unlink(missing_ok=True)
                os.close(self._descriptor)


def clean(root: Path) -> tuple[str, ...]:
    """Remove what dead writers left below ``root``; their names, relative to it.

    Raises:
        OSError: the folder cannot be listed.
    """
    removed: list[str] = []
    with os.scandir(root) as entries:
        found = [Path(entry.path) for entry in entries if INTENT.fullmatch(entry.name)]
    for path in sorted(found):
        with contextlib.suppress(OSError):
            removed.extend(_clean_one(root, path))
    return tuple(removed)


def _clean_one(root: Path, path: Path) -> list[str]:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return []
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        if not (try_lock(descriptor) and is_at(descriptor, path)):
            return []
        removed = [
            name
            for line in os.read(descriptor, _LARGEST_INTENT).splitlines()
            if (name := _remove(root, line))
        ]
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
        return removed
    finally:
        os.close(descriptor)
        if sys.platform == "win32":
            path.unlink(missing_ok=True)


def _remove(root: Path, line: bytes) -> str:
    """Remove the file of one line of an intent; its name, or nothing when it is not there."""
    try:
        entry = json.loads(line)
        kind, name = next(iter(entry.items()))
        path = root / name
        # An intent is only a file in a folder: it must not reach anything but Weft's own litter.
        inside = Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(root))
        status = os.lstat(path)
    except (ValueError, AttributeError, StopIteration, TypeError, OSError):
        return ""
    ours = kind == "temporary" and TEMPORARY.fullmatch(path.name) is not None
    folder, file = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
    empty = kind == "placeholder" and (folder or status.st_size == 0)
    alone = kind == "sidecar" and inside and file and _is_alone(path, entry.get("hash"))
    if not (inside and (folder or file) and (ours or empty or alone)):
        return ""
    if ours:
        remove(path)
    elif folder:
        try:
            path.rmdir()  # refuses where something is in it
        except OSError:
            return ""
    else:
        path.unlink(missing_ok=True)
    return str(name)


def _is_alone(sidecar: Path, digest: object) -> bool:
    """Whether this is the sidecar that was noted, of a file that never came to stand beside it."""
    return (
        sidecar.name.endswith(SIDECAR)
        and not os.path.lexists(sidecar.with_name(sidecar.name.removesuffix(SIDECAR)))
        and tree_hash(sidecar) == digest
    )


def _create_locked(path: Path) -> int:
    """Create a file and lock it, with no moment in which a cleaner could take it for a dead one."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Where the file system has no locks, a cleaner gets none either and removes nothing.
            with contextlib.suppress(OSError):
                lock(descriptor)
            if is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # a cleaner came between the two and removed it: make it again
