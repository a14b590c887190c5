"""Picture files made by hand and by other programs' libraries, for the tests of reading."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bytes(codes: Any, color: int, *extra: bytes) -> bytes:
    """A PNG of 8 or 16 bits from ``codes [h, w, samples]``; ``extra`` chunks stand before IDAT."""
    bits = codes.dtype.itemsize * 8
    rows = b"".join(b"\0" + row.astype(codes.dtype.newbyteorder(">")).tobytes() for row in codes)
    head = struct.pack(">IIBBBBB", codes.shape[1], codes.shape[0], bits, color, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return SIGNATURE + b"".join(parts)


def noise(*shape: int, kind: str = "uint8", seed: int = 0) -> Any:
    """Random codes of a type over its whole range."""
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


def gradient(height: int = 24, width: int = 36) -> Any:
    """A smooth 8-bit RGB picture whose corners can be told apart."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x / (width - 1), 255 * y / (height - 1)
    return np.stack([red, green, np.full_like(red, 90)], axis=2).astype(np.uint8)


def pil_bytes(picture: Any, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture = picture if isinstance(picture, Pil.Image) else Pil.fromarray(picture)
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def put(folder: Path, data: bytes, name: str = "picture") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def exif_with(orientation: int) -> bytes:
    exif = Pil.Exif()
    exif[274] = orientation
    return exif.tobytes()
