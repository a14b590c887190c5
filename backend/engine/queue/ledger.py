"""The ledger: which output of a job stands under which name, so that none is written twice.

A job that was ended by a kill is begun again. Before an output is put under its name, the name and
the hash of its bytes are noted here, on disk. The second attempt looks its outputs up by their
place in the graph: one that stands as noted is taken as saved, and any other is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.engine.queue.database import Database
from backend.engine.queue.errors import QueueError
from backend.sdk import Saved, UserError


class Ledger:
    """The pages of one job, opened by the process that writes its outputs; threads may share it."""

    def __init__(self, path: Path, ticket: str) -> None:
        """``path`` is the queue's file, ``ticket`` the job's (``Job.ticket``).

        Raises:
            QueueError: the file cannot be opened.
        """
        number, _, claim = ticket.partition(":")
        self.job, self.claim = int(number), int(claim)
        self.database = Database(path)

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def slot(
        self, root: Path, step: str, turns: Sequence[int], item: int | None, ordinal: int
    ) -> Slot:
        """The place of one output: the ``ordinal``-th of a call of a step, below ``root``."""
        name = json.dumps([step, list(turns), item, ordinal])
        return Slot(self, str(root.absolute()), name)


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one output in the ledger (``backend.media.outputs.Slot``)."""

    ledger: Ledger
    root: str
    name: str

    def noted(self) -> Saved | None:
        """What an earlier attempt noted here.

        Raises:
            UserError: the ledger cannot be read.
        """
        try:
            rows = self.ledger.database.read(
                "SELECT name, hash FROM ledger WHERE job = ? AND slot = ? AND root = ?",
                self.ledger.job, self.name, self.root,
            )  # fmt: skip
        except QueueError as error:
            raise UserError(str(error)) from error
        return Saved(rows[0]["name"], rows[0]["hash"]) if rows else None

    def note(self, saved: Saved, own: bool) -> bool:
        """Note what is to stand here; false when another job is about to use the same name.

        With ``own`` the name is to be this output's alone; else it may be written over by others.

        Raises:
            UserError: the ledger cannot be written, or the job is not this process's any more.
        """
        ledger = self.ledger
        try:
            with ledger.database.changes() as db:
                # A host that has outlived its runner must not write what the next one writes.
                if not db.execute(
                    "SELECT 1 FROM jobs WHERE id = ? AND claims = ? AND state = 'running'",
                    (ledger.job, ledger.claim),
                ).fetchone():
                    raise UserError("This job is not run by this process any more.")
                if (
                    own
                    and db.execute(
                        "SELECT 1 FROM ledger WHERE root = ? AND name = ?"
                        " AND (job != ? OR slot != ?)",
                        (self.root, saved.path, ledger.job, self.name),
                    ).fetchone()
                ):
                    return False
                db.execute(
                    "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?)",
                    (ledger.job, self.name, self.root, saved.path, saved.hash),
                )
        except QueueError as error:
            raise UserError(str(error)) from error
        return True
