"""Limits on everything in a document that can multiply."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of the largest workflow file that is read."""

MAX_VALUES = 5_000_000
"""Values (counted by brackets and commas) in the largest file that is read: bounds memory."""

MAX_DEPTH = 100
"""Brackets inside brackets in a workflow file."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How far a document may expand.

    ``nodes`` counts every node after all subgraphs are opened, ``subgraph_depth`` subgraphs inside
    subgraphs, ``zone_depth`` zones inside zones, ``list_items`` the product of list lengths.
    """

    nodes: int = 200_000
    subgraph_depth: int = 64
    zone_depth: int = 8
    list_items: int = 100_000
