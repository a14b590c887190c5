"""Reading weights out of their files, in chunks, into memory of their own.

Files are read and never mapped: a mapped file that is cut short while it is used ends the process,
and its pages come and go behind the back of every plan.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from backend.catalog.errors import CatalogError
from backend.memory.buffers import Buffers
from backend.memory.stored import Stored

CHUNK = 16 * 2**20
"""Bytes that are read between two looks at whether to go on."""
THREADS = min(4, os.cpu_count() or 1)
"""Threads that read one set of weights: one alone does not fill new pages as fast as a disk cache
gives them."""
GAP = 64 * 2**10
"""Bytes between two weights up to which they are read in one go."""
RUN = 512 * 2**20
"""Bytes from which on a buffer is not added to: it is free only when all its weights are."""
ALIGNED = 64

Check = Callable[[], None]
"""Raises if what is being done should end."""


def go_on() -> None:
    """The check of what nobody can cancel."""


@dataclass(frozen=True)
class Face:
    """What tells a file from the one that came in its place."""

    size: int
    time: int
    number: int

    @classmethod
    def of(cls, about: os.stat_result) -> Face:
        return cls(about.st_size, about.st_mtime_ns, about.st_ino)


@dataclass(frozen=True)
class _Job:
    """Bytes from ``offset`` of a file on, into ``place``."""

    file: Path
    offset: int
    place: memoryview


class Source:
    """The files of one module's weights, as they were when their headers were read.

    Safe to read from in several threads at once.

    Args:
        faces: Each file as it was before its header was read (``faces_of``).
        buffers: What gives the memory.
    """

    def __init__(self, faces: Mapping[Path, Face], buffers: Buffers | None = None) -> None:
        self._faces = dict(faces)
        self.buffers = buffers or Buffers()

    def one(self, stored: Stored) -> Tensor:
        """The bytes of one weight, ``[nbytes]`` uint8.

        Raises:
            CatalogError: as in ``read``.
        """
        return self.read({"": stored})[""]

    def read(
        self,
        wanted: Mapping[str, Stored],
        check: Check = go_on,
        buffers: Buffers | None = None,
    ) -> dict[str, Tensor]:
        """The bytes of several weights by name, each ``[nbytes]`` uint8.

        Weights that lie beside each other share a buffer, which lasts as long as any of them.

        Args:
            wanted: The weights.
            check: Called between chunks, in this thread; what it raises ends the reading.
            buffers: What gives the memory, if not that of the source.

        Raises:
            CatalogError: a file was cut short, changed or replaced since its header was read, or
                cannot be read.
        """
        buffers = buffers or self.buffers
        found: dict[str, Tensor] = {}
        jobs: list[_Job] = []
        for names, start, stop in _runs(wanted):
            whole = buffers.take(stop - start + start % ALIGNED)[start % ALIGNED :]
            jobs.append(_Job(wanted[names[0]].file, start, _bytes_of(whole)))
            for name in names:
                offset = wanted[name].ranges[0][0] - start
                found[name] = whole[offset : offset + wanted[name].nbytes]
        for name, stored in wanted.items():
            if len(stored.ranges) != 1:
                found[name] = whole = buffers.take(stored.nbytes)
                place = 0
                for offset, length in stored.ranges:
                    part = _bytes_of(whole)[place : place + length]
                    jobs.append(_Job(stored.file, offset, part))
                    place += length
        self._fill(jobs, check)
        return found

    def cost(self, wanted: Mapping[str, Stored], buffers: Buffers) -> int:
        """Bytes of memory that what ``read`` gives takes at the most."""
        runs = sum(buffers.cost(stop - start + start % ALIGNED) for _, start, stop in _runs(wanted))
        apart = (stored.nbytes for stored in wanted.values() if len(stored.ranges) != 1)
        return runs + sum(buffers.cost(nbytes) for nbytes in apart)

    def unchanged(self, wanted: Iterable[Stored]) -> None:
        """See that the files of weights are still those whose headers were read.

        Raises:
            CatalogError: one was cut, changed or replaced, or is gone.
        """
        for file in {stored.file for stored in wanted}:
            _same_now(file, self._faces[file])

    def _fill(self, jobs: list[_Job], check: Check) -> None:
        files = sorted({job.file for job in jobs})
        with ExitStack() as stack:
            handles = {file: stack.enter_context(_Open(file, self._faces[file])) for file in files}
            chunks = [chunk for job in jobs for chunk in _chunks(job)]
            if len(chunks) == len(jobs) and sum(len(c.place) for c in chunks) <= CHUNK:
                for chunk in chunks:
                    handles[chunk.file].read(chunk)
                check()
            else:
                _in_threads(chunks, handles, check)
            for handle in handles.values():
                handle.still_there()


def faces_of(files: Iterable[Path]) -> dict[Path, Face]:
    """How files look now; to be taken before their headers are read.

    Raises:
        CatalogError: one is missing.
    """
    try:
        return {file: Face.of(file.stat()) for file in files}
    except OSError as error:
        raise _unread(Path(error.filename), error) from error


class _Open:
    """One file, open for reading at any place, from any thread."""

    def __init__(self, file: Path, face: Face) -> None:
        self._file, self._face = file, face
        self._lock = threading.Lock()

    def __enter__(self) -> _Open:
        try:
            self._handle = self._file.open("rb", buffering=0)
            if hasattr(os, "posix_fadvise"):  # the system reads ahead, twice as fast from a disk
                os.posix_fadvise(self._handle.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        except OSError as error:
            raise _unread(self._file, error) from error
        try:
            _same(self._file, os.fstat(self._handle.fileno()), self._face)
        except BaseException:
            self._handle.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def read(self, job: _Job) -> None:
        """Fill the place of a job.

        Raises:
            CatalogError: the file ends before that, or cannot be read.
        """
        place, offset = job.place, job.offset
        try:
            while place:
                count = self._some(place, offset)
                if not count:
                    raise _cut(self._file)
                place, offset = place[count:], offset + count
        except OSError as error:
            raise _unread(self._file, error) from error

    def _some(self, place: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._handle.fileno(), [place], offset)
        with self._lock:  # Windows has one place per open file
            self._handle.seek(offset)
            return self._handle.readinto(place) or 0

    def still_there(self) -> None:
        """Raises a CatalogError if the file is no longer the one whose header was read."""
        _same(self._file, os.fstat(self._handle.fileno()), self._face)
        _same_now(self._file, self._face)


def _same_now(file: Path, face: Face) -> None:
    try:
        about = file.stat()
    except OSError as error:
        raise _unread(file, error) from error
    _same(file, about, face)


def _same(file: Path, about: os.stat_result, face: Face) -> None:
    now = Face.of(about)
    if now.size < face.size:
        raise _cut(file)
    if now != face:
        raise CatalogError(
            f"{file} was changed or replaced while its weights were being read. Wait "
            "until nothing writes to it any more, and run again."
        )


def _in_threads(chunks: list[_Job], handles: Mapping[Path, _Open], check: Check) -> None:
    """Read chunks by several threads, a few ahead of the check."""
    pending: set[Future[None]] = set()
    with ThreadPoolExecutor(THREADS, "weights") as pool:
        try:
            for chunk in chunks:
                check()
                while len(pending) > THREADS:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    for each in done:
                        each.result()
                pending.add(pool.submit(handles[chunk.file].read, chunk))
            for each in pending:
                each.result()
            check()
        finally:
            for each in pending:
                each.cancel()


def _runs(wanted: Mapping[str, Stored]) -> Iterator[tuple[list[str], int, int]]:
    """Weights of one range each, gathered where they lie beside each other: their names, where the
    first begins and where the last ends."""
    single = [name for name, stored in wanted.items() if len(stored.ranges) == 1]
    single.sort(key=lambda name: (wanted[name].file, wanted[name].ranges))
    names: list[str] = []
    file, start, stop = Path(), 0, 0
    for name in single:
        stored = wanted[name]
        ((offset, length),) = stored.ranges
        near = names and file == stored.file and offset - stop <= GAP
        if near and max(stop, offset + length) - start <= RUN:
            names.append(name)
            stop = max(stop, offset + length)
            continue
        if names:
            yield names, start, stop
        names, file, start, stop = [name], stored.file, offset, offset + length
    if names:
        yield names, start, stop


def _chunks(job: _Job) -> Iterator[_Job]:
    for at in range(0, len(job.place), CHUNK):
        yield _Job(job.file, job.offset + at, job.place[at : at + CHUNK])


def _bytes_of(buffer: Tensor) -> memoryview:
    return buffer.numpy().data


def _cut(file: Path) -> CatalogError:
    return CatalogError(
        f"{file} was cut short while its weights were being read. Download or copy the file again."
    )


def _unread(file: Path, error: OSError) -> CatalogError:
    return CatalogError(
        f"{file} cannot be read ({error.strerror}). Check that the file exists and may be read."
    )
