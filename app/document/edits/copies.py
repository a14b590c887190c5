"""Copies of nodes: beside themselves, or for somewhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from app.document.edits.common import fresh, frozen, names_in, outermost
from app.document.edits.rewire import rewire
from app.document.level import (
    Link,
    body_at,
    graph_of,
    is_within,
    join,
    layout_of,
    name_of,
    node_at,
    parent_of,
    put_body,
    put_graph,
    put_layout,
)
from backend.graph.document import Graph, Layout, Node, Placement, Point, Ref, Way, Workflow

STEP = 32.0
"""How far, in canvas units, a copy lies from what it is a copy of."""


def duplicate(
    workflow: Workflow, level: str, paths: Collection[str], dx: float = STEP, dy: float = STEP
) -> Workflow:
    """Put copies beside nodes: linked among each other as these are, and read from the same
    sources. ``added`` tells the new paths.

    Raises:
        KeyError: one of the nodes is not there.
    """
    graph, layout = graph_of(workflow, level), layout_of(workflow, level)
    chosen = outermost(paths)
    names = fresh_names(chosen, names_in(graph))
    pointed = pointed_at(graph, names)
    copied: dict[str, Node] = {}
    for path in chosen:
        copied[join(parent_of(path), names[path])] = node_at(pointed, path)
    for path, node in copied.items():
        body = body_at(graph, parent_of(path))
        nodes = frozen({**body.nodes, name_of(path): node})
        graph = put_body(graph, parent_of(path), replace(body, nodes=nodes))
    workflow = put_graph(workflow, level, graph)

    places = {path: join(parent_of(path), name) for path, name in names.items()}
    placed = copied_layout(layout, places, dx, dy)
    nodes_now = frozen({**layout.nodes, **placed.nodes})
    return put_layout(
        workflow, level, replace(layout, nodes=nodes_now, ways=(*layout.ways, *placed.ways))
    )


def fresh_names(paths: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """Ids for copies of nodes, by their paths: none that is taken, and none twice."""
    names: dict[str, str] = {}
    used = set(taken)
    for path in paths:
        names[path] = fresh(name_of(path), used)
        used.add(names[path])
    return names


def pointed_at(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The level in which nodes that get new ids read from each other under these."""

    def change(link: Link, ref: Ref) -> Ref | None:
        if link.source not in names:
            return ref
        inner = is_within(link.target, names)
        return Ref(names[link.source], ref.output) if inner else ref

    return rewire(graph, change)


def moved_path(path: str, places: Mapping[str, str]) -> str | None:
    """The path of a copy, where nodes by their path go to new ones; what lies in a zone goes with
    it. ``None`` for what is not copied."""
    if path in places:
        return places[path]
    top = path.rpartition("/")[0]
    while top:
        if top in places:
            return places[top] + path[len(top) :]
        top = top.rpartition("/")[0]
    return None


def copied_layout(layout: Layout, places: Mapping[str, str], dx: float, dy: float) -> Layout:
    """Places and ways of the copies alone, moved by canvas units."""
    nodes: dict[str, Placement] = {}
    for path, place in layout.nodes.items():
        new = moved_path(path, places)
        if new is not None:
            nodes[new] = replace(place, x=place.x + dx, y=place.y + dy)
    ways = []
    for way in layout.ways:
        source, _, output = way.source.partition(".")
        target, _, name = way.target.partition(".")
        begins, ends = moved_path(source, places), moved_path(target, places)
        if ends is None or (begins is None and not way.name):
            continue
        via = () if begins is None else tuple(Point(p.x + dx, p.y + dy) for p in way.via)
        ways.append(Way(f"{begins or source}.{output}", f"{ends}.{name}", via, way.name))
    return Layout(frozen(nodes), ways=tuple(ways))
