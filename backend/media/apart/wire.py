"""What goes through the pipes of a decoding worker: a JSON header, then raw bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

_LENGTH = struct.Struct("<I")
LARGEST_HEADER = 1 << 20
THUMBNAIL = 320
"""Pixels of the longest side of a thumbnail."""


class Gone(Exception):
    """The other side has closed its pipe, or sends nonsense."""


def send_header(pipe: BinaryIO, header: Mapping[str, Any]) -> None:
    """Write a header; the caller flushes after the bytes that follow it.

    Raises:
        OSError: nobody reads any more.
    """
    text = json.dumps(header, separators=(",", ":")).encode()
    pipe.write(_LENGTH.pack(len(text)) + text)


def receive_header(pipe: BinaryIO) -> dict[str, Any]:
    """Read a header.

    Raises:
        Gone: the pipe was closed, or what came is no header.
    """
    (length,) = _LENGTH.unpack(receive(pipe, _LENGTH.size))
    if length > LARGEST_HEADER:
        raise Gone("the header is too long")
    try:
        found = json.loads(receive(pipe, length))
    except (ValueError, RecursionError) as error:
        raise Gone("the header is no JSON") from error
    if not isinstance(found, dict):
        raise Gone("the header is no object")
    return found


def receive(pipe: BinaryIO, count: int) -> bytes:
    """Exactly ``count`` bytes.

    Raises:
        Gone: the pipe was closed before.
    """
    data = pipe.read(count)
    if len(data) < count:
        raise Gone("the pipe was closed")
    return data


def receive_into(pipe: BinaryIO, room: memoryview) -> None:
    """Fill ``room`` from the pipe.

    Raises:
        Gone: the pipe was closed before.
    """
    done = 0
    while done < len(room):
        count = pipe.readinto(room[done:])  # type: ignore[attr-defined]
        if not count:
            raise Gone("the pipe was closed")
        done += count
