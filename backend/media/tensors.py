"""The text that Weft keeps in a safetensors file, in the ``__metadata__`` of its header.

The format (https://huggingface.co/docs/safetensors): 8 bytes little-endian length, so many bytes of
JSON, then the tensors. Writers put ``__metadata__`` first, so the tensors' own entries, of which
there may be any number, are not looked at.
"""

from __future__ import annotations

import json
import re
from typing import BinaryIO

_BEGIN = re.compile(rb'\s*\{\s*"__metadata__"\s*:\s*')


def is_tensors(head: bytes) -> bool:
    """Whether a file that begins so may be one: a length, then the brace of the header."""
    return len(head) > 8 and head[8:9] == b"{" and head[6:8] == b"\0\0"


def text(file: BinaryIO, name: str, most: int) -> str:
    """The entry ``name`` of the metadata; empty where there is none, or above ``most`` bytes."""
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    raw = file.read(min(length, most))
    begin = _BEGIN.match(raw)
    if begin is None:
        return ""
    try:
        held, _ = json.JSONDecoder().raw_decode(raw.decode("utf-8", "replace")[begin.end() :])
    except (ValueError, RecursionError):
        return ""
    found = held.get(name) if isinstance(held, dict) else None
    return found if isinstance(found, str) else ""
