"""What a weight file is that is none: a pickle, a web page, a pointer of git, another format."""

from __future__ import annotations

import re
from pathlib import Path

LOOKED_AT = 512
"""Bytes at the beginning of a file that tell what it is."""
SHOWN = 80
"""Characters of a text that a sentence shows."""
_LFS = b"version https://git-lfs"
_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml)", re.IGNORECASE)


def is_pickle(start: bytes) -> bool:
    """A pickle of protocol 2 to 5, or a zip archive as torch.save writes it.

    A safetensors file begins with the length of its header, whose upper bytes are zero.
    """
    zipped = start[:4] == b"PK\x03\x04"
    pickled = start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    return (zipped or pickled) and (len(start) < 8 or any(start[4:8]))


def pickle_sentence(path: Path) -> str:
    """Why a pickle is refused, and what to do."""
    return (
        f"{path} is a pickle, which can run code when it is read, so it is refused. Get the "
        "model as safetensors or GGUF, or load it in a throw-away environment with torch.load("
        "file, weights_only=True) and save it with safetensors.torch.save_file."
    )


def told(path: Path, start: bytes, kind: str) -> str:
    """A sentence for a file that is plainly something else than ``kind``, by its first bytes; ""
    where they tell nothing. ``kind`` is ``safetensors`` or ``GGUF``."""
    if start.startswith(_LFS):
        return (
            f"{path} is only the pointer that git leaves where a large file belongs. Fetch the "
            "file itself: git lfs pull."
        )
    if is_pickle(start):
        return pickle_sentence(path)
    if start.startswith(b"GGUF") and kind != "GGUF":
        return f"{path} is a GGUF file in spite of its name. Rename it so that it ends in .gguf."
    if _PAGE.match(start):
        return (
            f"{path} is a web page and no {kind} file: a download that asks for a login, or went "
            "wrong, gives one. Get the file again from its source."
        )
    if line := _first_line(start):
        return (
            f"{path} is a text and no {kind} file; it begins with {line!r}. Get the file again "
            "from its source."
        )
    return ""


def _first_line(start: bytes) -> str:
    """The first line of a text in UTF-8 that says something; "" for anything else."""
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # else only the last character was cut
            return ""
        text = start[: error.start].decode()
    if any(not char.isprintable() and char not in "\t\r\n" for char in text):
        return ""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:SHOWN]
