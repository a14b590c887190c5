"""The one rule by which values become JSON and arrays: for digests, the wire and the cache.

A value packs into a JSON header and a list of float32 arrays; the header names each array by its
place in the list. The digest is taken over the header without the fields marked
``metadata={"digest": False}`` and over the arrays' shapes and bytes, so equal values have equal
digests in every process.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import blake3
import numpy as np

from backend.values import footage, layers, layout, motion, picture, sampling, weights
from backend.values.arrays import Float32, freeze
from backend.values.base import Value

Data: TypeAlias = Any
"""Whatever travels on a link: a ``Value``, str, int, float, bool, None, or a list of these."""

_PART = 1 << 24
"""Bytes of an array that are digested at once."""

KINDS: Mapping[str, type[Value]] = {
    kind.__name__: kind
    for kind in (
        picture.Image,
        picture.Mask,
        picture.Color,
        layers.Layer,
        layers.Layers,
        layout.Box,
        layout.Layout,
        footage.FrameFile,
        footage.MediaFile,
        footage.PictureTrack,
        footage.SoundTrack,
        footage.Resized,
        footage.Cropped,
        footage.Part,
        footage.Retimed,
        motion.Joined,
        motion.Video,
        motion.Audio,
        weights.Patch,
        weights.Model,
        weights.Expert,
        weights.VAE,
        weights.TextEncoder,
        weights.LanguageModel,
        weights.Upscaler,
        weights.ControlNet,
        sampling.Conditioning,
        sampling.Phase,
        sampling.Latent,
        sampling.Solver,
        sampling.Schedule,
        sampling.Noise,
        sampling.Term,
        sampling.Guider,
    )
}


@dataclass(frozen=True)
class Packed:
    """A value in its wire form: ``header`` is JSON, ``arrays`` are read-only float32."""

    header: str
    arrays: tuple[Float32, ...]

    @property
    def nbytes(self) -> int:
        return len(self.header) + sum(a.nbytes for a in self.arrays)


def pack(value: Data) -> Packed:
    """Turn a value into its wire form.

    Raises:
        TypeError: the value is of no kind that travels.
    """
    arrays: list[Float32] = []
    header = _encode(value, arrays, whole=True)
    return Packed(json.dumps(header, separators=(",", ":"), ensure_ascii=False), tuple(arrays))


def unpack(packed: Packed) -> Data:
    """The value of a wire form.

    Raises:
        ValueError: the header is not one that ``pack`` writes.
    """
    try:
        return _decode(json.loads(packed.header), packed.arrays)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a packed value: {error}") from error


def digest(value: Data, check: Callable[[], None] = lambda: None) -> str:
    """``blake3:`` and 64 hex digits over all that makes two values the same. ``check`` is called
    before each part of a large one, and may raise."""
    known = getattr(value, "__dict__", {}).get("_digest") if isinstance(value, Value) else None
    if known is not None:
        return str(known)
    arrays: list[Float32] = []
    header = _encode(value, arrays, whole=False)
    hasher = blake3.blake3(json.dumps(header, separators=(",", ":"), sort_keys=True).encode())
    for array in arrays:
        hasher.update(repr(array.shape).encode())
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        for start in range(0, len(content), _PART):
            check()
            hasher.update(content[start : start + _PART].data)
    result = "blake3:" + hasher.hexdigest()
    if isinstance(value, Value):
        object.__setattr__(value, "_digest", result)  # frozen: the digest can never go stale
    return result


def nbytes(value: Data) -> int:
    """Bytes that a value holds, by its arrays, its text and its file of frames; a few for a scalar.

    A frame file counts in full, so that whoever keeps values under a budget bounds the disk too.
    """
    total, todo = 0, [value]
    while todo:
        item = todo.pop()
        if isinstance(item, np.ndarray):
            total += item.nbytes
        elif isinstance(item, str):
            total += len(item)
        elif isinstance(item, Mapping):
            todo.extend(item.values())
        elif isinstance(item, list | tuple):
            todo.extend(item)
        elif isinstance(item, footage.FrameFile):
            total += item.nbytes
        elif dataclasses.is_dataclass(item):
            todo.extend(getattr(item, f.name) for f in dataclasses.fields(item))
        total += 16
    return total


def _encode(value: Data, arrays: list[Float32], whole: bool) -> Any:
    """JSON for one value. Values nest a handful of levels (guider, term, conditioning)."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return {"i": str(value)} if abs(value) >= 2**53 else value
    if isinstance(value, float):
        return {"f": repr(value)} if not math.isfinite(value) else {"f": value.hex()}
    if isinstance(value, np.ndarray):
        arrays.append(freeze(value))
        return {"a": len(arrays) - 1}
    if isinstance(value, list | tuple):
        return [_encode(item, arrays, whole) for item in value]
    if isinstance(value, Mapping):
        return {"m": {k: _encode(v, arrays, whole) for k, v in value.items()}}
    kind = type(value).__name__
    if KINDS.get(kind) is not type(value):
        raise TypeError(f"a {kind} cannot travel on a link")
    fields = {
        f.name: _encode(getattr(value, f.name), arrays, whole)
        for f in dataclasses.fields(KINDS[kind])  # type: ignore[arg-type]  # all are dataclasses
        if whole or f.metadata.get("digest", True)
    }
    return {"v": kind, "is": fields}


def _decode(header: Any, arrays: tuple[Float32, ...]) -> Data:
    if isinstance(header, list):
        return [_decode(item, arrays) for item in header]
    if not isinstance(header, dict):
        return header
    readers: dict[str, Callable[[], Data]] = {
        "i": lambda: int(header["i"]),
        "f": lambda: _float(header["f"]),
        "a": lambda: arrays[header["a"]],
        "m": lambda: {k: _tuple(_decode(v, arrays)) for k, v in header["m"].items()},
        "v": lambda: KINDS[header["v"]](
            **{k: _tuple(_decode(v, arrays)) for k, v in header["is"].items()}
        ),
    }
    for tag, read in readers.items():
        if tag in header:
            return read()
    raise ValueError(f"unknown tag in a packed value: {sorted(header)[:3]}")


def _float(text: str) -> float:
    return float.fromhex(text) if "x" in text else float(text)


def _tuple(value: Data) -> Data:
    """Fields of values hold tuples; only a value that stands by itself may be a list."""
    return tuple(value) if isinstance(value, list) else value


def digest_parts(parts: Iterable[str]) -> str:
    """One digest over several strings, each framed by its length so that none can run together."""
    hasher = blake3.blake3()
    for part in parts:
        data = part.encode()
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return "blake3:" + hasher.hexdigest()
