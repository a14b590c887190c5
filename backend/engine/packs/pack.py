"""What a pack is: a name, a place, and the digest of every file in it that could be imported."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import Literal

import blake3

MOST_FILES, MOST_BYTES = 20_000, 2**30
CACHES = "__pycache__"
"""Never read: packs are compiled from their sources, so what lies there is not run."""


class PackError(Exception):
    """A pack cannot be used; the text is a sentence."""


@dataclass(frozen=True)
class Pack:
    """One pack.

    ``package`` is the name under which it is imported; ``root`` its folder, or its file where it is
    a single module; ``files`` are digests by the path below ``root`` (POSIX); ``start`` is the
    module below ``package`` that declares the nodes.
    """

    name: str
    kind: Literal["folder", "installed"]
    package: str
    root: Path
    files: Mapping[str, str]
    start: str = ""

    @cached_property
    def hash(self) -> str:
        """``blake3:`` and 64 hex digits over the names and contents of all its files."""
        listed = json.dumps([self.package, self.start, sorted(self.files.items())])
        return "blake3:" + blake3.blake3(listed.encode()).hexdigest()

    @property
    def node_files(self) -> tuple[str, ...]:
        """The files that may declare nodes: those at the top, or in the package that was named."""
        if self.root.is_file():
            return (self.root.name,)
        inner = "".join(part + "/" for part in self.start.split(".") if part)
        if inner and inner[:-1] + ".py" in self.files:
            return (inner[:-1] + ".py",)
        return tuple(
            name
            for name in sorted(self.files)
            if name.startswith(inner) and "/" not in name[len(inner) :] and name.endswith(".py")
        )


def describe(
    name: str, kind: Literal["folder", "installed"], package: str, root: Path, start: str = ""
) -> Pack:
    """Look at a pack without importing anything.

    Raises:
        PackError: it cannot be read, or is larger than a pack may be.
    """
    try:
        paths = [root] if root.is_file() else list(_importable(root))
        files: dict[str, str] = {}
        total = 0
        for path in paths:
            if len(files) >= MOST_FILES:
                raise PackError(f"The pack {name!r} has more than {MOST_FILES} files.")
            data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
            total += path.stat().st_size
            if total > MOST_BYTES:
                raise PackError(f"The pack {name!r} has more than 1 GiB of code.")
            key = path.name if root.is_file() else path.relative_to(root).as_posix()
            files[key] = digest(data)
    except OSError as error:
        raise PackError(
            f"The pack {name!r} cannot be read: {error.strerror or error} ({error.filename})."
        ) from error
    return Pack(name, kind, package, root, files, start)


def digest(data: bytes) -> str:
    """The digest of one file's bytes."""
    return "blake3:" + blake3.blake3(data).hexdigest()


def _importable(root: Path) -> Iterator[Path]:
    """Every file below a folder that Python could import, in order. Linked folders are not entered,
    and what lies in them cannot be imported either."""
    endings = tuple(all_suffixes())
    for folder, inner, names in os.walk(root, onerror=_raise):
        inner[:] = sorted(each for each in inner if each != CACHES)
        for name in sorted(names):
            if name.endswith(endings):
                yield Path(folder) / name


def _raise(error: OSError) -> None:
    raise error
