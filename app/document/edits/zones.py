"""Zones: made around nodes, and dissolved again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from app.document.edits.common import (
    SpecOf,
    as_id,
    fresh,
    fresh_id,
    frozen,
    names_in,
    need_unlocked,
)
from app.document.edits.copies import moved_path
from app.document.edits.inline import Selection, boundary_names, lay_open, select, without_doubles
from app.document.edits.kinds import output_end
from app.document.edits.rewire import drop_sources, rewire
from app.document.edits.upkeep import follow, settle
from app.document.level import (
    Link,
    body_at,
    graph_of,
    is_inside,
    join,
    layout_of,
    links,
    name_of,
    node_at,
    parent_of,
    put_body,
    put_graph,
    put_layout,
    walk,
)
from backend.graph.document import BOUNDARY, Graph, Node, Placement, Ref, Workflow
from backend.graph.links import ZONE_NAMES
from backend.graph.spec import NodeSpec
from backend.graph.types import is_generic

MARGIN, HEAD = 24.0, 56.0
"""How far a zone's corner lies left of and above what is in it, in canvas units."""


def make_zone(
    workflow: Workflow, level: str, paths: Collection[str], spec: NodeSpec, spec_of: SpecOf
) -> Workflow:
    """Put a zone around nodes. ``added`` tells the new paths.

    A zone that runs over items takes the lists that feed the nodes as its items, or the first link
    where none is a list. A zone that repeats carries what comes out in the type that goes in. All
    else is read from outside as before, and what is used outside comes out of the zone.

    Raises:
        EditError: the nodes lie in different zones, another lies between them, or one is locked.
        KeyError: one of them is not there.
    """
    need_unlocked(workflow, level, paths)
    chosen = select(workflow, level, paths)
    graph = graph_of(workflow, level)
    taken = {*boundary_names(graph, chosen.paths), *ZONE_NAMES, "stop"}
    given: dict[tuple[str, str], str] = {}
    results: dict[tuple[str, str], str] = {}
    group = "items" if spec.input("items") is not None else "carry"
    if group == "items":
        for end in _items(workflow, level, chosen, spec_of):
            given[end] = fresh(as_id(end[1], "item"), taken)
            taken.add(given[end])
    else:
        for end, source in _carried(workflow, level, chosen, spec_of).items():
            given[source] = results[end] = fresh(as_id(end[1], "value"), taken)
            taken.add(given[source])
    for end in chosen.results():
        if end not in results:
            results[end] = fresh(as_id(end[1], "value"), {*taken, *results.values()})
    name = fresh_id(workflow, level, spec.type)
    made = _enclosed(graph, chosen, name, spec, group, given, results)
    path = join(chosen.zone, name)
    places = {old: join(path, name_of(old)) for old in chosen.paths}
    after = put_graph(workflow, level, made)
    after = follow(after, level, lambda old: moved_path(old, places) or old)
    return settle(workflow, _placed(after, level, path), level)


def _items(
    workflow: Workflow, level: str, chosen: Selection, spec_of: SpecOf
) -> list[tuple[str, str]]:
    sources = chosen.sources()
    lists = [s for s in sources if output_end(workflow, level, *s, spec_of).arity == "list"]
    return lists or list(sources[:1])


def _carried(
    workflow: Workflow, level: str, chosen: Selection, spec_of: SpecOf
) -> dict[tuple[str, str], tuple[str, str]]:
    """What goes from turn to turn: results, with the source outside that begins each."""
    free = list(chosen.sources())
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for end in chosen.results():
        kind = output_end(workflow, level, *end, spec_of)
        like = [s for s in free if output_end(workflow, level, *s, spec_of) == kind]
        if like and not is_generic(kind.type):
            found[end] = like[0]
            free.remove(like[0])
    return found


def _enclosed(
    graph: Graph,
    chosen: Selection,
    name: str,
    spec: NodeSpec,
    group: str,
    given: Mapping[tuple[str, str], str],
    results: Mapping[tuple[str, str], str],
) -> Graph:
    def change(link: Link, ref: Ref) -> Ref | None:
        end = (link.source, link.output)
        inner = chosen.holds(link.target)
        if inner and end in given:
            return Ref(BOUNDARY, given[end])
        if not inner and end in results:
            return Ref(name, results[end])
        return ref

    around = body_at(rewire(graph, change), chosen.zone)
    names = [name_of(path) for path in chosen.paths]
    body = Graph(
        frozen({inner: around.nodes[inner] for inner in names}),
        frozen({result: Ref(name_of(p), output) for (p, output), result in results.items()}),
    )
    inputs = {g: Ref(name_of(source), output) for (source, output), g in given.items()}
    zone = Node(spec.type, spec.version, inputs=frozen({group: frozen(inputs)} if inputs else {}))
    zone = replace(zone, body=body)
    nodes: dict[str, Node] = {}
    for inner, node in around.nodes.items():
        if inner == names[0]:
            nodes[name] = zone
        if inner not in names:
            nodes[inner] = node
    made = replace(around, nodes=frozen(nodes))
    return put_body(rewire(graph, change), chosen.zone, made)


def _placed(workflow: Workflow, level: str, path: str) -> Workflow:
    """The document with a zone's corner above what is in it."""
    layout = layout_of(workflow, level)
    inner = [place for at, place in layout.nodes.items() if is_inside(at, path)]
    if not inner:
        return workflow
    place = Placement(min(p.x for p in inner) - MARGIN, min(p.y for p in inner) - HEAD)
    return put_layout(workflow, level, replace(layout, nodes=frozen({**layout.nodes, path: place})))


def dissolve_zone(workflow: Workflow, level: str, path: str) -> Workflow:
    """Take a zone away and leave its nodes, as they would run in one turn.

    Items and carried values are read from where they came; who read ``index`` or ``count`` reads
    nothing there any more.

    Raises:
        EditError: it is locked, or names in it do not allow it.
        KeyError: it is not there, or no zone.
    """
    need_unlocked(workflow, level, [path])
    parent = parent_of(path)
    before = workflow
    outside = {
        name_of(at)
        for at, _ in walk(graph_of(workflow, level))
        if at != path and not is_inside(at, path)
    }
    workflow = without_doubles(workflow, level, path, outside)
    graph = graph_of(workflow, level)
    zone, body = node_at(graph, path), body_at(graph, path)
    names = {inner: inner for inner in body.nodes if inner not in outside}
    for inner in body.nodes:
        names.setdefault(inner, fresh(inner, {*outside, *names_in(body), *names.values()}))
    given: dict[str, Ref | None] = dict.fromkeys(ZONE_NAMES)
    for group in ("items", "carry"):
        fed = zone.inputs.get(group)
        if isinstance(fed, Mapping):
            given.update(fed)
    opened = lay_open(body, names, given)
    results = {(path, output): ref for output, ref in opened.outputs.items()}

    def change(link: Link, ref: Ref) -> Ref | None:
        return results.get((link.source, link.output), ref)

    graph = rewire(graph, change)
    lost = {
        (link.source, link.output)
        for link in links(graph)
        if link.source == path and not is_inside(link.target, path)
    }
    graph = drop_sources(graph, lost)
    around = body_at(graph, parent)
    nodes: dict[str, Node] = {}
    for name, node in around.nodes.items():
        if name == name_of(path):
            nodes.update(opened.nodes)
        else:
            nodes[name] = node
    graph = put_body(graph, parent, replace(around, nodes=frozen(nodes)))
    after = put_graph(workflow, level, graph)
    places = {join(path, old): join(parent, new) for old, new in names.items()}

    def renamed(old: str) -> str | None:
        return None if old == path else moved_path(old, places) or old

    return settle(before, follow(after, level, renamed), level)
