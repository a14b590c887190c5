"""What the inspector shows of a selection, as plain data: who it is, and which rows it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.document.edits.common import SpecOf, called
from app.document.level import Link, graph_of, layout_of, links_into, node_at
from app.open_document import OpenDocument
from app.words import tr
from backend.graph.document import Node
from backend.graph.spec import NodeSpec, Param


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter that all of the selected nodes have, and the link that feeds it, if one does."""

    param: Param
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is shown. ``paths`` has the active node first; ``spec`` is that of the active one.

    ``locked`` where one of the nodes is; its values are then only shown. ``place`` is the document,
    by its id, and the level.
    """

    paths: tuple[str, ...]
    title: str
    category: str
    nodes: tuple[Node, ...]
    spec: NodeSpec | None
    rows: tuple[Row, ...]
    locked: bool = False
    place: tuple[str, str] = ("", "")

    @property
    def shape(self) -> object:
        """What the widgets depend on; while it is the same, only values have changed."""
        return self.place, self.paths, self.spec, self.rows, self.locked


def subject_of(document: OpenDocument, spec_of: SpecOf) -> Subject | None:
    """The selection as the inspector shows it, or ``None`` where no node is selected."""
    workflow, level = document.workflow, document.level
    graph = graph_of(workflow, level)
    found: dict[str, Node] = {}
    for path in sorted(document.selection, key=lambda p: (p != document.active, p)):
        try:
            found[path] = node_at(graph, path)
        except KeyError:
            continue
    if not found:
        return None
    paths, nodes = tuple(found), tuple(found.values())
    specs = [spec_of(workflow, node) for node in nodes]
    placed = layout_of(workflow, level).nodes
    one = len(paths) == 1
    fed = {} if not one else {
        link.input: link for link in links_into(graph, paths[0]) if link.key is None
    }  # fmt: skip
    spec = specs[0]
    title = nodes[0].title or (spec.title if spec is not None else "")
    return Subject(
        paths,
        (title or called(workflow, level, paths[0])) if one else tr("{n} nodes", n=len(paths)),
        _category(specs),
        nodes,
        spec,
        tuple(Row(param, fed.get(param.name)) for param in common_params(specs)),
        any(path in placed and placed[path].locked for path in paths),
        (document.id, level),
    )


def common_params(specs: Sequence[NodeSpec | None]) -> tuple[Param, ...]:
    """The parameters that all have, alike in kind and choices, in the order of the first.

    Their limits are the narrowest, so that what is set fits all.
    """
    if not specs or specs[0] is None or any(spec is None for spec in specs):
        return ()
    found = []
    for param in specs[0].params:
        others = [spec.param(param.name) for spec in specs if spec is not None]
        same = (param.kind, param.choices)
        alike = [p for p in others if p is not None and (p.kind, p.choices) == same]
        if len(alike) == len(specs):
            found.append(_narrowest(param, alike))
    return tuple(found)


def _narrowest(param: Param, alike: Sequence[Param]) -> Param:
    lows = [p.minimum for p in alike if p.minimum is not None]
    highs = [p.maximum for p in alike if p.maximum is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if (low, high) == (param.minimum, param.maximum):
        return param
    return Param(param.name, param.kind, param.default, low, high, param.step, param.choices)


def _category(specs: Sequence[NodeSpec | None]) -> str:
    known = {spec.category.partition("/")[0] for spec in specs if spec is not None}
    return known.pop() if len(known) == 1 else ""
