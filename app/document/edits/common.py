"""What all edits share: their error, names that are free, and whom a lock protects."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from app.document.level import graph_of, is_within, layout_of, name_of, node_at, parent_of, walk
from app.labels import label
from app.specs.derived import subgraph_spec, zone_spec
from backend.graph.document import Exposed, Graph, Node, Workflow
from backend.graph.shape import SUBGRAPH
from backend.graph.spec import NodeSpec

SpecOf: TypeAlias = Callable[[Workflow, Node], NodeSpec | None]
"""The spec of a node, uses of subgraphs and zones too; ``SpecBook.spec_of`` is one."""

Value = TypeVar("Value")

_LONGEST = 64
_RESERVED = frozenset({"index", "count", "stop"})


class EditError(Exception):
    """A change that cannot be made: a sentence that says why, and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def reader_of(specs: Mapping[str, NodeSpec]) -> SpecOf:
    """A ``SpecOf`` over plain node types."""

    def spec_of(workflow: Workflow, node: Node) -> NodeSpec | None:
        if node.type.startswith(SUBGRAPH):
            return subgraph_spec(specs, workflow, node.type[len(SUBGRAPH) :], node.version)
        return zone_spec(specs, workflow, node)

    return spec_of


def frozen(table: Mapping[str, Value]) -> Mapping[str, Value]:
    """A read-only mapping, as documents hold them."""
    return MappingProxyType(dict(table))


def without(table: Mapping[str, Value], names: Collection[str]) -> Mapping[str, Value]:
    """A mapping without some of its names; the same object where it has none of them."""
    if not any(name in table for name in names):
        return table
    return frozen({name: value for name, value in table.items() if name not in names})


def put_in_place(table: Mapping[str, Value], old: str, new: str) -> Mapping[str, Value]:
    """A mapping in which one name is another, at the same place in the order."""
    return frozen({new if name == old else name: value for name, value in table.items()})


def names_in(graph: Graph) -> set[str]:
    """The ids of all nodes of a level, those in zones too. New ids avoid them all, so that a node
    in a zone never hides one outside."""
    return {name_of(path) for path, _ in walk(graph)}


def as_id(text: str, otherwise: str = "node") -> str:
    """Text as an id: letters, digits and ``_``, a letter first."""
    made = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[: _LONGEST - 6].lower()
    if not made:
        return otherwise
    return made if made[0].isalpha() else f"n{made}"


def fresh(base: str, taken: Collection[str]) -> str:
    """``base``, or ``base_2``, ``base_3``... : the first that is free."""
    if base not in taken:
        return base
    stem = re.sub(r"_\d+$", "", base) or base
    number = 2
    while f"{stem}_{number}" in taken:
        number += 1
    return f"{stem}_{number}"


def fresh_output(base: str, taken: Iterable[str]) -> str:
    """A free name for what a zone's body or a subgraph gives; none that a zone reads a meaning
    into."""
    return fresh(as_id(base, "value"), {*taken, *_RESERVED})


def fresh_id(workflow: Workflow, level: str, node_type: str) -> str:
    """The id that a new node of a type gets in a level: ``blur``, then ``blur_2``."""
    return fresh(as_id(node_type.removeprefix(SUBGRAPH)), names_in(graph_of(workflow, level)))


def added(before: Workflow, after: Workflow, level: str) -> tuple[str, ...]:
    """The paths of nodes that an edit brought into a level, to select them."""
    old = {path for path, _ in walk(graph_of(before, level))} if _has(before, level) else set()
    return tuple(path for path, _ in walk(graph_of(after, level)) if path not in old)


def _has(workflow: Workflow, level: str) -> bool:
    return not level or level in workflow.subgraphs


def called(workflow: Workflow, level: str, path: str) -> str:
    """How a node is called in a sentence."""
    node = node_at(graph_of(workflow, level), path)
    if node.title:
        return node.title
    subgraph = workflow.subgraphs.get(node.type.removeprefix(SUBGRAPH))
    if node.type.startswith(SUBGRAPH) and subgraph is not None and subgraph.title:
        return subgraph.title
    return label(name_of(path))


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Paths without those that lie in a zone that is among them, in their order."""
    chosen = dict.fromkeys(paths)
    return tuple(path for path in chosen if not is_within(parent_of(path), chosen))


def need_unlocked(workflow: Workflow, level: str, paths: Iterable[str]) -> None:
    """Refuse to change nodes that are locked.

    Raises:
        EditError: one of them is.
    """
    placed = layout_of(workflow, level).nodes
    for path in paths:
        if path in placed and placed[path].locked:
            name = called(workflow, level, path)
            raise EditError(f"{name} is locked. Unlock it to change it.")


def exposed_in(workflow: Workflow, level: str) -> Mapping[str, Exposed]:
    """What a level shows outside: in app mode, or on the uses of a subgraph."""
    return workflow.subgraphs[level].params if level else workflow.expose


def put_exposed(workflow: Workflow, level: str, shown: Mapping[str, Exposed]) -> Workflow:
    """The document in which a level shows other parameters outside."""
    if shown is exposed_in(workflow, level):
        return workflow
    if not level:
        return replace(workflow, expose=frozen(shown))
    subgraph = replace(workflow.subgraphs[level], params=frozen(shown))
    return replace(workflow, subgraphs=frozen({**workflow.subgraphs, level: subgraph}))
