"""Nodes put into links: one that is there, a new one, or a chain that bridges two sockets."""

from __future__ import annotations

from collections.abc import Mapping

from app.document.edits.bridge import Step
from app.document.edits.common import (
    EditError,
    SpecOf,
    called,
    fresh_id,
)
from app.document.edits.connect import connect
from app.document.edits.cycles import would_cycle
from app.document.edits.kinds import fits, input_end, output_end
from app.document.edits.nodes import add_node, new_node
from app.document.edits.place import place_of
from app.document.level import (
    Link,
    graph_of,
    join,
    layout_of,
    links_into,
    node_at,
    parent_of,
)
from backend.graph.document import Workflow
from backend.graph.spec import NodeSpec
from backend.graph.types import is_generic


def sockets_for(
    workflow: Workflow, level: str, link: Link, path: str, spec_of: SpecOf
) -> tuple[str, str] | None:
    """The input and output by which a node would go into a link, or ``None`` where it would not.

    Sockets of the very type go before those that a conversion or anything fits, free inputs before
    linked ones.
    """
    graph = graph_of(workflow, level)
    spec = spec_of(workflow, node_at(graph, path))
    if spec is None or path in (link.source, link.target):
        return None
    if would_cycle(graph, link.source, path) or would_cycle(graph, path, link.target):
        return None
    given = output_end(workflow, level, link.source, link.output, spec_of).type
    end = input_end(workflow, level, link.target, link.input, spec_of)
    wanted = end.type if end is not None else given
    linked = {k.input for k in links_into(graph, path)}
    ins = [s for s in spec.inputs if fits(given, s.type)]
    ins.sort(key=lambda s: (s.name in linked, s.type != given, is_generic(s.type)))
    for taking in ins:
        passes = given if is_generic(taking.type) else None
        outs = [
            (o.name, passes if passes and o.type == taking.type else o.type) for o in spec.outputs
        ]
        outs = [(name, kind) for name, kind in outs if fits(kind, wanted)]
        outs.sort(key=lambda out: (out[1] != wanted, is_generic(out[1])))
        if outs:
            return taking.name, outs[0][0]
    return None


def insert(workflow: Workflow, level: str, link: Link, path: str, spec_of: SpecOf) -> Workflow:
    """Put a node that is there into a link.

    Raises:
        EditError: nothing of it fits, or it is locked.
        KeyError: it is not there.
    """
    sockets = sockets_for(workflow, level, link, path, spec_of)
    if sockets is None:
        name = called(workflow, level, path)
        raise EditError(f"{name} does not fit into this link. Link it by hand.")
    into, out = sockets
    made = connect(workflow, level, Link(link.source, link.output, path, into), spec_of)
    return connect(made, level, link._replace(source=path, output=out), spec_of)


def insert_new(
    workflow: Workflow,
    level: str,
    link: Link,
    spec: NodeSpec,
    at: tuple[float, float],
    spec_of: SpecOf,
) -> Workflow:
    """Put a new node into a link.

    Raises:
        EditError: nothing of it fits.
    """
    zone = parent_of(link.target)
    name = fresh_id(workflow, level, spec.type)
    made = add_node(workflow, level, new_node(spec), at, zone, name)
    return insert(made, level, link, join(zone, name), spec_of)


def insert_chain(
    workflow: Workflow,
    level: str,
    link: Link,
    chain: tuple[Step, ...],
    specs: Mapping[str, NodeSpec],
    spec_of: SpecOf,
) -> Workflow:
    """Make a link that needs nodes in between, such as ``Bridges.between`` tells them.

    The nodes go into the zone of the target, and lie on the line between both ends.

    Raises:
        EditError: one of the links cannot be made.
    """
    zone, layout = parent_of(link.target), layout_of(workflow, level)
    begin, end = place_of(layout, link.source), place_of(layout, link.target)
    source, output = link.source, link.output
    for number, step in enumerate(chain, 1):
        share = number / (len(chain) + 1)
        at = begin.x + (end.x - begin.x) * share, begin.y + (end.y - begin.y) * share
        name = fresh_id(workflow, level, step.type)
        node = new_node(specs[step.type])
        workflow = add_node(workflow, level, node, (round(at[0]), round(at[1])), zone, name)
        path = join(zone, name)
        workflow = connect(workflow, level, Link(source, output, path, step.input), spec_of)
        source, output = path, step.output
    return connect(workflow, level, link._replace(source=source, output=output), spec_of)
