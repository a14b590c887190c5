"""Lifting what an older Weft wrote: the file's format, and single nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

from backend.graph.document import Node
from backend.graph.registry import Registry

FormatStep: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

FORMAT_STEPS: tuple[FormatStep, ...] = ()
"""Step ``i`` lifts a document's JSON from format version ``i + 1`` to ``i + 2``. Version 1 is the
first, so there is none yet."""


def format_version(steps: Sequence[FormatStep] = FORMAT_STEPS) -> int:
    """The format version that this Weft writes."""
    return len(steps) + 1


def lift_document(
    raw: dict[str, Any], version: int, steps: Sequence[FormatStep] = FORMAT_STEPS
) -> dict[str, Any]:
    """The JSON of an older document in the present format version."""
    for step in steps[version - 1 :]:
        raw = step(raw)
    return {**raw, "weft": format_version(steps)}


def lift_node(node: Node, registry: Registry) -> Node:
    """A node in the present version of its type; the node itself where it is that already.

    Raises:
        Exception: whatever a migration raises.
    """
    version, params, inputs = registry.migrate(node.type, node.version, node.params, node.inputs)
    frozen: Mapping[str, Any] = MappingProxyType(dict(inputs))
    return replace(node, version=version, params=MappingProxyType(dict(params)), inputs=frozen)
