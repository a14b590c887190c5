"""A batch that was begun before: what its manifest says was asked, and whether it is the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.panels.batch.outlook import Wanted
from app.words import tr
from backend.batch.errors import BatchError
from backend.batch.manifest import read
from backend.batch.plan import Batch

ASKED = "asked"
"""The field of a manifest's first line that holds what was asked in the dock."""

MOST_BYTES = 512 * 2**20
"""Bytes of the largest manifest that is read."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A manifest: its file, what its jobs were made from, and where their seeds are drawn from.

    ``wanted`` is what was asked in the dock, or nothing where the command line wrote it.
    """

    path: Path
    parts: dict[str, object]
    draw: int
    wanted: Wanted | None

    def unlike(self, batch: Batch) -> str:
        """In what a batch is not this one, as a sentence; or nothing."""
        called = {
            "the workflow or --set": tr("the graph"), "the table": tr("the table"),
            "--sweep": tr("the values"), "--each": tr("the files"), "--name": tr("the names"),
            "--seed": tr("the seed"), "--out": tr("the folder for outputs"),
        }  # fmt: skip
        found = [
            called.get(name, name)
            for name, part in batch.parts.items()
            if self.parts.get(name) != part
        ]
        if not found:
            return ""
        return tr(
            "This is not the batch of {file} any more: {what} differ. Put it as it was, or begin "
            "a new batch.", file=self.path.name, what=", ".join(found),
        )  # fmt: skip


def read_begun(path: Path) -> Begun:
    """What a manifest tells of its batch.

    Raises:
        BatchError: it cannot be read, or is no manifest.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise BatchError(tr("{file} is no file.", file=path.name))
        if path.stat().st_size > MOST_BYTES:
            raise BatchError(tr("{file} is too large for a manifest.", file=path.name))
        told = read(path.read_bytes(), path.name)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise BatchError(tr("{file} cannot be read: {why}.", file=path.name, why=why)) from None
    if told.header is None:
        raise BatchError(tr("{file} tells of no batch.", file=path.name))
    try:
        wanted = msgspec.convert(told.header[ASKED], Wanted) if ASKED in told.header else None
    except msgspec.ValidationError:
        raise BatchError(
            tr("{file} was written by another Weft, which asked otherwise.", file=path.name)
        ) from None
    return Begun(path, dict(told.header["parts"]), int(told.header["draw"]), wanted)
