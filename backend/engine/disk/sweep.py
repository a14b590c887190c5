"""Keeping the disk cache's folder and its index of one mind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.engine.disk.entry import (
    FILE,
    PART,
    Broken,
    check_frames,
    read_entry,
    read_label,
    remove_entry,
    result_of,
)
from backend.engine.disk.index import Index, New, Totals
from backend.media.journal import INTENT, clean

REMEMBERED = 200_000
"""How many results are known by their digests alone."""


@dataclass(frozen=True, slots=True)
class Verified:
    """``sound`` entries have the bytes that were written; ``broken`` ones were removed, and so
    were ``orphans``: files that no entry has."""

    sound: int
    broken: int
    orphans: int


def sweep(folder: Path, index: Index, budget: int) -> int:
    """Remove the files that killed processes left, and what is above the budget; how many orphans.

    Files of processes that are alive stay: each holds a locked intent, which the system unlocks
    with the process.

    Raises:
        OSError: the folder cannot be listed.
        sqlite3.Error: the index cannot be written to.
    """
    # The order matters: a file seen now is in the index by the time that is read, or its writer
    # was alive after the file was seen, or nobody will ever name it.
    found = sorted(_tokens(folder))
    clean(folder)
    alive = {name[6:22] for name in os.listdir(folder) if INTENT.fullmatch(name)}
    with index.transaction():
        index.trim(REMEMBERED)
        gone = index.shrink(budget)
        known = {match[2] for _, file, _ in index.files() if (match := FILE.fullmatch(file))}
    for file in gone:
        remove_entry(folder, file)
    orphans = [name for token, name in found if token not in known and token[:16] not in alive]
    left = [name for name in orphans if name not in gone]
    for name in left:
        with contextlib.suppress(OSError):
            (folder / name).unlink(missing_ok=True)
    return len(left)


def verify(folder: Path, index: Index, budget: int) -> Verified:
    """Read every entry, and remove those whose bytes are not what was written, and orphans.

    Raises:
        OSError, sqlite3.Error: as ``sweep``.
    """
    sound = broken = 0
    for key, file, _ in index.files():
        if _is_sound(folder, file):
            sound += 1
            continue
        with index.transaction():
            row = index.row(key)
            same = row is not None and row.file == file
            if same:
                index.forget(key)
        if same:  # else another process took it away meanwhile, and it was no fault
            remove_entry(folder, file)
            broken += 1
    return Verified(sound, broken, sweep(folder, index, budget))


def put_aside(path: Path) -> None:
    """Take an index that cannot be read out of the way; it is kept for whoever wants to look.

    Raises:
        OSError: it cannot be renamed.
    """
    with contextlib.suppress(FileNotFoundError):  # another process was as quick
        os.replace(path, path.with_suffix(".broken"))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def remove_all(folder: Path) -> Totals:
    """Remove the files of all entries, without an index; what was there.

    Raises:
        OSError: the folder cannot be listed.
    """
    entries = nbytes = 0
    for _, name in sorted(_tokens(folder)):
        path = folder / name
        with contextlib.suppress(OSError):
            size = path.stat().st_size
            path.unlink()
            entries += FILE.fullmatch(name) is not None
            nbytes += size
    return Totals(entries, nbytes=nbytes)


def rebuild(folder: Path, index: Index) -> int:
    """Fill an empty index from what the files say of themselves; how many it took.

    Raises:
        OSError: the folder cannot be listed.
        sqlite3.Error: the index cannot be written to.
    """
    sizes: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            match = PART.fullmatch(entry.name)
            if match is not None:
                sizes[match[1]] = sizes.get(match[1], 0) + entry.stat().st_size
    count = 0
    with index.transaction():
        for path in sorted(folder.glob("*.safetensors")):
            match = FILE.fullmatch(path.name)
            if match is None:
                continue
            try:
                label = read_label(path)
                nbytes = path.stat().st_size + sizes.get(match[2], 0)
            except (Broken, OSError):
                continue  # the next sweep removes it
            seconds = result_of(label.facts).seconds
            new = New(label.key, label.static, label.facts, seconds, True, path.name, nbytes)
            index.put(new)
            count += 1
    return count


def _tokens(folder: Path) -> Iterator[tuple[str, str]]:
    """Token and name of every file of an entry, finished or not."""
    for name in os.listdir(folder):
        whole, part = FILE.fullmatch(name), PART.fullmatch(name)
        if whole is not None:
            yield whole[2], name
        elif part is not None:
            yield part[1], name


def _is_sound(folder: Path, file: str) -> bool:
    try:
        check_frames(read_entry(folder, file, lambda path: path).values)
    except (Broken, OSError):
        return False
    return True
