"""The ends of a subgraph: what it is handed and what it gives, as two nodes of its level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.canvas.measure import FOOTER, PAD
from app.canvas.shape import Shape, Side, Socket
from app.document.edits.common import SpecOf
from app.document.edits.kinds import output_end
from app.document.level import GIVEN, TAKEN, links_into
from app.words import tr
from backend.graph.document import Graph, Node, Workflow
from backend.graph.spec import NodeSpec
from backend.graph.spec import Socket as SpecSocket

_GIVEN = Node("$given")


def end_nodes(level: str, graph: Graph, before: Mapping[str, Node]) -> dict[str, Node]:
    """The two nodes of a subgraph's level by their paths; the top level has none.

    What the level gives is linked to its outputs. A node of ``before`` for which nothing has
    changed stays the same object.
    """
    if not level:
        return {}
    taken = before.get(TAKEN)
    if taken is None or taken.inputs is not graph.outputs:
        taken = Node("$taken", inputs=graph.outputs)
    return {GIVEN: _GIVEN, TAKEN: taken}


def end_spec(workflow: Workflow, level: str, path: str, spec_of: SpecOf) -> NodeSpec:
    """What an end of a subgraph's level is like; an output has the type of what gives it.

    Raises:
        KeyError: there is no such subgraph.
    """
    subgraph = workflow.subgraphs[level]
    if path == GIVEN:
        given = tuple(SpecSocket(name, port.type) for name, port in subgraph.inputs.items())
        return NodeSpec("$given", 1, tr("Inputs"), "Flow", "", outputs=given)
    taken = tuple(
        SpecSocket(
            link.input, output_end(workflow, level, link.source, link.output, spec_of).type,
            optional=True,
        )
        for link in links_into(subgraph.graph, TAKEN)
    )  # fmt: skip
    return NodeSpec("$taken", 1, tr("Outputs"), "Flow", "", inputs=taken)


def end_shape(path: str, shape: Shape) -> Shape:
    """The shape of an end, laid out as a node: with a free socket at which a link makes another.
    It never runs, so nothing is said below."""
    if shape.collapsed:
        return shape
    rows = shape.rows
    y = rows.first + rows.row * len(shape.sockets)
    side: Side = "out" if path == GIVEN else "in"
    x, said = (shape.width, tr("New input")) if side == "out" else (0.0, tr("New output"))
    free = Socket(side, "", None, "*", x, y, said, free=True)
    places = {**shape.places, (side, "", None): free}
    height = y + rows.row / 2 + PAD
    return replace(
        shape, height=height, sockets=(*shape.sockets, free), footer_y=height + FOOTER,
        places=places,
    )  # fmt: skip
