"""What arrives at a node while facts flow: facts and wires of its links, and the step they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from backend.graph.diagnostics import Diagnostic
from backend.graph.facts import Facts
from backend.graph.flat import FROM_ZONE, Feed, Flat, Step, Wire
from backend.graph.opened import Opened, Source

UNKNOWN = Facts("*")
"""The facts of a value of which not even the type is known."""


@dataclass(slots=True)
class Arrival:
    """What arrives at one node: facts by input, the wires, and the lists that map it."""

    inputs: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Facts] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)
    lists: dict[str, int | None] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)
    vague: bool = False  # a list of unknown length goes into a growing row
    unsure: bool = False  # a lazy node may not ask for all the lists
    problems: list[Diagnostic] = field(default_factory=list)


def facts_at(source: Source) -> Facts:
    """What is known of a source now."""
    if source.given:
        level = source.node.body
        return (level.given if level is not None else {}).get(source.output, UNKNOWN)
    return source.node.facts.get(source.output, UNKNOWN)


def wire_of(source: Source) -> Wire:
    """The wire from a source, without a conversion."""
    return Wire(FROM_ZONE if source.given else source.node.number, source.output)


def said_source(source: Source) -> str:
    """How a source is called in a sentence."""
    return f"$.{source.output}" if source.given else f"{source.node.id}.{source.output}"


def keep_step(node: Opened, feeds: Mapping[str, Feed], body: Flat | None = None) -> None:
    """Make the node's step, or keep the one it has when nothing changed."""
    made = Step(
        node.id,
        node.node.type,
        node.node.version,
        node.params,
        MappingProxyType(dict(feeds)),
        node.node.each,
        body,
    )
    if node.step is None or node.step != made:
        node.step = made


def agree(first: Facts, second: Facts) -> Facts:
    """What is known of a value that is one of two."""
    if first == second:
        return first
    if first.type != second.type:
        return UNKNOWN
    known = {n: v for n, v in first.known.items() if second.known.get(n) == v}
    is_list = first.is_list and second.is_list
    length = first.length if is_list and first.length == second.length else None
    return Facts(first.type, MappingProxyType(known), is_list, length)
