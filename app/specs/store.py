"""The node types of the last start in one small file, so that a window need not wait for them.

The file is a hint: it opens the window, and the helper process then says what is true. It holds
data alone and may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import blake3
import msgspec

import backend
from backend.engine.checks.wire import read_specs as from_plain
from backend.graph.spec import NodeSpec

FILE = "node-types.msgpack"
HOME = Path(backend.__file__).resolve().parent.parent
TRUST = "trusted-packs.json"


class _Kept(msgspec.Struct, frozen=True):
    key: str
    specs: dict[str, Any]
    problems: tuple[str, ...] = ()


def spec_key(data: Path, folders: tuple[Path, ...] = (), home: Path = HOME) -> str:
    """A digest that changes with the code of the node types and with what is trusted.

    It looks at names, sizes and times of the files of Weft, not into them: that takes 3 ms.

    Args:
        data: Weft's data folder, where the list of trusted packs lies.
        folders: More folders of node files.
        home: The folder that ``backend`` and ``nodes`` lie in.
    """
    told = blake3.blake3(sys.version.encode())
    for folder in (home / "nodes", home / "backend", data / "packs", *folders):
        for line in _listed(str(folder)):
            told.update(line.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(OSError):
        told.update((data / TRUST).read_bytes())
    return told.hexdigest()


def read_specs(cache: Path, key: str) -> tuple[Mapping[str, NodeSpec], tuple[str, ...]] | None:
    """The kept node types and sentences on what cannot be used; ``None`` where none are kept under
    this key."""
    try:
        kept = msgspec.msgpack.decode((cache / FILE).read_bytes(), type=_Kept)
        return (from_plain(kept.specs), kept.problems) if kept.key == key else None
    except (OSError, msgspec.MsgspecError, TypeError):
        return None


def keep_specs(
    cache: Path, key: str, specs: Mapping[str, NodeSpec], problems: tuple[str, ...] = ()
) -> None:
    """Keep node types for the next start; where the folder takes none, the next start waits."""
    draft = cache / f".{FILE}.{secrets.token_hex(4)}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.msgpack.encode(_Kept(key, dict(specs), problems)))
        os.replace(draft, cache / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _listed(folder: str) -> Iterator[str]:
    """A line for each file below a folder, in no order of the system's."""
    todo = [folder]
    while todo:
        place = todo.pop()
        try:
            with os.scandir(place) as entries:
                found = sorted(entries, key=lambda each: each.name)
        except OSError:
            continue
        for entry in found:
            if entry.name == "__pycache__":
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                else:
                    about = entry.stat()
                    yield f"{entry.path}\0{about.st_size}\0{about.st_mtime_ns}\n"
            except OSError:
                continue
