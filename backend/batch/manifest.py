"""The manifest of a batch: what became of each job, one JSON object per line.

The first line tells what the batch is, a line ``queued`` is written before jobs are queued, and a
line ``job`` when one has ended; the last of a job counts. Lines are appended and synced. A line
that a kill has cut short is no line: it is taken away when the file is opened the next time, and
what it was to say is said again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from backend.batch.errors import BatchError, Unwritable
from backend.locks import try_lock

VERSION = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a job: ``mark`` is that under which it was queued, ``files`` paths below the
    output folder with their hashes."""

    index: int
    mark: str
    status: str
    files: tuple[tuple[str, str], ...]
    line: Mapping[str, Any]


class Told:
    """What the lines of a manifest tell.

    ``header`` is the first line, ``queued`` the marks under which jobs went into the queue with
    their places in the batch, ``last`` how each job ended the last time, ``ended`` the marks and
    places of all that have ended.
    """

    def __init__(self) -> None:
        self.header: Mapping[str, Any] | None = None
        self.queued: list[tuple[str, tuple[int, ...]]] = []
        self.last: dict[int, Ended] = {}
        self.ended: set[tuple[str, int]] = set()

    def add(self, line: Mapping[str, Any]) -> None:
        """Take in the next line.

        Raises:
            ValueError, KeyError, TypeError: it is none of a manifest.
        """
        if (line["event"] == "batch") != (self.header is None):
            raise ValueError(line["event"])
        if line["event"] == "batch":
            kinds = {"parts": dict, "draw": int, "jobs": int}
            if not all(isinstance(line[name], kind) for name, kind in kinds.items()):
                raise TypeError(line)
            self.header = line
        elif line["event"] == "queued":
            self.queued.append((str(line["mark"]), _places(line["jobs"])))
        elif line["event"] == "job":
            ended = _ended(line)
            self.last[ended.index] = ended
            self.ended.add((ended.mark, ended.index))


def whole_lines(data: bytes) -> int:
    """How many bytes of a file are whole lines; what is behind them was cut short."""
    return data.rfind(b"\n") + 1


def read(data: bytes, name: str = "the manifest") -> Told:
    """What the whole lines of a manifest tell.

    Raises:
        BatchError: a line is none of a manifest, or a newer Weft has written it.
    """
    told = Told()
    for number, written in enumerate(data[: whole_lines(data)].split(b"\n")[:-1], 1):
        try:
            line = json.loads(written)
            if line["event"] == "batch" and line["version"] > VERSION:
                raise BatchError(
                    f"{name} was written by a newer Weft. Update Weft, or write another --manifest."
                )
            told.add(line)
        except (ValueError, KeyError, TypeError):
            raise BatchError(
                f"{name}, line {number}: this is no line of a batch's manifest. Write another "
                "--manifest, or take the line out."
            ) from None
    return told


def _ended(line: Mapping[str, Any]) -> Ended:
    if not isinstance(line["values"], dict):
        raise TypeError(line)
    files = tuple((str(each["path"]), str(each["hash"])) for each in line["files"])
    return Ended(int(line["index"]), str(line["mark"]), str(line["status"]), files, line)


def spans(places: Iterable[int]) -> list[list[int]]:
    """Rising numbers as spans, both ends included, so that a long batch takes a short line."""
    found: list[list[int]] = []
    for place in places:
        if found and place == found[-1][1] + 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return found


def _places(written: Any) -> tuple[int, ...]:
    return tuple(place for low, high in written for place in range(low, high + 1))


def new_place(folder: Path) -> Path:
    """A file in a folder, called by the time it is now, that is not there yet."""
    stem = time.strftime("batch-%Y-%m-%d-%H-%M-%S")
    path, number = folder / f"{stem}.jsonl", 2
    while os.path.lexists(path):
        path, number = folder / f"{stem}-{number}.jsonl", number + 1
    return path


class Manifest:
    """An open manifest, which nobody else may write meanwhile. Close it at the end."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        """Open or make the file; a line that was cut short is taken away.

        Args:
            path: The file; its folder is made.
            new: Refuse a file that is there already.

        Raises:
            BatchError: it cannot be written, another program writes it, or it is no manifest.
        """
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from None
        try:
            self._file = os.open(path, flags | (os.O_EXCL if new else 0), 0o644)
        except FileExistsError:
            raise BatchError(f"{path} is there already. Write --resume to go on with it, or "
                             "another --manifest.") from None  # fmt: skip
        except OSError as error:
            raise _unwritable(path, error) from None
        try:
            self.told = self._begin()
        except BaseException:
            os.close(self._file)
            raise

    def _begin(self) -> Told:
        try:
            if not try_lock(self._file):
                raise BatchError(f"{self.path} is written by another program. Wait until that has "
                                 "ended, or stop it.")  # fmt: skip
            data = _all_of(self._file)
            told = read(data, self.path.name)
            if whole_lines(data) < len(data):
                os.ftruncate(self._file, whole_lines(data))
                os.fsync(self._file)
        except OSError as error:
            raise _unwritable(self.path, error) from None
        return told

    def close(self) -> None:
        """Let others write it."""
        os.close(self._file)

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Write lines behind the others; they are on the disk when this returns.

        Raises:
            BatchError: they cannot be written.
        """
        if not lines:
            return
        data = b"".join(json.dumps(line, allow_nan=False).encode() + b"\n" for line in lines)
        try:
            self._write(data)
        except OSError as error:
            raise _unwritable(self.path, error) from None
        for line in lines:
            self.told.add(line)

    def _write(self, data: bytes) -> None:
        size = os.fstat(self._file).st_size
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):  # what stands there in part is taken away later
                os.ftruncate(self._file, size)
            raise


def _all_of(file: int) -> bytes:
    os.lseek(file, 0, os.SEEK_SET)
    parts = []
    while part := os.read(file, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _unwritable(path: Path, error: OSError) -> Unwritable:
    return Unwritable(f"The manifest {path} cannot be written: {error.strerror or error}.")
