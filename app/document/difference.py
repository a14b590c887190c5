"""What differs between two mappings of the document, told by identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from operator import is_not
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Difference(Generic[Key, Value]):
    """What differs between two mappings, found once for all who ask."""

    before: Mapping[Key, Value]
    after: Mapping[Key, Value]
    same: bool
    """They have the ``same_keys``."""
    changed: list[Key]
    """The ``changed_keys``."""


def copied(table: Mapping[Key, Value]) -> dict[Key, Value]:
    """A mapping as a dictionary of one's own. The copy that a read-only view makes itself is
    many times quicker than going through it by its keys."""
    copy = getattr(table, "copy", None)
    made = copy() if copy is not None else None
    return made if isinstance(made, dict) else dict(table)


def same_keys(before: Mapping[Key, object], after: Mapping[Key, object]) -> bool:
    """Whether two mappings have the same keys in the same order."""
    return len(before) == len(after) and list(before) == list(after)


def changed_keys(before: Mapping[Key, Value], after: Mapping[Key, Value]) -> list[Key]:
    """The keys of ``after`` that are new or have another object than before."""
    return compared(before, after)[1]


def compared(before: Mapping[Key, Value], after: Mapping[Key, Value]) -> tuple[bool, list[Key]]:
    """Whether two mappings have the ``same_keys``, and the ``changed_keys``.

    A document of thousands of nodes is gone through at each edit, so this is done without a loop
    of our own where the keys stayed.
    """
    if same_keys(before, after):
        return True, list(compress(after, map(is_not, before.values(), after.values())))
    return False, [key for key, value in after.items() if before.get(key) is not value]
