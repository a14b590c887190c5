"""Scanning: walking over all roots, identifying what is new, forgetting what has gone.

What lies on a disk that is unplugged, or in a folder that cannot be looked into, has not gone: it
is kept, with a sentence instead of what it is good for, and comes back with its hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import blake3

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.catalog.header import TensorInfo, read_header
from backend.catalog.identify import Knowledge, identify, identify_file, identify_folder
from backend.catalog.identity import Identity
from backend.catalog.index import AWAY, STALE, Entry, Index, below
from backend.catalog.roots import Root
from backend.catalog.walk import Seen, Walk, stamp_of

BATCH = 256
"""Entries that are kept together: a scan that is cancelled has kept all but the last few."""
CHUNK = 1 << 22
LONGEST = 2000
"""Characters of a sentence that is kept."""
DEVICES = "devices"
"""The fact that holds which device each root lay on when it was last there."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Scanned:
    """What a scan did: how many models are new or changed, as before, gone, and unusable.

    ``away`` are kept though they are not there now. ``troubles`` are sentences on folders and names
    that could not be looked at.
    """

    new: int
    same: int
    gone: int
    broken: int
    seconds: float
    troubles: tuple[str, ...]
    away: int = 0


def scan(
    roots: Iterable[Root],
    index: Index,
    knowledge: Knowledge,
    progress: Callable[[int], None] | None = None,
) -> Scanned:
    """Bring the index up to what lies below the roots. ``progress`` hears how many were looked at.

    A broken file is an entry with a problem; nothing in a file can end the scan.
    """
    start = time.perf_counter()
    digest = knowledge.digest
    before = index.stamps()
    known = before if index.fact("knowledge") == digest else {}
    roots = tuple(roots)
    found, places, troubles = _walked(roots, index)
    fresh = [seen for seen in found.values() if known.get(seen.path) != seen.stamp]
    for number in range(0, len(fresh), BATCH):
        part = fresh[number : number + BATCH]
        batch = [_keeping(examine(seen, knowledge), index, before) for seen in part]
        with index.changes():
            index.put(batch)
        if progress is not None:
            progress(number + len(batch))
    missing = before.keys() - found.keys()
    kept = {path: next((p for p in places if below(path, p)), "") for path in missing}
    gone = [path for path in missing if not kept[path]]
    counts = Counter(place for place in kept.values() if place)
    with index.changes():
        index.drop(gone)
        if not known:
            index.make_stale(path for path in missing if kept[path])
        index.keep_fact(AWAY, json.dumps({place: places[place] for place in counts}))
        index.keep_fact(DEVICES, json.dumps(_devices(roots, index, places)))
        index.keep_fact("knowledge", digest)
    troubles += [f"{places[place]} Models kept: {n}." for place, n in counts.items()]
    return Scanned(
        len(fresh), len(found) - len(fresh), len(gone), index.broken(),
        time.perf_counter() - start, tuple(troubles), counts.total(),
    )  # fmt: skip


def _walked(
    roots: Sequence[Root], index: Index
) -> tuple[dict[str, Seen], dict[str, str], list[str]]:
    """The models below all roots, the places that are away with a sentence on each, and troubles
    with names that no file should have."""
    found: dict[str, Seen] = {}
    places: dict[str, str] = {}
    troubles: list[str] = []
    for root in roots:
        if _is_away(root.path, index):
            places[str(root.path)] = (
                f"{root.path} is not there now. Connect its disk and scan again, or take the "
                f"folder out with `weft models add --remove {root.path}`."
            )
            continue
        walk = Walk(root)
        for seen in walk.models():
            found.setdefault(seen.path, seen)
        places |= walk.closed
        troubles += walk.troubles
    return found, places, troubles


def _is_away(root: Path, index: Index) -> bool:
    """Whether a root's disk is not there: no folder, or an empty one on another device, where a
    disk was mounted before."""
    try:
        with os.scandir(root) as entries:
            if next(entries, None) is not None:
                return False
        now = os.stat(root).st_dev
    except FileNotFoundError:
        return True
    except OSError:
        return False  # which the walk tells
    then = [device for place, device in _known_devices(index).items() if below(place, str(root))]
    return bool(then) and now not in then


def _known_devices(index: Index) -> dict[str, int]:
    return dict(json.loads(index.fact(DEVICES) or "{}"))


def _devices(roots: Sequence[Root], index: Index, away: Container[str]) -> dict[str, int]:
    """Which device each root lies on, or lay on when it was last there."""
    there = [root.path for root in roots if str(root.path) not in away]
    before = {
        place: device
        for place, device in _known_devices(index).items()
        if any(below(place, str(root.path)) for root in roots if str(root.path) in away)
    }
    return before | {str(path): path.stat().st_dev for path in there if path.is_dir()}


def examine(seen: Seen, knowledge: Knowledge) -> Entry:
    """Read the headers of one model and say what it is."""
    path = Path(seen.path)
    identity: Identity | None = None
    digest, problem = "", seen.problem
    if not problem:
        try:
            identity, digest = _identified(seen, path, knowledge)
        except CatalogError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{path} cannot be read ({error.strerror}). Check the file."
    # A sentence may quote the file, which may hold what is no text and of any length.
    problem = problem.encode("utf-8", "backslashreplace").decode()[:LONGEST]
    fast = "" if problem else "fast:" + _digest([path.name, seen.stamp, digest])
    return Entry(
        path, Path(seen.root), seen.name, seen.stamp, seen.size, seen.files, fast, identity,
        problem, sha256=_blob_hash(path),
    )  # fmt: skip


def content_of(entry: Entry, progress: Callable[[int], None] | None = None) -> tuple[str, str]:
    """The full hash of a model, ``blake3:`` and 64 digits, and the SHA-256 of a single file.

    Of several files, the first is over their names and hashes, and there is no second.
    ``progress`` hears how many bytes were read since it was last called.

    Raises:
        CatalogError: a file cannot be read any more, or has changed since it was scanned.
    """
    home = entry.path if entry.path.is_dir() else entry.path.parent
    try:
        changed = stamp_of(home, entry.files) != entry.stamp
    except OSError as error:
        raise _gone(entry.path, error) from error
    if changed:
        raise CatalogError(f"{entry.path} has changed since the last scan. Scan again.")
    if len(entry.files) == 1 and entry.path.name == entry.files[0]:
        content, sha256 = _hashes(entry.path, progress)
        return "blake3:" + content, sha256
    hashed = [[name, _hashes(home / name, progress)[0]] for name in sorted(entry.files)]
    return "blake3:" + _digest(hashed), ""


def find(index: Index, wanted: str) -> list[Entry]:
    """The entries that a name, a part of its end, a path or a hash means, exact ones first."""
    path = Path(os.path.abspath(wanted))
    exact, ends = [], []
    for entry in index.like(wanted, path):
        stem = entry.name.rsplit(".", 1)[0] if entry.path.name in entry.files else entry.name
        names = (entry.name, stem)
        if entry.path == path or wanted in (*names, entry.fast, entry.content, entry.sha256):
            exact.append(entry)
        elif any(name.endswith("/" + wanted) for name in names):
            ends.append(entry)
    return exact or ends


def _keeping(entry: Entry, index: Index, before: Mapping[str, str]) -> Entry:
    """With the hashes of the same contents that the index has already."""
    stamp = before.get(str(entry.path), "").removeprefix(STALE)
    old = index.get(entry.path) if stamp == entry.stamp else None
    if old is None:
        return entry
    kept = {"content": old.content, "sha256": entry.sha256 or old.sha256}
    return Entry(**{**vars(entry), **kept})


def _identified(seen: Seen, path: Path, knowledge: Knowledge) -> tuple[Identity, str]:
    if seen.kind == "folder":
        folder = read_folder(path)
        return identify_folder(folder, knowledge), folder.identity()
    if seen.kind == "file":
        return identify_file(path, knowledge)
    tensors: dict[str, TensorInfo] = {}
    digests = []
    for name in seen.files:
        header = read_header(path.parent / name)
        tensors |= header.tensors
        digests.append(header.digest)
    return identify(tensors, knowledge, {}, path.name), _digest(digests)


def _blob_hash(path: Path) -> str:
    """The SHA-256 that a Hugging Face cache names a blob by; "" for any other file."""
    if not path.is_symlink():
        return ""
    name = Path(os.path.realpath(path)).name
    return name if _SHA256.fullmatch(name) else ""


def _hashes(path: Path, progress: Callable[[int], None] | None) -> tuple[str, str]:
    first, second = blake3.blake3(max_threads=blake3.blake3.AUTO), hashlib.sha256()
    try:
        with path.open("rb") as file:
            for chunk in _chunks(file.read):
                first.update(chunk)
                second.update(chunk)
                if progress is not None:
                    progress(len(chunk))
    except OSError as error:
        raise _gone(path, error) from error
    return first.hexdigest(), second.hexdigest()


def _gone(path: Path, error: OSError) -> CatalogError:
    return CatalogError(f"{path} cannot be read any more ({error.strerror}). Scan again.")


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := read(CHUNK):
        yield chunk


def _digest(value: object) -> str:
    return blake3.blake3(json.dumps(value).encode()).hexdigest()
