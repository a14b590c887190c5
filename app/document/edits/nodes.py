"""Adding nodes, taking them out, and what stands on each of them: title, mode, how lists meet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from app.document.edits.common import (
    EditError,
    SpecOf,
    fresh_id,
    frozen,
    names_in,
    need_unlocked,
    outermost,
)
from app.document.edits.passing import passed
from app.document.edits.rewire import drop_links, drop_sources, outputs_from, rewire
from app.document.edits.upkeep import follow, map_nodes, settle
from app.document.level import (
    Link,
    graph_of,
    is_within,
    join,
    layout_of,
    node_at,
    parent_of,
    put_graph,
    put_layout,
    put_node,
    reference,
)
from backend.graph.document import Each, Graph, Json, Mode, Node, Placement, Ref, Workflow
from backend.graph.shape import SUBGRAPH
from backend.graph.spec import NodeSpec


def new_node(spec: NodeSpec, params: Mapping[str, Json] | None = None) -> Node:
    """A node of a type, in its present version; a zone has an empty body."""
    body = Graph() if spec.zone else None
    return Node(spec.type, spec.version, frozen(params or {}), body=body)


def add_node(
    workflow: Workflow,
    level: str,
    node: Node,
    at: tuple[float, float],
    zone: str = "",
    name: str = "",
) -> Workflow:
    """Put a node on the canvas.

    Args:
        workflow: The document.
        level: The level.
        node: The node, such as from ``new_node``.
        at: Its place, in canvas units.
        zone: The zone that it goes into.
        name: Its id; a fresh one without (``fresh_id`` tells it beforehand).

    Raises:
        EditError: a subgraph would contain itself, or the id is taken.
    """
    if node.type.startswith(SUBGRAPH):
        need_no_circle(workflow, level, node.type[len(SUBGRAPH) :])
    graph = graph_of(workflow, level)
    name = name or fresh_id(workflow, level, node.type)
    if name in names_in(graph):
        raise EditError(f"There is a node {name} already. Take another name.")
    path = join(zone, name)
    workflow = put_graph(workflow, level, put_node(graph, path, node))
    layout = layout_of(workflow, level)
    nodes = frozen({**layout.nodes, path: Placement(*at)})
    return put_layout(workflow, level, replace(layout, nodes=nodes))


def need_no_circle(workflow: Workflow, level: str, name: str) -> None:
    """Refuse to use a subgraph inside itself.

    Raises:
        EditError: the subgraph ``name`` is the level, or uses it.
    """
    if level and level in {name, *used_by(workflow, name)}:
        title = workflow.subgraphs[level].title or level
        raise EditError(f"{title} cannot contain itself. Put it into another graph.")


def used_by(workflow: Workflow, name: str) -> set[str]:
    """The subgraphs that a subgraph uses, those inside others too."""
    found: set[str] = set()
    todo = [name]
    while todo:
        subgraph = workflow.subgraphs.get(todo.pop())
        if subgraph is not None:
            inner = subgraphs_in(subgraph.graph) - found
            found |= inner
            todo.extend(inner)
    return found


def subgraphs_in(graph: Graph) -> set[str]:
    """The subgraphs that the nodes of a level use."""
    found: set[str] = set()
    todo = [graph]
    while todo:
        for node in todo.pop().nodes.values():
            if node.type.startswith(SUBGRAPH):
                found.add(node.type[len(SUBGRAPH) :])
            if node.body is not None:
                todo.append(node.body)
    return found


def remove_nodes(
    workflow: Workflow, level: str, paths: Collection[str], spec_of: SpecOf | None = None
) -> Workflow:
    """Take nodes out, with their links.

    With ``spec_of`` the links are healed first: what would pass through a bypassed node is linked
    past it.

    Raises:
        EditError: one of them is locked.
        KeyError: one of them is not there.
    """
    chosen = outermost(paths)
    need_unlocked(workflow, level, paths)
    before = workflow
    if spec_of is not None:
        workflow = _healed(workflow, level, chosen, spec_of)
    graph = graph_of(workflow, level)
    for path in chosen:
        node_at(graph, path)
    graph = drop_sources(graph, outputs_from(graph, chosen))
    for path in chosen:
        graph = put_node(graph, path, None)
    workflow = put_graph(workflow, level, graph)

    gone = frozenset(chosen)

    def renamed(path: str) -> str | None:
        return None if is_within(path, gone) else path

    return settle(before, follow(workflow, level, renamed), level)


def detach_nodes(
    workflow: Workflow, level: str, paths: Collection[str], spec_of: SpecOf
) -> Workflow:
    """Take nodes out of their links and leave them where they are, with their values.

    Links among the nodes themselves stay; what passed through is linked past them.

    Raises:
        EditError: one of them is locked.
        KeyError: one of them is not there.
    """
    chosen = frozenset(outermost(paths))
    need_unlocked(workflow, level, chosen)
    before = workflow
    workflow = _healed(workflow, level, tuple(chosen), spec_of)
    graph = graph_of(workflow, level)

    def crosses(link: Link) -> bool:
        return is_within(link.source, chosen) != is_within(link.target, chosen)

    workflow = put_graph(workflow, level, drop_links(graph, crosses))
    return settle(before, workflow, level)


def _healed(workflow: Workflow, level: str, paths: Collection[str], spec_of: SpecOf) -> Workflow:
    """The level with links past some nodes instead of out of them, as a bypass would pass them."""
    chosen = frozenset(paths)
    graph = graph_of(workflow, level)

    def change(link: Link, ref: Ref) -> Ref | None:
        if link.source not in chosen or link.target in chosen:
            return ref
        end: tuple[str, str] | None = (link.source, link.output)
        seen = set()
        while end is not None and end[0] in chosen and end not in seen:
            seen.add(end)
            end = passed(workflow, level, *end, spec_of)
        if end is None or end[0] in chosen:
            return ref
        return reference(graph, *end, parent_of(link.target)) or ref

    return put_graph(workflow, level, rewire(graph, change))


def set_title(workflow: Workflow, level: str, path: str, title: str) -> Workflow:
    """Call a node something else on the canvas; without a title it has its type's."""
    return _changed(workflow, level, {path}, lambda node: replace(node, title=title.strip()))


def set_mode(workflow: Workflow, level: str, paths: Collection[str], mode: Mode) -> Workflow:
    """Switch nodes on, mute them or bypass them."""
    return _changed(workflow, level, paths, lambda node: replace(node, mode=mode))


def toggle_mode(workflow: Workflow, level: str, paths: Collection[str], mode: Mode) -> Workflow:
    """Mute or bypass nodes, or switch them on where all of them are in that mode."""
    graph = graph_of(workflow, level)
    is_set = all(node_at(graph, path).mode == mode for path in paths)
    return set_mode(workflow, level, paths, "on" if is_set else mode)


def set_each(workflow: Workflow, level: str, paths: Collection[str], each: Each) -> Workflow:
    """Say how lists of different length meet on nodes."""
    return _changed(workflow, level, paths, lambda node: replace(node, each=each))


def _changed(
    workflow: Workflow, level: str, paths: Collection[str], change: Callable[[Node], Node]
) -> Workflow:
    """The document with some nodes changed.

    Raises:
        EditError: one of them is locked.
        KeyError: one of them is not there.
    """
    graph = graph_of(workflow, level)
    for path in paths:
        node_at(graph, path)
    need_unlocked(workflow, level, paths)
    return put_graph(workflow, level, map_nodes(graph, frozenset(paths), change))
