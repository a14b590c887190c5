"""The structure of PNG files (W3C Portable Network Graphics, third edition)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from backend.media.errors import Damaged, Unsupported

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its type, where its data begins, and how many bytes these are."""

    kind: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class PngHeader:
    """The IHDR chunk."""

    width: int
    height: int
    bits: int
    color: int
    interlaced: bool

    @property
    def samples(self) -> int:
        return _SAMPLES[self.color]

    def scan_bytes(self) -> int:
        """How many bytes the compressed data must expand to, filter bytes included."""
        if not self.interlaced:
            return self._pass_bytes(self.width, self.height)
        adam7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                 (1, 0, 2, 2), (0, 1, 1, 2))  # fmt: skip
        return sum(
            self._pass_bytes(-(-(self.width - x) // dx), -(-(self.height - y) // dy))
            for x, y, dx, dy in adam7
            if self.width > x and self.height > y
        )

    def _pass_bytes(self, width: int, height: int) -> int:
        return height * (1 + (width * self.samples * self.bits + 7) // 8)


def walk(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a file up to its IEND, by their headers only.

    Raises:
        Damaged: a chunk reaches behind the end of the file, or there is no IEND.
    """
    size = file.seek(0, io.SEEK_END)
    at = len(SIGNATURE)
    while at + 12 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if at + 12 + length > size:
            break
        yield Chunk(kind, at + 8, length)
        if kind == b"IEND":
            return
        at += 12 + length
    raise Damaged("it is cut short: its end mark is missing")


def read_chunk(file: BinaryIO, chunk: Chunk) -> bytes:
    """The data of a chunk, its checksum tested.

    Raises:
        Damaged: the checksum is wrong.
    """
    file.seek(chunk.offset)
    data, check = file.read(chunk.length), file.read(4)
    if struct.pack(">I", zlib.crc32(chunk.kind + data)) != check:
        raise Damaged(f"the checksum of its {chunk.kind.decode('latin-1')} chunk is wrong")
    return data


def parse_header(data: bytes) -> PngHeader:
    """Read the IHDR data.

    Raises:
        Damaged: a value is none that PNG allows.
    """
    if len(data) != 13:
        raise Damaged("its header has the wrong length")
    width, height, bits, color, packing, filtering, interlace = struct.unpack(">IIBBBBB", data)
    if bits not in _DEPTHS.get(color, ()) or packing or filtering or interlace > 1:
        raise Damaged("its header has values that PNG does not allow")
    return PngHeader(width, height, bits, color, bool(interlace))


def rebuild(file: BinaryIO, chunks: Collection[Chunk], kinds: Collection[bytes]) -> bytes:
    """A PNG with only the chunks of some kinds, each checksum tested.

    Decoders get this instead of the file: no text of any size, no animation, nothing to trip over.

    Raises:
        Damaged: a checksum is wrong.
    """
    parts = [SIGNATURE]
    for chunk in chunks:
        if chunk.kind in kinds:
            parts.append(pack_chunk(chunk.kind, read_chunk(file, chunk)))
    return b"".join(parts)


def pack_chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def check_scans(file: BinaryIO, chunks: Collection[Chunk], expected: int) -> None:
    """See that the compressed data of the IDAT chunks is whole, without keeping it.

    Raises:
        Damaged: it expands to less than ``expected`` bytes, or is broken.
    """
    inflater, total = zlib.decompressobj(), 0
    for chunk in chunks:
        if chunk.kind != b"IDAT":
            continue
        pending = read_chunk(file, chunk)
        while pending and total < expected:
            try:
                total += len(inflater.decompress(pending, 1 << 20))
            except zlib.error as error:
                raise Damaged(f"its compressed data is broken ({error})") from error
            pending = inflater.unconsumed_tail
    while total < expected and (rest := len(inflater.decompress(b"", 1 << 20))):
        total += rest
    if total < expected:
        raise Damaged("its picture data ends early")


def text_chunk(keyword: str, text: str) -> bytes:
    """An uncompressed iTXt chunk, which every reader takes at any length."""
    return pack_chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode())


def parse_text(kind: bytes, data: bytes, most: int) -> tuple[str, str]:
    """Keyword and text of a tEXt, zTXt or iTXt chunk; at most ``most`` bytes of text.

    Raises:
        Damaged: it is malformed.
        Unsupported: the text is longer.
    """
    keyword, _, rest = data.partition(b"\0")
    compressed = kind == b"zTXt"
    if kind == b"zTXt":
        rest = rest[1:]
    elif kind == b"iTXt":
        if len(rest) < 2:
            raise Damaged("a text chunk is malformed")
        compressed = rest[0] == 1
        _, _, rest = rest[2:].partition(b"\0")
        _, _, rest = rest.partition(b"\0")
    if compressed:
        inflater = zlib.decompressobj()
        try:
            rest = inflater.decompress(rest, most + 1)
        except zlib.error as error:
            raise Damaged("a compressed text is broken") from error
    if len(rest) > most:
        raise Unsupported(f"a text is longer than {most} bytes")
    encoding = "utf-8" if kind == b"iTXt" else "latin-1"
    return keyword.decode("latin-1"), rest.decode(encoding, "replace")


def parse_profile(data: bytes) -> bytes:
    """The colour profile of an iCCP chunk, empty where it is broken or above 16 MB."""
    _, _, rest = data.partition(b"\0")
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(rest[1:], 1 << 24)
    except zlib.error:
        return b""
    return b"" if inflater.unconsumed_tail else profile
