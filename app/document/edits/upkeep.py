"""What must follow when nodes or links of a level change: places, ways, what is shown outside, and
the uses of a subgraph whose sockets changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from app.document.edits.common import exposed_in, frozen, put_exposed, without
from app.document.edits.rewire import drop_sources
from app.document.level import graph_of, layout_of, links, put_graph, put_layout, walk
from backend.graph.document import Graph, Layout, Node, Way, Workflow
from backend.graph.shape import SUBGRAPH

Renamed = Callable[[str], "str | None"]
"""The path that a node has now, or ``None`` where it is not there any more."""


def follow(workflow: Workflow, level: str, renamed: Renamed) -> Workflow:
    """The document with places, ways and exposed parameters of a level under their new paths."""
    layout = layout_of(workflow, level)
    placed = {renamed(path): place for path, place in layout.nodes.items()}
    nodes = {path: place for path, place in placed.items() if path is not None}
    ways = tuple(way for old in layout.ways if (way := _renamed_way(old, renamed)) is not None)
    if list(nodes) != list(layout.nodes) or ways != layout.ways:
        workflow = put_layout(workflow, level, replace(layout, nodes=frozen(nodes), ways=ways))
    shown = exposed_in(workflow, level)
    moved = {
        name: exposed if path == exposed.node else replace(exposed, node=path)
        for name, exposed in shown.items()
        if (path := renamed(exposed.node)) is not None
    }
    if moved != dict(shown):
        workflow = put_exposed(workflow, level, moved)
    return workflow


def _renamed_way(way: Way, renamed: Renamed) -> Way | None:
    source, _, output = way.source.partition(".")
    target, _, name = way.target.partition(".")
    now = renamed(source), renamed(target)
    if now == (source, target):
        return way
    if None in now:
        return None
    return replace(way, source=f"{now[0]}.{output}", target=f"{now[1]}.{name}")


def follow_ways(
    workflow: Workflow, level: str, sources: Mapping[str, str], targets: Mapping[str, str]
) -> Workflow:
    """The document in which ways begin and end at sockets of other names (``$.image``)."""
    layout = layout_of(workflow, level)
    ways = tuple(
        replace(
            way,
            source=sources.get(way.source, way.source),
            target=targets.get(way.target, way.target),
        )
        for way in layout.ways
    )
    return put_layout(workflow, level, replace(layout, ways=ways)) if ways else workflow


def follow_uses(workflow: Workflow, name: str, old: str, new: str, is_output: bool) -> Workflow:
    """The document in which ways at the uses of a subgraph follow a socket to its new name."""
    for level in ("", *workflow.subgraphs):
        uses = uses_in(graph_of(workflow, level), name) if layout_of(workflow, level).ways else ()
        ends = {f"{use}.{old}": f"{use}.{new}" for use in uses}
        if ends:
            sources, targets = (ends, {}) if is_output else ({}, ends)
            workflow = follow_ways(workflow, level, sources, targets)
    return workflow


def settle(before: Workflow, after: Workflow, level: str) -> Workflow:
    """The document after an edit of a level, with the ways of links that are gone taken out, and,
    in a subgraph, its uses without what it does not have any more."""
    after = put_layout(after, level, _settled_ways(after, level))
    if level:
        after = settle_uses(before, after, level)
    return after


def _settled_ways(workflow: Workflow, level: str) -> Layout:
    layout = layout_of(workflow, level)
    if not layout.ways:
        return layout
    there = {
        (f"{link.source}.{link.output}", f"{link.target}.{link.input}")
        for link in links(graph_of(workflow, level))
    }
    kept = tuple(way for way in layout.ways if (way.source, way.target) in there)
    return layout if len(kept) == len(layout.ways) else replace(layout, ways=kept)


def settle_uses(before: Workflow, after: Workflow, name: str) -> Workflow:
    """The document in which the uses of a subgraph lose the values and links of sockets that it
    had before and has no more; and so on, where another subgraph loses a socket by that."""
    todo = [name]
    while todo:
        name = todo.pop()
        old, new = before.subgraphs.get(name), after.subgraphs.get(name)
        if old is None or new is None:
            continue
        taken = {*old.inputs, *old.params} - {*new.inputs, *new.params}
        given = set(old.graph.outputs) - set(new.graph.outputs)
        for level in ("", *after.subgraphs) if taken or given else ():
            loose = _loosened(after, level, name, taken, given)
            if loose is not after and level:
                todo.append(level)
            after = loose
    return after


def _loosened(
    workflow: Workflow, level: str, name: str, taken: set[str], given: set[str]
) -> Workflow:
    """A level whose uses of a subgraph have some sockets no more; the same where it has none."""
    graph = graph_of(workflow, level)
    uses = frozenset(uses_in(graph, name))
    if not uses:
        return workflow
    graph = drop_sources(graph, {(path, output) for path in uses for output in given})
    graph = map_nodes(graph, uses, lambda node: without_inputs(node, taken))
    shown = exposed_in(workflow, level)
    gone = {k for k, shows in shown.items() if shows.node in uses and shows.param in taken}
    workflow = put_exposed(workflow, level, without(shown, gone))
    if graph is graph_of(workflow, level):
        return workflow
    workflow = put_graph(workflow, level, graph)
    return put_layout(workflow, level, _settled_ways(workflow, level))


def without_inputs(node: Node, names: set[str]) -> Node:
    """A node without some values and links."""
    inputs, params = without(node.inputs, names), without(node.params, names)
    if inputs is node.inputs and params is node.params:
        return node
    return replace(node, inputs=inputs, params=params)


def uses_in(graph: Graph, name: str) -> tuple[str, ...]:
    """The paths of the uses of a subgraph in a level."""
    kind = SUBGRAPH + name
    return tuple(path for path, node in walk(graph) if node.type == kind)


def map_graphs(workflow: Workflow, change: Callable[[Graph], Graph]) -> Workflow:
    """The document with the top graph and every subgraph's changed; shared where it is not."""
    workflow = put_graph(workflow, "", change(workflow.graph))
    for name in workflow.subgraphs:
        workflow = put_graph(workflow, name, change(workflow.subgraphs[name].graph))
    return workflow


def map_nodes(
    graph: Graph, paths: frozenset[str], change: Callable[[Node], Node], before: str = ""
) -> Graph:
    """The level with some nodes changed, by their paths, in one go; all others are shared."""
    made: dict[str, Node] = {}
    for name, node in graph.nodes.items():
        path = before + name
        now = change(node) if path in paths else node
        if now.body is not None:
            body = map_nodes(now.body, paths, change, f"{path}/")
            now = now if body is now.body else replace(now, body=body)
        if now is not node:
            made[name] = now
    if not made:
        return graph
    return replace(graph, nodes=frozen({**graph.nodes, **made}))
