"""The structure of WebP files (RIFF container, RFC 9649)."""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from backend.media.errors import Damaged

_ANIMATED, _XMP, _EXIF, _ALPHA, _PROFILE = 0x02, 0x04, 0x08, 0x10, 0x20


@dataclass(frozen=True, slots=True)
class Chunk:
    """A RIFF chunk: its type, where its data begins, and how many bytes these are."""

    kind: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class WebpHeader:
    """The size of the canvas and whether it has alpha."""

    width: int
    height: int
    alpha: bool


def is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def walk(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a file by their headers.

    Raises:
        Damaged: the file or a chunk ends early.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(4)
    (length,) = struct.unpack("<I", file.read(4))
    if length + 8 > size:
        raise Damaged("it is cut short")
    at = 12
    while at + 8 <= length + 8:
        file.seek(at)
        kind, count = struct.unpack("<4sI", file.read(8))
        if at + 8 + count > length + 8:
            raise Damaged("a chunk reaches behind its end")
        yield Chunk(kind, at + 8, count)
        at += 8 + count + count % 2


def data(file: BinaryIO, chunks: Collection[Chunk], kind: bytes, most: int = 1 << 26) -> bytes:
    """The data of the first chunk of a kind, at most ``most`` bytes, empty where there is none."""
    for chunk in chunks:
        if chunk.kind == kind:
            file.seek(chunk.offset)
            return file.read(min(chunk.length, most))
    return b""


def header(file: BinaryIO, chunks: Collection[Chunk]) -> WebpHeader:
    """Canvas size and alpha.

    Raises:
        Damaged: there is no picture in it.
    """
    head = data(file, chunks, b"VP8X", 10)
    if len(head) == 10:
        width = int.from_bytes(head[4:7], "little") + 1
        height = int.from_bytes(head[7:10], "little") + 1
        return WebpHeader(width, height, bool(head[0] & _ALPHA))
    head = data(file, chunks, b"VP8L", 5)
    if len(head) == 5 and head[0] == 0x2F:
        bits = int.from_bytes(head[1:5], "little")
        return WebpHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    head = data(file, chunks, b"VP8 ", 10)
    if len(head) == 10 and head[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 6)
        return WebpHeader(width & 0x3FFF, height & 0x3FFF, False)
    raise Damaged("it has no picture in it")


def exif_of(file: BinaryIO, chunks: Collection[Chunk]) -> bytes:
    """The EXIF block, empty where there is none."""
    block = data(file, chunks, b"EXIF")
    return block.removeprefix(b"Exif\0\0")  # some writers put JPEG's mark in front
