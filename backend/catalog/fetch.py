"""Getting one model file: resumed where it stopped, checked, and put in place whole.

While a file comes in it is called ``NAME.part``, and ``NAME.part.json`` beside it says what it is a
part of. A part is only gone on with when the server says that the file is still the same (Range
with If-Range on a strong ETag).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from backend.catalog.components import read_json
from backend.catalog.disguise import is_pickle
from backend.catalog.errors import CatalogError
from backend.catalog.gguf import read_gguf
from backend.catalog.header import read_header
from backend.catalog.web import CUT, Answer, Hub, asked

CHUNK = 1 << 20
MARGIN = 64 * 2**20
"""Bytes that stay free on a disk."""
LOOK = 64
"""Chunks after which the free space is looked at again."""
MAX_SMALL = 64 * 2**20
"""Bytes of a file that holds no weights."""
TRIES = 5
_SHA256 = re.compile(r'"?([0-9a-f]{64})"?')
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

Progress = Callable[[int, int], None]
"""Hears how many bytes are there, and how many there will be (0 where nobody knows)."""


def free_space(folder: Path) -> int:
    """Bytes that may still be written to the disk of a folder."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Fetcher:
    """How files are got: from which hub, with which eyes on progress and on the disk."""

    hub: Hub
    progress: Progress | None = None
    free: Callable[[Path], int] = free_space

    def fetch(self, url: str, target: Path, sha256: str = "") -> str:
        """Get ``url`` as ``target`` and return the SHA-256 of what was got.

        A ``sha256`` that is given, or else the one that the hub names, must be that of the file.

        Raises:
            CatalogError: it cannot be had, is not what it should be, or does not fit on the disk.
                What came in stays for the next time where that can help.
        """
        if sha256 and not _SHA256.fullmatch(sha256.lower()):
            raise CatalogError(f"{sha256!r} is no SHA-256: that has 64 hexadecimal digits.")
        if os.path.lexists(target):
            raise CatalogError(f"{target} is there already. Delete it first to get it again.")
        part = _Part(url, target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.locked():
                return self._whole(part, sha256.lower())
        except OSError as error:
            raise _unwritable(error, target) from error

    def _whole(self, part: _Part, sha256: str) -> str:
        for attempt in range(1, TRIES + 1):
            before = part.size
            try:
                expected = self._receive(part)
            except _Cut as cut:
                # A connection that brought something and broke is worth another try at once.
                if attempt == TRIES or (part.size <= before and not cut.anew):
                    going = "to go on from there" if part.conditions() else "to begin anew"
                    raise CatalogError(
                        f"{part.url} broke off after {part.size} bytes ({cut}). Run the same "
                        f"command again {going}."
                    ) from None
                continue
            break
        part.check(sha256 or expected)
        return part.finish()

    def _receive(self, part: _Part) -> str:
        """Receive all that is missing; the SHA-256 that the hub names, if it does."""
        headers = part.conditions()
        with asked(part.url, self.hub, headers) as answer:
            if answer.status == 416:
                if answer.headers.get("content-range", "") == f"bytes */{part.size}":
                    return _linked_hash(answer)  # all of it was there already
                part.discard()
                raise _Cut("the part was longer than the file", anew=True)
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise CatalogError(f"{part.url} comes compressed, which was not asked for.")
            start = _start(answer, headers, part)
            total = _total(answer, start)
            part.begin(answer, start, total)
            self._check_space(part, total - start if total else 0)
            self._copy(part, answer.body, total)
            return _linked_hash(answer)

    def _copy(self, part: _Part, body: IO[bytes], total: int) -> None:
        with part.opened() as file:
            size, chunks = part.size, 0
            while True:
                try:
                    data = body.read(CHUNK)
                except CUT as error:
                    raise _Cut(str(error) or type(error).__name__) from None
                if not data:
                    break
                if size < 16:
                    part.look_at(data)
                file.write(data)
                size, chunks = size + len(data), chunks + 1
                if not part.has_weights and size > MAX_SMALL:
                    part.discard()
                    raise CatalogError(f"{part.url} is larger than {MAX_SMALL} bytes; refused.")
                if chunks % LOOK == 0:
                    self._check_space(part, total - size if total else 0)
                if self.progress is not None:
                    self.progress(size, total)
        if total and size < total:
            raise _Cut(f"{total - size} bytes are missing")

    def _check_space(self, part: _Part, missing: int) -> None:
        free = self.free(part.target.parent)
        if free < missing + MARGIN:
            raise CatalogError(
                f"{part.target.parent} has {free / 2**30:.2f} GB free, and {part.target.name} "
                f"needs {missing / 2**30:.2f} GB more and some to spare. Make space, then run the "
                "same command again."
            )


class _Cut(Exception):
    """The connection ended before the file did; ``anew`` where nothing can be kept."""

    def __init__(self, why: str, *, anew: bool = False) -> None:
        super().__init__(why)
        self.anew = anew


class _Part:
    """What there is of a file, and the note beside it."""

    def __init__(self, url: str, target: Path) -> None:
        self.url = url
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")
        self.has_weights = target.suffix in (".safetensors", ".gguf")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def locked(self) -> _Lock:
        return _Lock(self.target.with_name(self.target.name + ".lock"))

    def conditions(self) -> dict[str, str]:
        """The headers that ask for the rest of an unchanged file; none to ask for all."""
        told = self._told()
        if not self.size or told.get("url") != self.url or not told.get("etag"):
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": str(told["etag"])}

    def begin(self, answer: Answer, start: int, total: int) -> None:
        """Keep what is there up to ``start``, and note what the rest belongs to."""
        etag = answer.headers.get("etag", "")
        told = {"url": self.url, "etag": "" if etag.startswith("W/") else etag, "size": total}
        with self.path.open("ab") as file:
            file.truncate(start)
        self.note.write_text(json.dumps(told), encoding="utf-8")

    def opened(self) -> IO[bytes]:
        return self.path.open("ab")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def look_at(self, start: bytes) -> None:
        """Refuse a pickle as soon as its beginning is there.

        Raises:
            CatalogError: it is one.
        """
        if is_pickle(start[:16]):
            self.discard()
            raise CatalogError(
                f"{self.url} is a pickle in spite of its name; those can run code when they are "
                "read, so it is refused. Get the model's safetensors or GGUF version."
            )

    def check(self, sha256: str) -> None:
        """Hash the whole file, and read its header as a loader would.

        Raises:
            CatalogError: it is not the file that was wanted, or not sound; it is deleted.
        """
        with self.path.open("rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 and self.sha256 != sha256:
            self.discard()
            raise CatalogError(
                f"{self.url} has the SHA-256 {self.sha256}, and {sha256} was wanted: it is another "
                "file, or was damaged on its way. It was deleted."
            )
        try:
            if self.target.suffix == ".safetensors":
                read_header(self.path)
            elif self.target.suffix == ".gguf":
                read_gguf(self.path, any_type=True)
            elif self.target.suffix == ".json":
                read_json(self.path)
        except CatalogError as error:
            self.discard()
            raise CatalogError(f"What {self.url} gave was deleted: {error}") from error

    def finish(self) -> str:
        """Put the file in its place, whole."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self.target)
        self.note.unlink(missing_ok=True)
        return self.sha256

    def _told(self) -> dict[str, Any]:
        try:
            found = json.loads(self.note.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


class _Lock:
    """Only one process at a time gets a file; the lock ends with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._file = self._path.open("ab")
        try:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: two processes would only repeat each other's work
            pass
        except OSError:
            self._file.close()
            raise CatalogError(
                f"Another process is getting {self._path.name.removesuffix('.lock')} just now. "
                "Wait until it has ended."
            ) from None

    def __exit__(self, *_: object) -> None:
        if os.name == "nt":  # an open file cannot be removed there
            self._file.close()
        self._path.unlink(missing_ok=True)
        self._file.close()


def _start(answer: Answer, headers: dict[str, str], part: _Part) -> int:
    """Where the body begins: 0 where the server sends the whole file, whatever was asked."""
    if answer.status != 206:
        return 0
    if answer.headers.get("etag", "") not in ("", headers.get("If-Range", "")):
        part.discard()
        raise _Cut("the file on the server is another one now", anew=True)
    given = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if not headers or given is None or int(given[1]) != part.size:
        raise CatalogError(f"{part.url} sent another piece than was asked for. Try again later.")
    return int(given[1])


def _total(answer: Answer, start: int) -> int:
    """The size of the whole file; 0 where the server does not say."""
    length = answer.headers.get("content-length", "")
    return start + int(length) if _LENGTH.fullmatch(length) else 0


def _linked_hash(answer: Answer) -> str:
    match = _SHA256.fullmatch(answer.linked.get("x-linked-etag", ""))
    return match[1] if match else ""


def _unwritable(error: OSError, target: Path) -> CatalogError:
    if error.errno == errno.ENOSPC:
        return CatalogError(f"The disk of {target} is full. Make space, then run it again.")
    return CatalogError(f"{target} cannot be written ({error.strerror}). Choose another --into.")
