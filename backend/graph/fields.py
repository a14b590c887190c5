"""A word on fields that this Weft does not know: kept in the file, but without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backend.graph.diagnostics import Diagnostic, diagnose
from backend.graph.document import Exposed, Graph, ModelNeed, Node, Port, Subgraph, Workflow
from backend.graph.params import near
from backend.graph.shape import short, slots


def check_fields(workflow: Workflow) -> Iterator[Diagnostic]:
    """A warning for every unknown field outside the layout."""
    yield from _extra("", Workflow, workflow.extra)
    yield from _graph("", workflow.graph)
    for name, subgraph in workflow.subgraphs.items():
        place = f"subgraphs.{name}."
        yield from _extra(place, Subgraph, subgraph.extra)
        yield from _graph(place, subgraph.graph)
        for key, port in subgraph.inputs.items():
            yield from _extra(f"{place}inputs.{key}.", Port, port.extra)
        for key, exposed in subgraph.params.items():
            yield from _extra(f"{place}params.{key}.", Exposed, exposed.extra)
    for key, exposed in workflow.expose.items():
        yield from _extra(f"expose.{key}.", Exposed, exposed.extra)
    for index, need in enumerate(workflow.models):
        yield from _extra(f"models.{index}.", ModelNeed, need.extra)


def _graph(place: str, graph: Graph) -> Iterator[Diagnostic]:
    todo = [(place, graph)]
    while todo:
        around, inside = todo.pop()
        if inside.extra:
            yield from _extra(around, Graph, inside.extra)
        for node_id, node in inside.nodes.items():
            if node.extra:
                yield from _extra(f"{around}nodes.{node_id}.", Node, node.extra)
            if node.body is not None:
                todo.append((f"{around}nodes.{node_id}.body.", node.body))


def _extra(place: str, kind: Any, extra: Any) -> Iterator[Diagnostic]:
    for name in extra:
        known = [slot.name for slot in slots(kind)]
        sentence = f"The field {short(name)} is unknown and has no effect; it is kept in the file."
        yield diagnose("W406", f"{place}{name}", sentence, near(name, known, listed=False))
