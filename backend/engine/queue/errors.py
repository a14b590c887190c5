"""What can be wrong with the queue, in sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from backend.graph.diagnostics import Diagnostic


class QueueError(Exception):
    """The queue cannot do what was asked; the text is a sentence that says what and why."""


class Refused(QueueError):
    """What was asked cannot be, such as to cancel a job that has ended; the queue is well."""


class InvalidJob(QueueError):
    """A workflow with errors was to be queued."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("The workflow has errors; it was not queued.")
        self.diagnostics = tuple(diagnostics)


def unusable(path: Path, error: Exception) -> QueueError:
    """What to say of a database that cannot be used."""
    if isinstance(error, sqlite3.DatabaseError):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return QueueError(
                f"The queue in {path} is broken ({error}). Move that file away to begin with an "
                "empty queue, or put a backup in its place."
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return QueueError(f"The queue in {path} is in use by another program; try again.")
        if code == sqlite3.SQLITE_FULL:
            return QueueError(f"The queue in {path} cannot be written: the disk is full.")
    said = getattr(error, "strerror", None) or str(error)
    return QueueError(f"The queue in {path} cannot be used: {said}.")
