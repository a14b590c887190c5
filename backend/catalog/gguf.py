"""Reading the header of a GGUF file without its tensors.

The format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), all little-endian: the magic
``GGUF``, a version, the numbers of tensors and of key-value pairs, the pairs, one record per tensor
(name, dimensions with the fastest first, type, offset), then the tensors, each at a multiple of the
alignment. Nothing in the header says how long it is, so every count and length is capped before
anything is read by it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import blake3

from backend.catalog.disguise import LOOKED_AT, told
from backend.catalog.errors import CatalogError
from backend.catalog.header import TensorInfo

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_TENSORS = 1 << 16
MAX_PAIRS = 1 << 12
MAX_NAME = 1 << 10
"""Bytes of a key or of a tensor's name."""
MAX_STRING = 1 << 24
MAX_ARRAY = 1 << 22
MAX_DEPTH = 4
MAX_DIMS = 8
MAX_HEADER = 1 << 28
KEPT = 1 << 10
"""Items up to which an array is kept; of longer ones, such as vocabularies, only the count is."""

BLOCKS: Mapping[int, tuple[str, int, int]] = MappingProxyType(
    {
        0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
        6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36),
        10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
        13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
        16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
        19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
        22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
        26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56),
        30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
        39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
    }
)  # fmt: skip
"""ggml's types by number: name, weights per block, bytes per block."""

LOADABLE = (
    "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1",
    "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
)  # fmt: skip
"""The types whose weights Weft can read."""

_SCALARS: Mapping[int, struct.Struct] = MappingProxyType(
    {
        number: struct.Struct("<" + code)
        for number, code in {
            0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
            12: "d",
        }.items()
    }
)  # fmt: skip
_STRING, _ARRAY = 8, 9
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_COUNTS, _PLACE = struct.Struct("<QQ"), struct.Struct("<IQ")


@dataclass(frozen=True)
class Counted:
    """Stands for an array too long to be kept."""

    count: int


@dataclass(frozen=True)
class GgufHeader:
    """A checked GGUF header.

    ``tensors`` are by name with their shapes in torch's order (the fastest dimension last) and
    ggml's type names; ``offsets`` are their places in the file, in bytes from its beginning.
    ``metadata`` are the key-value pairs: numbers, booleans, strings, tuples and ``Counted``.
    ``digest`` is blake3 over the bytes of the header.
    """

    version: int
    tensors: Mapping[str, TensorInfo]
    offsets: Mapping[str, int]
    metadata: Mapping[str, Any]
    digest: str

    @property
    def architecture(self) -> str:
        """``general.architecture``: ``flux``, ``t5encoder``; "" where the file says none."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes as the model has them: those of tensors that were flattened to be quantised
        are undone by the ``comfy.gguf.orig_shape.NAME`` pairs that some converters write."""
        return MappingProxyType(
            {name: _original(name, info, self.metadata) for name, info in self.tensors.items()}
        )


def read_gguf(path: Path, *, any_type: bool = False) -> GgufHeader:
    """Read and check one GGUF header; no tensor byte is read.

    ``any_type`` also accepts ggml types whose weights cannot be loaded, to say what a file is.

    Raises:
        CatalogError: the file is missing, cut short, of another version or byte order, has a type
            that cannot be loaded, or its header does not describe its bytes.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = _read(_Reader(file, size, path), path, size)
    except OSError as error:
        raise CatalogError(
            f"{path} cannot be read ({error.strerror}). Check that the file exists and may be read."
        ) from error
    if not any_type:
        check_types(header, path)
    return header


def check_types(header: GgufHeader, path: Path) -> None:
    """Refuse a header with a type whose weights cannot be loaded.

    Raises:
        CatalogError: it names the type, how many tensors have it, and what can be loaded.
    """
    kinds = {info.dtype for info in header.tensors.values()}
    for kind in sorted(kinds - set(LOADABLE)):
        count = sum(info.dtype == kind for info in header.tensors.values())
        raise CatalogError(
            f"{path} stores {count} of its {len(header.tensors)} tensors as {kind}, a GGUF type "
            f"that is not supported here. Get the model as one of {', '.join(LOADABLE)}."
        )


class _Reader:
    """Reads fields in order, and keeps count and digest of what it has read."""

    def __init__(self, file: BinaryIO, size: int, path: Path) -> None:
        self._file = file
        self._hash = blake3.blake3()
        self._limit = min(size, MAX_HEADER)
        self._size = size
        self._path = path
        self.place = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def take(self, count: int) -> bytes:
        if self.place + count > self._limit:
            if self._limit < self._size:
                raise _lying(self._path, f"its header is longer than {MAX_HEADER} bytes")
            raise CatalogError(
                f"{self._path} is cut short: its header goes on after its {self._size} bytes. "
                "Download or copy the file again."
            )
        data = self._file.read(count)
        self.place += count
        self._hash.update(data)
        return data

    def number(self, form: struct.Struct = _U64) -> int:
        value: int = form.unpack(self.take(form.size))[0]
        return value

    def text(self, longest: int, what: str) -> str:
        length = self.number()
        if length > longest:
            raise _lying(self._path, f"{what} claims {length} bytes")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise _lying(self._path, f"{what} is not UTF-8") from error


def _read(reader: _Reader, path: Path, size: int) -> GgufHeader:
    if size < 24 or reader.take(4) != MAGIC:
        with path.open("rb") as file:
            other = told(path, file.read(LOOKED_AT), "GGUF")
        raise CatalogError(other or f"{path} is no GGUF file, or is cut short. Get the file again.")
    version = reader.number(_U32)
    if version not in VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS
        what = "big-endian byte order" if swapped else f"version {version}"
        raise CatalogError(
            f"{path} is a GGUF file of {what}, which is not read here (versions 2 and 3, "
            "little-endian, are). Convert it, or get another file of this model."
        )
    tensors, pairs = _COUNTS.unpack(reader.take(_COUNTS.size))
    if tensors > MAX_TENSORS or pairs > MAX_PAIRS:
        raise _lying(path, f"it claims {tensors} tensors and {pairs} key-value pairs")
    metadata: dict[str, Any] = {}
    for _ in range(pairs):
        key = reader.text(MAX_NAME, "the name of a key")
        if key in metadata:
            raise _lying(path, f"the key {key!r} stands twice")
        metadata[key] = _value(reader, reader.number(_U32), key, path, 0)
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 8 <= alignment <= 1 << 20 or alignment % 8:
        raise _lying(path, f"its alignment is {alignment!r}")
    places: list[tuple[int, str, TensorInfo]] = []
    for _ in range(tensors):
        places.append(_tensor(reader, path))
    start = -(-reader.place // alignment) * alignment
    _check_layout(places, alignment, size - start, path)
    return GgufHeader(
        version,
        MappingProxyType({name: info for _, name, info in places}),
        MappingProxyType({name: start + offset for offset, name, _ in places}),
        MappingProxyType(metadata),
        reader.digest,
    )


def _value(reader: _Reader, kind: int, key: str, path: Path, depth: int) -> Any:
    if kind in _SCALARS:
        form = _SCALARS[kind]
        return form.unpack(reader.take(form.size))[0]
    if kind == _STRING:
        return reader.text(MAX_STRING, f"the value of {key!r}")
    if kind != _ARRAY:
        raise _lying(path, f"the value of {key!r} has the unknown type {kind}")
    if depth == MAX_DEPTH:
        raise _lying(path, f"the value of {key!r} is nested more than {MAX_DEPTH} deep")
    inner, count = _PLACE.unpack(reader.take(_PLACE.size))
    if count > MAX_ARRAY:
        raise _lying(path, f"the array {key!r} claims {count} items")
    if inner in _SCALARS:
        form = _SCALARS[inner]
        raw = reader.take(form.size * count)
        kept = tuple(item for (item,) in form.iter_unpack(raw)) if count <= KEPT else None
        return Counted(count) if kept is None else kept
    if count <= KEPT:
        return tuple(_value(reader, inner, key, path, depth + 1) for _ in range(count))
    for _ in range(count):
        _value(reader, inner, key, path, depth + 1)
    return Counted(count)


def _tensor(reader: _Reader, path: Path) -> tuple[int, str, TensorInfo]:
    name = reader.text(MAX_NAME, "the name of a tensor")
    dims = reader.number(_U32)
    if dims > MAX_DIMS:
        raise _lying(path, f"tensor {name!r} claims {dims} dimensions")
    shape = struct.unpack(f"<{dims}Q", reader.take(8 * dims))
    kind, offset = _PLACE.unpack(reader.take(_PLACE.size))
    if kind not in BLOCKS:
        raise _lying(path, f"tensor {name!r} has the unknown type {kind}")
    dtype, block, nbytes = BLOCKS[kind]
    row = shape[0] if shape else 1
    if row % block:
        raise _lying(path, f"tensor {name!r} of row length {row} is no whole blocks of {dtype}")
    return offset, name, TensorInfo(dtype, shape[::-1], prod(shape) // block * nbytes)


def _check_layout(
    places: list[tuple[int, str, TensorInfo]], alignment: int, room: int, path: Path
) -> None:
    """No two tensors overlap or share a name, each begins aligned, and all lie in the file."""
    if len({name for _, name, _ in places}) < len(places):
        raise _lying(path, "two tensors have one name")
    end = 0
    for offset, name, info in sorted(places, key=lambda place: (place[0], place[2].nbytes)):
        if offset % alignment:
            raise _lying(
                path, f"tensor {name!r} begins at byte {offset}, no multiple of {alignment}"
            )
        if offset < end:
            raise _lying(path, f"tensor {name!r} begins at byte {offset}, inside another one")
        end = offset + info.nbytes
    if end > max(room, 0):
        raise CatalogError(
            f"{path} is cut short: its header describes {end} bytes of weights, the file holds "
            f"{max(room, 0)}. Download or copy the file again."
        )


def _original(name: str, info: TensorInfo, metadata: Mapping[str, Any]) -> tuple[int, ...]:
    given = metadata.get(f"comfy.gguf.orig_shape.{name}")
    if isinstance(given, tuple) and all(type(n) is int and n >= 0 for n in given):
        return given if prod(given) == prod(info.shape) else info.shape
    return info.shape


def _lying(path: Path, what: str) -> CatalogError:
    return CatalogError(
        f"{path} is not a sound GGUF file: {what}. Get the file again from its source."
    )
