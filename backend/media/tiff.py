"""The structure of TIFF files and of EXIF blocks, which are small TIFFs (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from backend.media.errors import Damaged

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
FILL_ORDER, DESCRIPTION, ORIENTATION, SAMPLES = 266, 270, 274, 277
STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTES, PLANAR, PREDICTOR = 273, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT, ICC = 338, 339, 34675
EXIF_IFD, USER_COMMENT = 34665, 37510

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # fmt: skip
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_LARGEST_VALUE = 1 << 27


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a directory: its type, how many values, and where their bytes begin."""

    kind: int
    count: int
    offset: int

    @property
    def nbytes(self) -> int:
        return self.count * _SIZES.get(self.kind, 1)


class TiffReader:
    """Reads directories and their values from a file, and never past its end.

    Raises:
        Damaged: it is no TIFF, or an offset, a count or a chain of directories is wrong.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        head = self.bytes_at(0, 8)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None:
            raise Damaged("its byte order mark is wrong")
        self.order = order
        version = self._number("H", head, 2)
        self.big = version == 43
        if self.big:
            self.first = self._number("Q", self.bytes_at(8, 8), 0)
        elif version == 42:
            self.first = self._number("I", head, 4)
        else:
            raise Damaged(f"its version is {version}, not 42 or 43")

    def bytes_at(self, offset: int, count: int) -> bytes:
        if offset + count > self.size or count > _LARGEST_VALUE:
            raise Damaged("it points behind its own end; it may be cut short")
        self._file.seek(offset)
        data = self._file.read(count)
        if len(data) != count:
            raise Damaged("it ends early")
        return data

    def directories(self, most: int) -> Iterator[Mapping[int, Entry]]:
        """The directories (pages) in order."""
        at, seen = self.first, set[int]()
        while at:
            if at in seen:
                raise Damaged("its pages run in a circle")
            if len(seen) >= most:
                raise Damaged(f"it has more than {most} pages")
            seen.add(at)
            entries, at = self.directory(at)
            yield entries

    def directory(self, offset: int) -> tuple[Mapping[int, Entry], int]:
        """The entries of the directory at ``offset``, and where the next one is (0 = none)."""
        wide = "Q" if self.big else "I"
        lead, step, inline = (8, 20, 8) if self.big else (2, 12, 4)
        count = self._number("Q" if self.big else "H", self.bytes_at(offset, lead), 0)
        if count > 4096:
            raise Damaged("a page has more than 4096 fields")
        table = self.bytes_at(offset + lead, count * step + inline)
        entries: dict[int, Entry] = {}
        for at in range(0, count * step, step):
            tag, kind = struct.unpack_from(self.order + "HH", table, at)
            number = self._number(wide, table, at + 4)
            entry = Entry(kind, number, offset + lead + at + step - inline)
            if entry.nbytes > inline:
                entry = Entry(kind, number, self._number(wide, table, at + step - inline))
            entries.setdefault(tag, entry)
        return entries, self._number(wide, table, count * step)

    def data(self, entry: Entry) -> bytes:
        """The raw bytes of a field."""
        return self.bytes_at(entry.offset, entry.nbytes)

    def numbers(self, entries: Mapping[int, Entry], tag: int, default: int) -> tuple[int, ...]:
        """The whole numbers of a field, or ``(default,)`` where the field is not there."""
        entry = entries.get(tag)
        if entry is None:
            return (default,)
        code = _CODES.get(entry.kind)
        if code is None or entry.count == 0:
            raise Damaged(f"its field {tag} is not made of whole numbers")
        return struct.unpack(f"{self.order}{entry.count}{code}", self.data(entry))

    def number(self, entries: Mapping[int, Entry], tag: int, default: int) -> int:
        return self.numbers(entries, tag, default)[0]

    def _number(self, code: str, data: bytes, at: int) -> int:
        return int(struct.unpack_from(self.order + code, data, at)[0])


def exif_orientation(block: bytes) -> int:
    """The orientation (1 to 8) that an EXIF block gives, 1 where it gives none or is damaged."""
    try:
        reader = TiffReader(io.BytesIO(block))
        value = reader.number(reader.directory(reader.first)[0], ORIENTATION, 1)
    except (Damaged, struct.error):
        return 1
    return value if 1 <= value <= 8 else 1


def exif_comment(block: bytes) -> bytes:
    """The UserComment of an EXIF block as it stands, empty where there is none."""
    try:
        reader = TiffReader(io.BytesIO(block))
        entries, _ = reader.directory(reader.first)
        if EXIF_IFD not in entries:
            return b""
        entries, _ = reader.directory(reader.number(entries, EXIF_IFD, 0))
        return reader.data(entries[USER_COMMENT]) if USER_COMMENT in entries else b""
    except (Damaged, struct.error):
        return b""


def exif_block(comment: str) -> bytes:
    """An EXIF block with one UserComment of ASCII text (EXIF 2.32, section 4.6.5)."""
    content = b"ASCII\0\0\0" + comment.encode("ascii")
    top = struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, EXIF_IFD, 4, 1, 26, 0)
    inner = struct.pack("<HHHIII", 1, USER_COMMENT, 7, len(content), 44, 0)
    return top + inner + content
