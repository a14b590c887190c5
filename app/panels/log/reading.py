"""Reading the log's files into entries, without Qt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Source = Literal["log", "engine"]
MOST = 2 * 2**20
"""Bytes of the newest log that are shown."""
_HEAD = re.compile(r"^== (\S+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: when (``2026-01-31 14:05:09``), of which process, and its text."""

    when: str
    process: int
    text: str
    source: Source = "log"

    def holds(self, words: Sequence[str]) -> bool:
        """Whether every word (in small letters) occurs in it."""
        whole = f"{self.when} {self.process} {self.text}".casefold()
        return all(word in whole for word in words)

    @property
    def shown(self) -> str:
        """As it stands in the panel and on the clipboard."""
        if self.source == "engine":
            return f"{self.when}  {self.text}"
        return f"{self.when}  process {self.process}\n{self.text}\n"


def entries_of(text: str) -> tuple[Entry, ...]:
    """The entries in the text of log files; what stands before the first head is left out."""
    heads = list(_HEAD.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)][: len(heads)]
    return tuple(
        Entry(_when(head[1]), int(head[2]), text[head.end() : end].strip("\n"))
        for head, end in zip(heads, ends, strict=True)
    )


def newest(files: Sequence[Path], most: int = MOST) -> str:
    """The end of the log, at most ``most`` bytes; ``files`` are its files, the oldest first.

    A file that is put away meanwhile is left out.
    """
    parts: list[bytes] = []
    left = most
    for path in reversed(files):
        if left <= 0:
            break
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - left))
                parts.append(file.read(left))
        except OSError:
            continue
        left -= len(parts[-1])
    return b"".join(reversed(parts)).decode("utf-8", "replace")


def stamp(files: Sequence[Path]) -> tuple[tuple[str, int, int], ...]:
    """What is another when the log has changed: name, size and time of its files."""
    found = []
    for path in files:
        try:
            known = path.stat()
        except OSError:
            continue
        found.append((path.name, known.st_size, known.st_mtime_ns))
    return tuple(found)


def _when(stamp: str) -> str:
    """``2026-01-31T14:05:09+0100`` without its T and zone, which are the reader's own."""
    return stamp[:19].replace("T", " ")
