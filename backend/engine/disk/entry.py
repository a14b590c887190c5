"""One result as one file: safetensors, whose metadata says what it is.

The file is named after the blake3 of its bytes, so whoever reads it can tell whether they are
those that were written. Frames of videos lie beside it in files of their own, known by the digest
that the video carries.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import blake3
import numpy as np

from backend.media.trees import tree_hash
from backend.plan.result import Result
from backend.sdk import Saved
from backend.values import Data, FrameFile
from backend.values.wire import Packed, pack, unpack

FILE = re.compile(r"([0-9a-f]{64})-([0-9a-f]{16}-[0-9]+)\.safetensors")
"""Name of an entry's file: digest of its bytes, then the token of the entry."""
PART = re.compile(r"([0-9a-f]{16}-[0-9]+)(\.part|\.[0-9]+\.frames)")
"""Name of a file that is being written, or that holds frames: the token comes first."""
_FORMAT = "1"
_PREVIEW = "preview"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV, errno.ENOSYS)


class Unkept(Exception):
    """A result that cannot go to disk: a value that does not travel, or frames that are gone."""


class Broken(Exception):
    """A file does not hold what was written to it."""


class Written(NamedTuple):
    """The name of an entry's file, and the bytes of it and its frames."""

    file: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class Label:
    """What a file says of itself: the key, the static key and the facts of its result."""

    key: str
    static: str
    facts: str


def facts_of(result: Result) -> str:
    """All of a result but its values and preview, as JSON."""
    saved = [[each.path, each.hash] for each in result.saved]
    return json.dumps(
        [dict(result.digests), dict(result.summary), result.seconds, result.nbytes, saved]
    )


def result_of(facts: str, values: Mapping[str, Data] | None = None, preview: bytes = b"") -> Result:
    """The result again; without values it has no size.

    Raises:
        ValueError: it is not what ``facts_of`` writes.
    """
    try:
        digests, summary, seconds, nbytes, saved = json.loads(facts)
        return Result(
            MappingProxyType(dict(values or {})),
            dict(digests),
            dict(summary),
            float(seconds),
            int(nbytes) if values or preview else 0,
            tuple(Saved(str(path), str(content)) for path, content in saved),
            preview,
        )
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not the facts of a result: {error}") from error


def write_entry(folder: Path, token: str, key: str, static: str, result: Result) -> Written:
    """Write a result's file and those of its frames; all reach the disk but the folder's names.

    Raises:
        Unkept: it cannot be kept.
        OSError: it cannot be written. In both cases nothing is left behind.
    """
    part = folder / f"{token}.part"
    made = [part]
    try:
        values, arrays, frames = _packed(result, folder, token, made)
        if result.preview:
            arrays[_PREVIEW] = np.frombuffer(result.preview, np.uint8)
        facts = facts_of(result)
        about = {"weft": _FORMAT, "key": key, "static": static, "facts": facts, "values": values}
        digest, size = _write(part, _header(about, arrays), arrays)
        target = folder / f"{digest}-{token}.safetensors"
        os.replace(part, target)
        return Written(target.name, size + frames)
    except BaseException:
        for path in made:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise


def read_entry(folder: Path, file: str, link: Callable[[Path], Path]) -> Result:
    """Read a result, every byte checked.

    ``link`` gives a frame file a name that lasts as long as this process wants it.

    Raises:
        Broken: the bytes are not those that were written.
        OSError: a file cannot be read, or is gone.
    """
    match = FILE.fullmatch(file)
    data = (folder / file).read_bytes()
    if match is None or blake3.blake3(data).hexdigest() != match[1]:
        raise Broken(file)
    linked: list[Path] = []
    try:
        start, header = _read_header(data)
        about = header.pop("__metadata__")
        arrays = {name: _array(data, start, one) for name, one in header.items()}
        preview = arrays.pop(_PREVIEW, None)
        values = {}
        for number, (name, text) in enumerate(json.loads(about["values"]).items()):
            held = tuple(a for n, a in arrays.items() if n.startswith(f"{number}."))
            text = _with_frames(text, lambda at: _taken(folder, at, link, linked))
            values[name] = unpack(Packed(text, held))
        return result_of(about["facts"], values, b"" if preview is None else preview.tobytes())
    except BaseException as error:
        for path in linked:
            if path.parent != folder:
                path.unlink(missing_ok=True)
        if isinstance(error, ValueError | LookupError | TypeError | AttributeError):
            raise Broken(file) from error
        raise


def read_label(path: Path) -> Label:
    """What a file says of itself, without reading its arrays or checking its bytes.

    Raises:
        Broken: it is no file of the cache.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            if size > path.stat().st_size:
                raise Broken(path.name)
            about = json.loads(opened.read(size))["__metadata__"]
        if about["weft"] != _FORMAT:
            raise Broken(path.name)
        label = Label(str(about["key"]), str(about["static"]), str(about["facts"]))
        result_of(label.facts)
        return label
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Broken(path.name) from error


def remove_entry(folder: Path, file: str) -> None:
    """Remove an entry's file and its frames; what is not there is well."""
    match = FILE.fullmatch(file)
    if match is None:
        return
    with contextlib.suppress(OSError):
        (folder / file).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (folder / f"{match[2]}.{number}.frames").unlink()


def frame_files(value: Data) -> Iterator[FrameFile]:
    """Every frame file in a value, however deep."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, FrameFile):
            yield item
        elif isinstance(item, Mapping):
            todo.extend(item.values())
        elif isinstance(item, list | tuple):
            todo.extend(item)
        elif is_dataclass(item) and not isinstance(item, type):
            todo.extend(getattr(item, f.name) for f in fields(item))


def _packed(
    result: Result, folder: Path, token: str, made: list[Path]
) -> tuple[str, dict[str, Any], int]:
    """The values as JSON by output, their arrays by name, and the bytes of their frames."""
    texts: dict[str, str] = {}
    arrays: dict[str, Any] = {}
    frames = 0

    def give(path: str) -> str:
        nonlocal frames
        target = folder / f"{token}.{len(made) - 1}.frames"
        made.append(target)
        frames += _link(Path(path), target)
        return target.name

    for number, (name, value) in enumerate(result.values.items()):
        try:
            packed = pack(value)
        except TypeError as error:
            raise Unkept(str(error)) from error
        texts[name] = _with_frames(packed.header, give)
        arrays |= {f"{number}.{n}": array for n, array in enumerate(packed.arrays)}
    return json.dumps(texts), arrays, frames


def _link(source: Path, target: Path) -> int:
    """Have a file of frames under a second name, as a copy where there are no hard links."""
    try:
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copyfile(source, target)
    except FileNotFoundError as error:
        if source.exists():
            raise
        raise Unkept(f"{source.name} is gone") from error
    descriptor = os.open(target, os.O_RDWR)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _taken(folder: Path, name: str, link: Callable[[Path], Path], linked: list[Path]) -> str:
    if PART.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no file of frames")
    linked.append(link(folder / name))
    return str(linked[-1])


def _with_frames(text: str, change: Callable[[str], str]) -> str:
    """A packed value in which every frame file has another path."""
    if '"FrameFile"' not in text:
        return text
    whole = json.loads(text)
    todo = [whole]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, dict):
            if item.get("v") == "FrameFile":
                item["is"]["path"] = change(item["is"]["path"])
            todo.extend(item.values())
    return json.dumps(whole, separators=(",", ":"))


def check_frames(values: Mapping[str, Data]) -> None:
    """See that the frames of all videos are those that the videos were made of.

    Raises:
        Broken: they are not.
        OSError: they cannot be read.
    """
    for file in frame_files(dict(values)):
        if tree_hash(Path(file.path)) != file.content:
            raise Broken(file.path)


def _header(about: Mapping[str, str], arrays: Mapping[str, Any]) -> bytes:
    header: dict[str, Any] = {"__metadata__": about}
    at = 0
    for name, array in arrays.items():
        kind = "U8" if name == _PREVIEW else "F32"
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # what follows is aligned
    return len(text).to_bytes(8, "little") + text


def _write(path: Path, header: bytes, arrays: Mapping[str, Any]) -> tuple[str, int]:
    """Write and sync a file; the digest of its bytes and how many they are."""
    hasher, size = blake3.blake3(header), len(header)
    with path.open("xb") as file:
        file.write(header)
        for array in arrays.values():
            data = array.reshape(-1).view(np.uint8)
            file.write(data)
            hasher.update(data)
            size += data.nbytes
        file.flush()
        os.fsync(file.fileno())
    return hasher.hexdigest(), size


def _read_header(data: bytes) -> tuple[int, dict[str, Any]]:
    start = 8 + int.from_bytes(data[:8], "little")
    return start, dict(json.loads(data[8:start]))


def _array(data: bytes, start: int, one: Mapping[str, Any]) -> Any:
    begin, end = one["data_offsets"]
    kind = np.dtype("u1") if one["dtype"] == "U8" else np.dtype("<f4")
    count = (end - begin) // kind.itemsize
    return np.frombuffer(data, kind, count, start + begin).reshape(one["shape"])
