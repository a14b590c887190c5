"""Reading the header of a safetensors file without its tensors.

The format (https://huggingface.co/docs/safetensors): 8 bytes little-endian length ``n``, ``n``
bytes of JSON naming each tensor's dtype, shape and byte range, then the bytes themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import blake3
import msgspec

from backend.catalog.disguise import LOOKED_AT, told
from backend.catalog.errors import CatalogError

MAX_HEADER = 64 * 2**20
"""Bytes of JSON that a header may take: the largest known real ones are under 2 MB."""

MAX_DIMS = 16
"""Dimensions that a tensor may have."""
SHOWN = 80
"""Characters of a name that a sentence shows."""

ITEM_BITS: Mapping[str, int] = MappingProxyType(
    {
        "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
        "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8,
        "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "C64": 64,
    }
)  # fmt: skip


class TensorInfo(msgspec.Struct, frozen=True, gc=False):
    """One tensor as its header declares it."""

    dtype: str
    shape: tuple[int, ...]
    nbytes: int


@dataclass(frozen=True)
class Header:
    """A checked header: its tensors by name, its metadata, and the digest of its raw bytes.

    The tensors are in the order in which they lie in the file, one right after the other; the
    first begins at byte ``start``.
    """

    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    digest: str
    start: int

    @property
    def offsets(self) -> Mapping[str, int]:
        """The places of the tensors, in bytes from the beginning of the file."""
        sizes = [info.nbytes for info in self.tensors.values()]
        places = accumulate(sizes, initial=self.start)
        return MappingProxyType(dict(zip(self.tensors, places, strict=False)))


def read_header(path: Path) -> Header:
    """Read and check one safetensors header; no tensor byte is read.

    Raises:
        CatalogError: the file is missing, cut short or something else, or its header does not
            describe its bytes.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(LOOKED_AT)
            length = int.from_bytes(start[:8], "little")
            if length > min(size - 8, MAX_HEADER) and (other := told(path, start, "safetensors")):
                raise CatalogError(other)
            if size < 8 or length > size - 8:
                raise CatalogError(
                    f"{path} is cut short: it is {size} bytes, less than its header alone. "
                    "Download or copy the file again."
                )
            if length > MAX_HEADER:
                raise CatalogError(
                    f"{path} claims a header of {length} bytes, more than the {MAX_HEADER} that "
                    "are read. This is not a safetensors file, or it is damaged; get it again."
                )
            file.seek(8)
            raw = file.read(length)
    except OSError as error:
        raise CatalogError(
            f"{path} cannot be read ({error.strerror}). Check that the file exists and may be read."
        ) from error
    infos, metadata = _quickly(raw, size - 8 - length) or _carefully(raw, size - 8 - length, path)
    return Header(
        MappingProxyType(infos),
        MappingProxyType(metadata),
        blake3.blake3(raw).hexdigest(),
        8 + length,
    )


_Entry = tuple[str, tuple[int, ...], int, int]
_Checked = tuple[dict[str, TensorInfo], dict[str, str]]
_Size = Annotated[int, msgspec.Meta(ge=0)]


class _Given(msgspec.Struct, gc=False):
    """What a sound header says of one tensor; empty for the entry of the metadata."""

    dtype: str = ""
    shape: Annotated[tuple[_Size, ...], msgspec.Meta(max_length=MAX_DIMS)] | None = None
    data_offsets: tuple[_Size, _Size] = (0, 0)


class _Words(msgspec.Struct):
    metadata: dict[str, str] = msgspec.field(name="__metadata__", default={})


_GIVEN = msgspec.json.Decoder(dict[str, _Given])
_WORDS = msgspec.json.Decoder(_Words)


def _quickly(raw: bytes, room: int) -> _Checked | None:
    """A sound header, ten times as fast as ``_carefully``; None for any other, which that names."""
    try:
        given = _GIVEN.decode(raw)
        words = _WORDS.decode(raw).metadata if given.pop("__metadata__", None) else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    infos = _tile(given.items(), room)
    if infos is None:  # nearly all files have them in order, and sorting takes time
        infos = _tile(sorted(given.items(), key=lambda item: item[1].data_offsets), room)
    return None if infos is None else (infos, words)


def _tile(entries: Iterable[tuple[str, _Given]], room: int) -> dict[str, TensorInfo] | None:
    """The tensors, if in this order they fill the room, each as large as its shape; else None."""
    place = 0
    infos: dict[str, TensorInfo] = {}
    all_bits = dict(ITEM_BITS)  # a plain one is found in faster
    for name, entry in entries:
        start, end = entry.data_offsets
        dtype, shape = entry.dtype, entry.shape
        bits = all_bits.get(dtype)
        if start != place or shape is None or bits is None:
            return None
        size = end - start
        if prod(shape) * bits != size * 8:
            return None
        place = end
        infos[name] = TensorInfo(dtype, shape, size)
    return infos if place == room else None


def _carefully(raw: bytes, room: int, path: Path) -> _Checked:
    tensors, metadata = _parse(raw, path)
    _check_layout(tensors, room, path)
    infos = {
        name: TensorInfo(dtype, shape, end - start)
        for name, (dtype, shape, start, end) in sorted(tensors.items(), key=_ends)
    }
    return infos, metadata


def _parse(raw: bytes, path: Path) -> tuple[dict[str, _Entry], dict[str, str]]:
    try:
        header = json.loads(raw.decode())  # from bytes it would take UTF-16 as well
    except (ValueError, RecursionError) as error:
        raise _lying(path, f"its header is not JSON ({type(error).__name__})") from error
    if not isinstance(header, dict):
        raise _lying(path, "its header is not a table of tensors")
    given = header.pop("__metadata__", None) or {}
    metadata = (
        {k: v for k, v in given.items() if isinstance(v, str)} if isinstance(given, dict) else {}
    )
    return {name: _entry(name, entry, path) for name, entry in header.items()}, metadata


def _entry(name: str, entry: Any, path: Path) -> _Entry:
    try:
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        start, end = offsets
        numbers = [*shape, start, end]
    except (KeyError, TypeError, ValueError) as error:
        raise _lying(path, f"tensor {_shown(name)} lacks dtype, shape or data_offsets") from error
    if not isinstance(dtype, str) or dtype not in ITEM_BITS:
        raise _lying(path, f"tensor {_shown(name)} has the unknown dtype {_shown(dtype)}")
    if len(shape) > MAX_DIMS:
        raise _lying(path, f"tensor {_shown(name)} has {len(shape)} dimensions")
    if any(type(n) is not int or n < 0 for n in numbers):
        raise _lying(path, f"tensor {_shown(name)} has a size that is no whole number")
    if prod(shape) * ITEM_BITS[dtype] != (end - start) * 8:
        raise _lying(
            path,
            f"tensor {_shown(name)} of shape {_shown(shape)} does not fill its {end - start} bytes",
        )
    return dtype, tuple(shape), start, end


def _ends(item: tuple[str, _Entry]) -> tuple[int, int]:
    return item[1][2], item[1][3]


def _check_layout(tensors: Mapping[str, _Entry], room: int, path: Path) -> None:
    """The tensors must tile the ``room`` bytes after the header: no hole, no overlap."""
    place = 0
    for name, (_, _, start, end) in sorted(tensors.items(), key=_ends):
        if start != place:
            raise _lying(path, f"tensor {_shown(name)} starts at byte {start}, expected {place}")
        place = end
    if place > room:
        raise CatalogError(
            f"{path} is cut short: its header describes {place} bytes of weights, the file holds "
            f"{room}. Download or copy the file again."
        )
    if place < room:
        raise _lying(path, f"{room - place} bytes at the end belong to no tensor")


def _shown(value: object) -> str:
    """How a sentence names what a file says, which may be of any length."""
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def _lying(path: Path, what: str) -> CatalogError:
    return CatalogError(
        f"{path} is not a sound safetensors file: {what}. Get the file again from its source."
    )
