"""Weight files with true headers and no bytes: sparse, so that 12 GB cost nothing."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path

from backend.catalog.gguf import BLOCKS
from backend.catalog.header import ITEM_BITS
from backend.catalog.pack import Form

Shapes = Mapping[str, tuple[int, ...]]


def safetensors(
    path: Path,
    shapes: Shapes,
    dtype: str = "BF16",
    metadata: Mapping[str, str] | None = None,
    dtypes: Mapping[str, str] | None = None,
) -> Path:
    """A safetensors file of these tensors, all of ``dtype`` unless ``dtypes`` says otherwise."""
    place, entries = 0, {"__metadata__": dict(metadata)} if metadata else {}
    for name, shape in shapes.items():
        kind = (dtypes or {}).get(name, dtype)
        end = place + prod(shape) * ITEM_BITS[kind] // 8
        entries[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(entries).encode()
    return sparse(path, len(text).to_bytes(8, "little") + text, place)


def gguf(path: Path, shapes: Shapes, dtype: str = "Q4_K", arch: str = "") -> Path:
    """A GGUF file; tensors that have no whole blocks of ``dtype`` are F32, as converters do it."""
    numbers = {name: (number, block, size) for number, (name, block, size) in BLOCKS.items()}
    place, infos = 0, b""
    for name, shape in shapes.items():
        number, block, size = numbers[dtype]
        if len(shape) < 2 or shape[-1] % block:
            number, block, size = numbers["F32"]
        infos += _text(name) + struct.pack("<I", len(shape))
        infos += struct.pack(f"<{len(shape)}Q", *shape[::-1]) + struct.pack("<IQ", number, place)
        place += -(-prod(shape) // block * size // 32) * 32
    pairs = _text("general.architecture") + struct.pack("<I", 8) + _text(arch)
    raw = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), 1) + pairs + infos
    return sparse(path, raw + bytes(-len(raw) % 32), place)


def filled(form: Form, prefix: str = "", size: int = 8) -> dict[str, tuple[int, ...]]:
    """The tensors that a form asks for, any size being ``size``, under a prefix."""
    return {
        prefix + key: tuple(size if n is None else n for n in shape)
        for key, shape in form.shapes.items()
    }


def sparse(path: Path, raw: bytes, data: int) -> Path:
    """A file of ``raw`` and ``data`` zeros that take no space."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(raw)
        file.truncate(len(raw) + data)
    return path


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()
