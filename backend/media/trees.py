"""Whole folders as outputs: synced, hashed, named and removed as one."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import blake3


def tree_hash(path: Path) -> str:
    """``blake3:`` over the bytes of a file, or over the names and bytes of all files in a folder.

    Raises:
        OSError: something in it cannot be read, or is neither file nor folder.
    """
    if not path.is_dir():
        return _file_hash(path)
    parts = [[file.relative_to(path).as_posix(), _file_hash(file)] for file in _files(path)]
    return "blake3:" + blake3.blake3(json.dumps(sorted(parts)).encode()).hexdigest()


def claim_folder(source: Path, target: Path) -> bool:
    """Give a folder its name in one step, or false when something has that name already.

    Raises:
        OSError: it cannot be renamed.
    """
    if sys.platform == "win32":
        try:
            os.rename(source, target)  # never replaces there
        except FileExistsError:
            return False
        return True
    try:
        target.mkdir()  # an empty folder keeps the name, and a rename goes over it
    except FileExistsError:
        return False
    try:
        os.rename(source, target)
    except BaseException:
        target.rmdir()
        raise
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it; links are not followed, what is not there is well.

    Raises:
        OSError: it cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync_tree(path: Path) -> None:
    """Have a file, or all files of a folder and the folder itself, reach the disk.

    Raises:
        OSError: something in it is neither file nor folder, or cannot be synced.
    """
    if path.is_dir() and not path.is_symlink():
        for file in _files(path):
            _sync(file)
        sync_folder(path)
    else:
        _sync(path)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder reach the disk."""
    if os.name == "nt":
        return  # folders cannot be opened there; the rename itself is journalled
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        for name in sorted(names):
            yield Path(root) / name
        yield from (link for name in folders if (link := Path(root) / name).is_symlink())


def _file_hash(path: Path) -> str:
    hasher = blake3.blake3()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    return "blake3:" + hasher.hexdigest()


def _sync(path: Path) -> None:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError(22, "it is not a regular file", str(path))
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
