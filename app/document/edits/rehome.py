"""Nodes moved into a zone, or out of one, with their links."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from app.document.edits.common import EditError, SpecOf, called, fresh, need_unlocked, outermost
from app.document.edits.connect import connect
from app.document.edits.copies import moved_path
from app.document.edits.rewire import rewire
from app.document.edits.upkeep import follow, settle
from app.document.level import (
    GIVEN,
    Link,
    body_at,
    graph_of,
    is_within,
    join,
    links,
    name_of,
    node_at,
    parent_of,
    put_graph,
    put_node,
    resolve,
    scopes,
    walk,
)
from backend.graph.document import Graph, Workflow


def move_to_zone(
    workflow: Workflow, level: str, paths: Collection[str], zone: str, spec_of: SpecOf
) -> Workflow:
    """Put nodes into a zone, or out at the top of the level where ``zone`` is empty.

    Links stay: what is read outside a zone comes out of it by an output, what comes out of the new
    zone is read inside it, and what the old zone handed in is read from where the zone has it. Its
    counters are not known outside, so links from them go. ``moved_paths`` tells the new paths.

    Raises:
        EditError: a node is locked, would lie in itself, or would read what it makes.
        KeyError: there is no such node or zone.
    """
    places = moved_paths(workflow, level, paths, zone)
    if not places:
        return workflow
    need_unlocked(workflow, level, places)
    before, graph = workflow, graph_of(workflow, level)
    if is_within(zone, places):
        raise EditError(f"{called(workflow, level, zone)} cannot lie in itself.")
    body_at(graph, zone)
    members = frozenset(places)
    ends = {(link.target, link.input) for link in _loosened(graph, places)}
    again = [link for link in links(graph) if (link.target, link.input) in ends]
    graph = rewire(graph, lambda link, ref: None if (link.target, link.input) in ends else ref)
    kept = [_read_again(graph_of(before, level), link, members, zone) for link in again]
    for old, new in places.items():
        node = node_at(graph, old)
        graph = put_node(put_node(graph, old, None), new, node)
    workflow = put_graph(workflow, level, graph)
    workflow = follow(workflow, level, lambda path: moved_path(path, places) or path)
    for link in kept:
        if link is not None:
            source, target = (moved_path(end, places) or end for end in (link.source, link.target))
            link = link._replace(source=source, target=target)
            workflow = connect(workflow, level, link, spec_of)
    return settle(before, workflow, level)


def take_out(workflow: Workflow, level: str, paths: Collection[str], spec_of: SpecOf) -> Workflow:
    """Put nodes out of the zone that each of them lies in, to where that zone lies.

    Raises:
        EditError: a node is locked, or would read what it makes.
        KeyError: one of them is not there.
    """
    inside = [path for path in outermost(paths) if parent_of(path)]
    for zone in sorted({parent_of(parent_of(path)) for path in inside}):
        tops = [path for path in inside if parent_of(parent_of(path)) == zone]
        workflow = move_to_zone(workflow, level, tops, zone, spec_of)
    return workflow


def moved_paths(
    workflow: Workflow, level: str, paths: Collection[str], zone: str
) -> Mapping[str, str]:
    """Where nodes will be, by where they are; without those that lie in the zone already."""
    taken = [name_of(path) for path, _ in walk(graph_of(workflow, level))]
    places: dict[str, str] = {}
    for path in outermost(paths):
        if parent_of(path) != zone:
            name = name_of(path)
            name = name if taken.count(name) == 1 else fresh(name, taken)
            taken.append(name)
            places[path] = join(zone, name)
    return places


def _loosened(graph: Graph, places: Mapping[str, str]) -> list[Link]:
    """The links that are read otherwise now: between these nodes and others, and from those that
    get another name."""
    members = frozenset(places)
    named = frozenset(old for old, new in places.items() if name_of(old) != name_of(new))
    return [
        link for link in links(graph)
        if is_within(link.source, members) != is_within(link.target, members)
        or is_within(link.source, named)
    ]  # fmt: skip


def _read_again(graph: Graph, link: Link, members: frozenset[str], into: str) -> Link | None:
    """A link as it is to be read where its end is then.

    A node that leaves its zone reads what feeds the zone in place of what the zone hands in, and
    nothing in place of a counter of it; one that comes in reads in the zone what comes out of it.
    """
    if not is_within(link.target, members):
        return link
    zone = parent_of(link.source)
    stays = not zone or is_within(zone, members) or is_within(into, {zone})
    if name_of(link.source) == GIVEN and not stays:
        for feed in links(graph):
            if feed.target == zone and feed.key == link.output:
                return link._replace(source=feed.source, output=feed.output)
        return None
    while into and is_within(into, {link.source}):
        inner = body_at(graph, link.source).outputs.get(link.output)
        if inner is None:
            return None
        source = resolve(scopes(graph, link.source), inner)
        link = link._replace(source=source, output=inner.output)
    return link
