"""The text that Weft keeps in video and sound files: where it stands, found without a decoder.

- MP4: ``moov/udta/meta/ilst/©cmt``, the comment, with ``weft:`` in front
- WebM and Matroska: the tag ``COMMENT``, the same
- GIF: a comment block behind the pictures, the same
- FLAC: an application block ``weft``
- MP3: an ID3v2 frame ``TXXX`` called ``weft``
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from backend.media.errors import Damaged

MARK = "weft:"
_COMMENT = b"\xa9cmt"
_SEGMENT, _TAGS, _TAG, _SIMPLE = 0x18538067, 0x1254C367, 0x7373, 0x67C8
_NAME, _STRING, _CLUSTER = 0x45A3, 0x4487, 0x1F43B675
_MANY = 100_000
"""Parts of a file that are looked at; any bytes may stand there."""


def mp4_text(file: BinaryIO, most: int) -> str:
    """The comment of an open MP4 or MOV that bears the mark, without it; empty for none."""
    end = file.seek(0, os.SEEK_END)
    span = (0, end)
    for name, skip in ((b"moov", 0), (b"udta", 0), (b"meta", 4), (b"ilst", 0), (_COMMENT, 0),
                       (b"data", 8)):  # fmt: skip
        found = next((part for kind, *part in _boxes(file, *span) if kind == name), None)
        if found is None:
            return ""
        span = (found[0] + skip, found[1])
    return _marked(_text(file, *span, most))


def matroska_text(file: BinaryIO, most: int) -> str:
    """The comment of an open WebM or Matroska file that bears the mark; empty for none."""
    end = file.seek(0, os.SEEK_END)
    for segment in _inside(file, (0, end), _SEGMENT):
        for tags in _inside(file, segment, _TAGS):
            for tag in _inside(file, tags, _TAG):
                for simple in _inside(file, tag, _SIMPLE):
                    parts = {kind: (at, to) for kind, at, to in _elements(file, *simple)}
                    name = parts.get(_NAME)
                    if name is None or _text(file, *name, 64).rstrip("\0") != "COMMENT":
                        continue
                    if _STRING in parts and (text := _marked(_text(file, *parts[_STRING], most))):
                        return text
    return ""


def gif_text(file: BinaryIO, most: int) -> str:
    """The comment at the end of an open GIF that bears the mark; empty for none."""
    end = file.seek(0, os.SEEK_END)
    size = min(end, most + most // 255 + 64)
    file.seek(end - size)
    data = file.read(size)
    at = data.rfind(b"\x21\xfe\x05" + MARK.encode())
    if at < 0:
        return ""
    at, parts = at + 2, []
    while at < len(data) and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return _marked(b"".join(parts).decode("ascii", "replace"))


def append_gif(path: Path, text: str) -> None:
    """Put a comment before the end mark of a GIF.

    Raises:
        OSError: it cannot be written.
    """
    data = text.encode("ascii")
    blocks = [MARK.encode(), *(data[at : at + 255] for at in range(0, len(data), 255))]
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\x3b":
            raise OSError("the GIF has no end")
        file.seek(-1, os.SEEK_END)
        file.write(b"\x21\xfe" + b"".join(bytes([len(b)]) + b for b in blocks) + b"\0\x3b")


def flac_text(file: BinaryIO, most: int) -> str:
    """The text in the application block of an open FLAC file; empty for none."""
    file.seek(4)
    for _ in range(_MANY):
        head = file.read(4)
        if len(head) < 4:
            return ""
        length = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 2 and 4 < length <= most and file.read(4) == b"weft":
            return file.read(length - 4).decode("ascii", "replace")
        if head[0] & 0x80:
            return ""
        file.seek(length - 4 if head[0] & 0x7F == 2 and 4 < length <= most else length, 1)
    return ""


def with_flac_text(data: bytes, text: str) -> bytes:
    """An encoded FLAC file with the text behind its first block."""
    length = int.from_bytes(data[5:8], "big")
    end = 8 + length
    block = b"weft" + text.encode("ascii")
    last = data[4] & 0x80
    head = bytes([2 | last]) + len(block).to_bytes(3, "big")
    return data[:4] + bytes([data[4] & 0x7F]) + data[5:end] + head + block + data[end:]


def mp3_text(file: BinaryIO, most: int) -> str:
    """The text in the tag of an open MP3 file; empty for none."""
    file.seek(0)
    head = file.read(10)
    if head[:3] != b"ID3" or len(head) < 10 or head[3] != 4 or head[5]:
        return ""
    end = 10 + _seven(head[6:])
    while file.tell() + 10 < end:
        frame = file.read(10)
        if len(frame) < 10 or not frame[0]:
            return ""
        size = _seven(frame[4:8])
        if frame[:4] == b"TXXX" and size <= most:
            name, _, text = file.read(size)[1:].partition(b"\0")
            if name == b"weft":
                return text.rstrip(b"\0").decode("ascii", "replace")
        else:
            file.seek(size, 1)
    return ""


def mp3_tag(text: str) -> bytes:
    """A tag (ID3v2.4) that stands before an MP3."""
    body = b"\x03weft\0" + text.encode("ascii")
    frame = b"TXXX" + _sevens(len(body)) + b"\0\0" + body
    return b"ID3\x04\0\0" + _sevens(len(frame)) + frame


def _seven(data: bytes) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(data)))


def _sevens(number: int) -> bytes:
    return bytes(number >> 7 * place & 0x7F for place in (3, 2, 1, 0))


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of the content of each box."""
    for _ in range(_MANY):
        if at + 8 > end:
            return
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        begin = at + 8
        if size == 1:
            size, begin = int.from_bytes(file.read(8), "big"), at + 16
        to = end if size == 0 else at + size
        if to < begin or to > end:
            raise Damaged("a box ends behind the file")
        yield kind, begin, to
        at = to


def _inside(file: BinaryIO, span: tuple[int, int], wanted: int) -> list[tuple[int, int]]:
    return [(at, to) for kind, at, to in _elements(file, *span) if kind == wanted]


def _elements(file: BinaryIO, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of the content of each element; it ends at one of unknown length."""
    for _ in range(_MANY):
        if at >= end:
            return
        file.seek(at)
        kind, first = _number(file, marked=True)
        size, second = _number(file, marked=False)
        begin = at + first + second
        if size == (1 << 7 * second) - 1:
            if kind == _SEGMENT:
                yield kind, begin, end
            return
        to = begin + size
        if to > end:
            if kind == _SEGMENT:
                yield kind, begin, end
            return
        yield kind, begin, to
        at = to


def _number(file: BinaryIO, marked: bool) -> tuple[int, int]:
    """A number of variable length and that length; ``marked`` keeps the mark of its length."""
    first = file.read(1)
    if not first or not first[0]:
        raise Damaged("an element has no length")
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    if len(rest) < length - 1:
        raise Damaged("an element ends early")
    value = first[0] if marked else first[0] & (1 << 8 - length) - 1
    return int.from_bytes(bytes([value]) + rest, "big"), length


def _text(file: BinaryIO, at: int, end: int, most: int) -> str:
    if end - at > most:
        return ""
    file.seek(at)
    return file.read(end - at).decode("ascii", "replace")


def _marked(text: str) -> str:
    return text.removeprefix(MARK) if text.startswith(MARK) else ""
