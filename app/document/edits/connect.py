"""Making links, taking them away, and changing their ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from app.document.edits.common import (
    EditError,
    SpecOf,
    as_id,
    called,
    fresh,
    frozen,
    need_unlocked,
)
from app.document.edits.cycles import Reads, would_cycle
from app.document.edits.kinds import input_end
from app.document.edits.rewire import bring_out, drop_links
from app.document.edits.upkeep import settle
from app.document.level import (
    GIVEN,
    TAKEN,
    Link,
    body_at,
    graph_of,
    hands_in,
    is_inside,
    links,
    name_of,
    node_at,
    parent_of,
    put_body,
    put_graph,
    put_node,
    reference,
)
from app.labels import label
from backend.graph.document import BOUNDARY, Graph, Input, Node, Ref, Workflow


def connect(
    workflow: Workflow, level: str, link: Link, spec_of: SpecOf, known: Reads | None = None
) -> Workflow:
    """Make a link.

    A plain input loses the link that it had. A growing row grows, or with a ``key`` of a link that
    is there replaces that one. An input by name takes the ``key``, without one a fresh name. Out
    of a zone the value comes by an output of the zone, which is made where need be.

    Raises:
        EditError: the link would lead in a circle, the input takes none, the node is locked, or a
            node of the same name hides the source.
        KeyError: an end is not there.
    """
    before, graph = workflow, graph_of(workflow, level)
    _need_source(workflow, level, link)
    if name_of(link.target) != TAKEN:
        need_unlocked(workflow, level, [link.target])
    if would_cycle(graph, link.source, link.target, known):
        raise EditError(_circle(workflow, level, link))
    parent = parent_of(link.target)
    graph, source, output = bring_out(graph, link.source, link.output, parent)
    ref = reference(graph, source, output, parent)
    if ref is None:
        name = name_of(source)
        raise EditError(f"Another node called {name} stands in between. Rename one of them.")
    if name_of(link.target) == TAKEN:
        body = body_at(graph, parent)
        outputs = frozen({**body.outputs, link.input: ref})
        graph = put_body(graph, parent, replace(body, outputs=outputs))
    else:
        end = input_end(workflow, level, link.target, link.input, spec_of)
        if end is None:
            name = called(workflow, level, link.target)
            raise EditError(f"{label(link.input)} of {name} takes no link. Set its value instead.")
        graph = _put(graph, link, ref, end.arity)
    return settle(before, put_graph(workflow, level, graph), level)


def _need_source(workflow: Workflow, level: str, link: Link) -> None:
    """See that the source is there, with ``KeyError`` where it is not."""
    graph, path = graph_of(workflow, level), link.source
    if name_of(path) != GIVEN:
        node_at(graph, path)
    elif parent_of(path):
        if link.output not in hands_in(node_at(graph, parent_of(path))):
            raise KeyError(link.output)
    elif not level or link.output not in workflow.subgraphs[level].inputs:
        raise KeyError(link.output)


def _circle(workflow: Workflow, level: str, link: Link) -> str:
    source, target = _node_of(link.source), _node_of(link.target)
    name = called(workflow, level, target)
    if source == target:
        return f"{name} cannot read what it gives itself."
    if is_inside(source, target):
        return f"{name} cannot read what is made inside it."
    return (
        f"{called(workflow, level, source)} already needs what {name} gives, so the link would "
        "lead in a circle. A Repeat zone can hand a result to its next turn."
    )


def _node_of(path: str) -> str:
    """The node of an end: of a boundary its zone."""
    return parent_of(path) if name_of(path) in (GIVEN, TAKEN) else path


def _put(graph: Graph, link: Link, ref: Ref, arity: str) -> Graph:
    node = node_at(graph, link.target)
    given, key = node.inputs.get(link.input), link.key
    made: Input = ref
    if arity == "many":
        row = _row(given)
        if isinstance(key, int) and key < len(row):
            made = (*row[:key], ref, *row[key + 1 :])
        else:
            made = (*row, ref)
    elif arity == "named":
        table = given if isinstance(given, Mapping) else {}
        name = key if isinstance(key, str) and key else _fresh_key(node, link.output, link.input)
        if node.body is not None and name not in table:
            name = _fresh_key(node, name, link.input)
        made = frozen({**table, name: ref})
        node = _carried_back(node, link.input, name)
    inputs = frozen({**node.inputs, link.input: made})
    return put_node(graph, link.target, replace(node, inputs=inputs))


def _row(given: Input | None) -> tuple[Ref, ...]:
    if isinstance(given, tuple):
        return given
    return (given,) if isinstance(given, Ref) else ()


def _fresh_key(node: Node, wanted: str, into: str) -> str:
    """A free name for a link by name; of a zone none that its body reads another value by."""
    given = node.inputs.get(into)
    taken = set(given) if isinstance(given, Mapping) else set()
    if node.body is not None:
        taken |= {*hands_in(node), "stop"}
    return fresh(as_id(wanted, "value"), taken)


def _carried_back(node: Node, name: str, key: str) -> Node:
    """A zone whose body gives what it carries: as it went in, until another link says more."""
    if node.body is None or name != "carry" or key in node.body.outputs:
        return node
    outputs = frozen({**node.body.outputs, key: Ref(BOUNDARY, key)})
    return replace(node, body=replace(node.body, outputs=outputs))


def disconnect(workflow: Workflow, level: str, gone: Collection[Link]) -> Workflow:
    """Take links away. What a zone hands in no more is not read in it any more either.

    Raises:
        EditError: a node that they feed is locked.
    """
    lost = frozenset(gone)
    targets = {link.target for link in lost if name_of(link.target) != TAKEN}
    need_unlocked(workflow, level, targets)
    graph = drop_links(graph_of(workflow, level), lost.__contains__)
    return settle(workflow, put_graph(workflow, level, graph), level)


def disconnect_nodes(workflow: Workflow, level: str, paths: Collection[str]) -> Workflow:
    """Take all links away that begin or end at nodes."""
    chosen = frozenset(paths)
    graph = graph_of(workflow, level)
    targets = {k.target for k in links(graph) if k.source in chosen or k.target in chosen}
    need_unlocked(workflow, level, {path for path in targets if name_of(path) != TAKEN})
    graph = drop_links(graph, lambda link: link.source in chosen or link.target in chosen)
    return settle(workflow, put_graph(workflow, level, graph), level)


def reconnect(workflow: Workflow, level: str, old: Link, new: Link, spec_of: SpecOf) -> Workflow:
    """Make one link of another: its end was dragged elsewhere.

    Raises:
        EditError: the new link cannot be made.
        KeyError: an end is not there.
    """
    if (old.target, old.input, old.key) == (new.target, new.input, new.key):
        return connect(workflow, level, new, spec_of)
    return connect(disconnect(workflow, level, [old]), level, new, spec_of)


def move_outputs(
    workflow: Workflow,
    level: str,
    ends: Mapping[tuple[str, str], tuple[str, str]],
    spec_of: SpecOf,
) -> Workflow:
    """Let all links from some outputs begin at others instead (path and output, by the old).

    Raises:
        EditError: one of the links cannot be made.
        KeyError: an end is not there.
    """
    for link in list(links(graph_of(workflow, level))):
        new = ends.get((link.source, link.output))
        if new is not None:
            link = link._replace(source=new[0], output=new[1])
            workflow = connect(workflow, level, link, spec_of)
    return workflow
