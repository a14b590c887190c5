"""Linking two nodes without saying by which sockets."""

from __future__ import annotations

from app.canvas.canvas import Canvas
from app.canvas.parts import NodeView
from app.document.edits.connect import connect
from app.document.edits.kinds import fits
from app.document.level import Link, graph_of, walk
from backend.graph.document import Workflow


def link_first(
    workflow: Workflow, level: str, left: NodeView, right: NodeView, canvas: Canvas
) -> Workflow:
    """Link the first output of one node that fits a free input of the other."""
    graph = graph_of(workflow, level)
    taken = {(path, name) for path, node in walk(graph) for name in node.inputs}
    for out in (s for s in left.shape.sockets if s.side == "out"):
        for into in (s for s in right.shape.sockets if s.side == "in"):
            if (right.path, into.name) not in taken and fits(out.type, into.type):
                link = Link(left.path, out.name, right.path, into.name)
                return connect(workflow, level, link, canvas.spec_of)
    return workflow
