"""Which code computes: part of what results on disk are known by.

The versions of packages stand in every key. In a source tree the code changes while its version
stays, and no process that remembers would outlive that, but a disk does.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import blake3

import backend

_NO_RESULTS = (
    "cli", "client", "disk", "host", "packs", "queue", "settings", "train", "__pycache__",
)  # fmt: skip
"""Folders below ``backend`` that no result depends on."""


@lru_cache(1)
def build_digest() -> str:
    """16 hex digits over the names, sizes and times of all source files of ``backend``."""
    root = Path(backend.__file__).resolve().parent
    hasher = blake3.blake3()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders).difference(_NO_RESULTS))
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                found = os.stat(path)
                line = f"{os.path.relpath(path, root)} {found.st_size} {found.st_mtime_ns}\n"
                hasher.update(line.encode())
    return hasher.hexdigest(8)
