"""Tables and folders that are picked or dropped."""

from __future__ import annotations

import glob
from pathlib import Path

from PySide6.QtGui import QDropEvent

TABLES = (".csv", ".jsonl")


def escaped(folder: str) -> str:
    """A folder as a pattern, in which its own name stands for nothing else."""
    return glob.escape(folder.rstrip("/"))


def dropped_table(event: QDropEvent) -> Path | None:
    """The table that is dropped, if it is one."""
    urls = event.mimeData().urls()
    if len(urls) != 1 or not urls[0].isLocalFile():
        return None
    path = Path(urls[0].toLocalFile())
    return path if path.suffix.lower() in TABLES else None
