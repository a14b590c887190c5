"""One level of a document: the graph that a canvas shows, its nodes by path, and its links.

A level is the top graph (``""``) or a subgraph, by its name. A canvas shows the bodies of zones in
place, so a node of a level is named by its path through them: ``blur``, or ``loop/blur`` inside the
zone ``loop``. Places in the layout are those of the level, inside a zone too.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from app.document.difference import copied
from backend.graph.document import BOUNDARY, Graph, Input, Layout, Node, Ref, Workflow
from backend.graph.links import ZONE_NAMES

GIVEN = BOUNDARY
"""The end of a path that stands for what is handed in: to a subgraph, or to a zone (``loop/$``)."""

TAKEN = "$out"
"""The end of a path that stands for what is given to the outside: ``$out`` or ``loop/$out``."""


class Link(NamedTuple):
    """A link of a level. ``source`` and ``target`` are paths of nodes, or boundaries.

    ``key`` is the place in a growing row, the name in an input by name, ``None`` in a plain input.
    A link into ``$out`` is an output of the level, one into ``loop/$out`` an output of a zone's
    body. Where nothing is there to link from, ``source`` is the path of no node.
    """

    source: str
    output: str
    target: str
    input: str
    key: int | str | None = None


class Scope(NamedTuple):
    """A graph in which references are read: the level's (``path`` is empty) or a zone's body."""

    path: str
    graph: Graph
    hands_in: frozenset[str]


def graph_of(workflow: Workflow, level: str) -> Graph:
    """The graph of a level.

    Raises:
        KeyError: there is no such subgraph.
    """
    return workflow.subgraphs[level].graph if level else workflow.graph


def layout_of(workflow: Workflow, level: str) -> Layout:
    """How a level is drawn.

    Raises:
        KeyError: there is no such subgraph.
    """
    return workflow.subgraphs[level].layout if level else workflow.layout


def put_graph(workflow: Workflow, level: str, graph: Graph) -> Workflow:
    """The document with another graph in a level.

    Raises:
        KeyError: there is no such subgraph.
    """
    if not level:
        return workflow if graph is workflow.graph else replace(workflow, graph=graph)
    inner = workflow.subgraphs[level]
    if inner.graph is graph:
        return workflow
    subgraphs = {**workflow.subgraphs, level: replace(inner, graph=graph)}
    return replace(workflow, subgraphs=MappingProxyType(subgraphs))


def put_layout(workflow: Workflow, level: str, layout: Layout) -> Workflow:
    """The document with another layout of a level.

    Raises:
        KeyError: there is no such subgraph.
    """
    if not level:
        return workflow if layout is workflow.layout else replace(workflow, layout=layout)
    inner = workflow.subgraphs[level]
    if inner.layout is layout:
        return workflow
    subgraphs = {**workflow.subgraphs, level: replace(inner, layout=layout)}
    return replace(workflow, subgraphs=MappingProxyType(subgraphs))


def parent_of(path: str) -> str:
    """The path of the zone that a node or boundary lies in, empty at the top of its level."""
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    """The id of a node in its own graph."""
    return path.rpartition("/")[2]


def join(parent: str, name: str) -> str:
    """The path of ``name`` in the zone ``parent``."""
    return f"{parent}/{name}" if parent else name


def is_inside(path: str, zone: str) -> bool:
    """Whether a path lies in a zone, at any depth; everything lies in ``""``."""
    return not zone or path.startswith(f"{zone}/")


def is_within(path: str, chosen: Container[str]) -> bool:
    """Whether a path is one of these, or lies in a zone that is."""
    while path:
        if path in chosen:
            return True
        path = path.rpartition("/")[0]
    return False


def walk(graph: Graph, parent: str = "") -> Iterator[tuple[str, Node]]:
    """Every node of a level with its path, in document order, a zone before its body."""
    before = f"{parent}/" if parent else ""
    for name, node in graph.nodes.items():
        yield before + name, node
        if node.body is not None:
            yield from walk(node.body, before + name)


def node_at(graph: Graph, path: str) -> Node:
    """The node at a path.

    Raises:
        KeyError: there is none.
    """
    *zones, name = path.split("/")
    for zone in zones:
        body = graph.nodes[zone].body
        if body is None:
            raise KeyError(path)
        graph = body
    return graph.nodes[name]


def body_at(graph: Graph, zone: str) -> Graph:
    """The graph inside a zone, or the level's own for ``""``.

    Raises:
        KeyError: there is no such node, or it has no body.
    """
    if not zone:
        return graph
    body = node_at(graph, zone).body
    if body is None:
        raise KeyError(zone)
    return body


def put_body(graph: Graph, zone: str, body: Graph) -> Graph:
    """The level with another graph inside a zone, or at its top for ``""``.

    Raises:
        KeyError: there is no such zone.
    """
    return put_node(graph, zone, replace(node_at(graph, zone), body=body)) if zone else body


def put_node(graph: Graph, path: str, node: Node | None) -> Graph:
    """The level with a node put in, replaced in its place, or (``None``) taken out.

    Links of others are left as they are; every node that is not on the way is shared.

    Raises:
        KeyError: a zone on the way is not there, or there is no node to take out.
    """
    name, _, rest = path.partition("/")
    if rest:
        zone = graph.nodes[name]
        if zone.body is None:
            raise KeyError(path)
        node = replace(zone, body=put_node(zone.body, rest, node))
    nodes = copied(graph.nodes)
    if node is None:
        del nodes[name]
    else:
        nodes[name] = node
    return replace(graph, nodes=MappingProxyType(nodes))


def refs_of(given: Input) -> Iterator[tuple[int | str | None, Ref]]:
    """Every reference of an input, with its key."""
    if isinstance(given, Ref):
        yield None, given
    elif isinstance(given, Mapping):
        yield from given.items()
    else:
        yield from enumerate(given)


def hands_in(zone: Node) -> frozenset[str]:
    """The names under which a zone's body reads what the zone hands in, as ``$.name``."""
    names = set(ZONE_NAMES)
    for group in ("items", "carry"):
        given = zone.inputs.get(group)
        if isinstance(given, Mapping):
            names.update(given)
    return frozenset(names)


def scopes(graph: Graph, parent: str) -> tuple[Scope, ...]:
    """The graphs in which a reference of a node in the zone ``parent`` is looked up, outermost
    first.

    Raises:
        KeyError: there is no such zone.
    """
    found = [Scope("", graph, frozenset())]
    for name in parent.split("/") if parent else ():
        zone = found[-1].graph.nodes[name]
        if zone.body is None:
            raise KeyError(parent)
        found.append(Scope(join(found[-1].path, name), zone.body, hands_in(zone)))
    return tuple(found)


def resolve(inside: tuple[Scope, ...], ref: Ref) -> str:
    """The path of the node, or of the boundary, that a reference means in its scopes."""
    for scope in reversed(inside):
        if ref.node == BOUNDARY:
            if ref.output in scope.hands_in or not scope.path:
                return join(scope.path, GIVEN)
        elif ref.node in scope.graph.nodes:
            return join(scope.path, ref.node)
    return join(inside[-1].path, ref.node)


def reference(graph: Graph, source: str, output: str, parent: str) -> Ref | None:
    """How a node in the zone ``parent`` is to write a link from an end of the level.

    ``None`` where it cannot: the source lies in a zone that ``parent`` does not lie in, or a node
    of the same id stands in between.
    """
    ref = Ref(name_of(source), output)
    return ref if resolve(scopes(graph, parent), ref) == source else None


def links(graph: Graph) -> Iterator[Link]:
    """Every link of a level, in document order: what feeds a node, a zone before its body, and
    last what a graph gives to the outside."""
    return _links((Scope("", graph, frozenset()),))


def _links(inside: tuple[Scope, ...]) -> Iterator[Link]:
    here = inside[-1]
    before = f"{here.path}/" if here.path else ""
    for name, node in here.graph.nodes.items():
        if node.inputs:
            yield from _into(inside, before + name, node)
        if node.body is not None:
            yield from _links((*inside, Scope(before + name, node.body, hands_in(node))))
    for output, ref in here.graph.outputs.items():
        yield Link(resolve(inside, ref), ref.output, before + TAKEN, output)


def _into(inside: tuple[Scope, ...], path: str, node: Node) -> Iterator[Link]:
    for name, given in node.inputs.items():
        for key, ref in refs_of(given):
            yield Link(resolve(inside, ref), ref.output, path, name, key)


def links_into(graph: Graph, path: str) -> Iterator[Link]:
    """The links that feed one node, or (``$out``, ``loop/$out``) the outputs of a graph.

    Raises:
        KeyError: there is no such node.
    """
    inside = scopes(graph, parent_of(path))
    if name_of(path) != TAKEN:
        yield from _into(inside, path, node_at(graph, path))
        return
    for output, ref in inside[-1].graph.outputs.items():
        yield Link(resolve(inside, ref), ref.output, path, output)


def link_ends(graph: Graph, paths: Collection[str]) -> Iterator[Link]:
    """The links of a level that begin or end at one of these paths."""
    wanted = frozenset(paths)
    return (link for link in links(graph) if link.source in wanted or link.target in wanted)
