"""The checked graph: subgraphs opened, bypasses and conversions resolved, sources before users.

This is what a plan and an engine read. Steps are numbered; a wire names its source by number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from backend.graph.document import Each, Json, no_items

FROM_ZONE = -1
"""The step number of a wire inside a zone's body that reads what the zone hands in."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One link, resolved. ``convert`` names a row of the conversions table, or is empty.

    Inside a body, ``step == FROM_ZONE`` reads the zone's own names: an item, a carried value,
    ``index``, ``count``, or a capture.
    """

    step: int
    output: str
    convert: str = ""


Feed: TypeAlias = Wire | tuple[Wire, ...] | Mapping[str, Wire]


@dataclass(frozen=True, slots=True)
class Step:
    """One node to run. ``id`` is its path in the document (``portrait/blur``).

    ``params`` are complete (defaults filled in) and canonical; ``inputs`` holds only what is
    linked. A zone has a ``body``; its ``inputs`` are then ``items`` (lists by name), ``carry``
    (first values by name), its linked parameters, and ``captures``: what its body reads from
    outside, by the name under which the body reads it.
    """

    id: str
    type: str
    version: int
    params: Mapping[str, Json] = field(default_factory=no_items)
    inputs: Mapping[str, Feed] = field(default_factory=no_items)
    each: Each = "zip"
    body: Flat | None = None


@dataclass(frozen=True, slots=True)
class Flat:
    """Steps in an order in which every wire points backwards, and what the graph gives."""

    steps: tuple[Step, ...] = ()
    outputs: Mapping[str, Wire] = field(default_factory=no_items)
    index: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
