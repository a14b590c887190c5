"""The ends of a subgraph: what it is handed and what it gives, as two nodes of its level."""

from __future__ import annotations

from app.document.level import GIVEN, TAKEN
from app.words import tr
from backend.graph.document import Node, Workflow
from backend.graph.spec import NodeSpec, Socket

_ENDS = {GIVEN: Node("$given"), TAKEN: Node("$taken")}


def end_nodes(level: str) -> dict[str, Node]:
    """The two nodes of a subgraph's level by their paths; the top level has none."""
    return dict(_ENDS) if level else {}


def end_spec(workflow: Workflow, level: str, path: str) -> NodeSpec:
    """What an end of a subgraph's level is like.

    Raises:
        KeyError: there is no such subgraph.
    """
    subgraph = workflow.subgraphs[level]
    if path == GIVEN:
        given = tuple(Socket(name, port.type) for name, port in subgraph.inputs.items())
        return NodeSpec("$given", 1, tr("Inputs"), "Flow", "", outputs=given)
    taken = tuple(Socket(name, "*", optional=True) for name in subgraph.graph.outputs)
    return NodeSpec("$taken", 1, tr("Outputs"), "Flow", "", inputs=taken)
