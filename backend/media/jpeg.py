"""The structure of JPEG files (ITU-T T.81): the segments before the picture data."""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from backend.media.errors import Damaged

SIGNATURE = b"\xff\xd8\xff"
APP1, APP2, APP14, SCAN = 0xE1, 0xE2, 0xEE, 0xDA
EXIF_MARK = b"Exif\0\0"
_ICC_MARK = b"ICC_PROFILE\0"
FRAMES = (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
MOST_SEGMENT = 65533


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker segment; ``data`` is without marker and length. ``offset`` is that of its marker."""

    marker: int
    offset: int
    data: bytes


def walk(file: BinaryIO) -> Iterator[Segment]:
    """The segments up to the start of the first scan, that one included.

    Raises:
        Damaged: the file ends before it, or something else stands where a marker should.
    """
    size = file.seek(0, io.SEEK_END)
    at = 2
    while at + 4 <= size:
        file.seek(at)
        lead, marker = file.read(2)
        if lead != 0xFF:
            raise Damaged("a marker is missing in its header")
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker == 0xD9 or length < 2 or at + 2 + length > size:
            break
        yield Segment(marker, at, file.read(length - 2))
        if marker == SCAN:
            return
        at += 2 + length
    raise Damaged("it is cut short: it ends before its picture data")


def pack_segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def frame(segments: Collection[Segment]) -> tuple[int, int, int, int]:
    """Width, height, components and bits, from the frame header.

    Raises:
        Damaged: there is none.
    """
    for segment in segments:
        if segment.marker in FRAMES and len(segment.data) >= 6:
            bits, height, width, components = struct.unpack_from(">BHHB", segment.data)
            return width, height, components, bits
    raise Damaged("it has no frame header")


def exif(segments: Collection[Segment]) -> bytes:
    """The EXIF block, empty where there is none."""
    for segment in segments:
        if segment.marker == APP1 and segment.data.startswith(EXIF_MARK):
            return segment.data[len(EXIF_MARK) :]
    return b""


def profile(segments: Collection[Segment]) -> bytes:
    """The embedded colour profile put together from its parts, empty where there is none."""
    parts = sorted(
        (segment.data[len(_ICC_MARK)], segment.data[len(_ICC_MARK) + 2 :])
        for segment in segments
        if segment.marker == APP2
        and segment.data.startswith(_ICC_MARK)
        and len(segment.data) > len(_ICC_MARK) + 2
    )
    return b"".join(part for _, part in parts)


def rebuild(file: BinaryIO, segments: Collection[Segment]) -> bytes:
    """The file without comments and application data, save what the colours hang on."""
    parts = [b"\xff\xd8"]
    scan = 0
    for segment in segments:
        application = 0xE0 <= segment.marker <= 0xEF or segment.marker == 0xFE
        if segment.marker == SCAN:
            scan = segment.offset
        elif not application or segment.marker in (0xE0, APP14):
            parts.append(pack_segment(segment.marker, segment.data))
    file.seek(scan)
    return b"".join(parts) + file.read()
