"""Verifying a model: reading it whole, keeping its hash, and saying whether it is what it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.catalog.index import Entry, Index
from backend.catalog.scan import content_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it: whether the model is as it should be, how that is known, and its hash."""

    good: bool
    said: str
    content: str


def verify(entry: Entry, index: Index, progress: Callable[[int], None] | None = None) -> Verdict:
    """Read a model whole and compare it with its source and with the last time.

    ``progress`` hears how many bytes were read since it was last called. The hash of a model that
    is as it should be is kept in the index; of another it is kept that it cannot be used.

    Raises:
        CatalogError: a file cannot be read any more, or has changed since it was scanned.
    """
    if entry.problem:
        return Verdict(False, entry.problem, entry.content)
    content, sha256 = content_of(entry, progress)
    damage = ""
    if entry.content and content != entry.content:
        damage = "not what it was when it was last verified, though size and time are the same"
    elif entry.sha256 and sha256 and sha256 != entry.sha256:
        damage = "not what its source says"
    if damage:
        index.keep_problem(entry, f"{entry.path} is {damage}. Get it again.")
        return Verdict(False, damage, content)
    if not index.keep_hash(entry, content=content):
        return Verdict(False, "changed since the last scan; scan again", content)
    known = entry.sha256 and sha256
    return Verdict(True, "as its source says" if known else "read whole", content)
