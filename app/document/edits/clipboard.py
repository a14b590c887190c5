"""Nodes as text: what is copied is a small workflow file, and any workflow file can be pasted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from app.document.edits.common import EditError, SpecOf, fresh, frozen, names_in, outermost
from app.document.edits.connect import disconnect
from app.document.edits.copies import STEP, copied_layout, fresh_names, pointed_at
from app.document.edits.cycles import would_cycle
from app.document.edits.kinds import fits, input_end, output_end
from app.document.edits.nodes import need_no_circle, subgraphs_in, used_by
from app.document.edits.upkeep import map_nodes
from app.document.level import (
    Link,
    body_at,
    graph_of,
    hands_in,
    is_within,
    join,
    layout_of,
    links,
    name_of,
    node_at,
    put_body,
    put_graph,
    put_layout,
    walk,
)
from backend.graph.document import (
    BOUNDARY,
    Frame,
    Graph,
    Layout,
    Node,
    Note,
    Placement,
    Subgraph,
    Workflow,
)
from backend.graph.format import FormatError, dump, parse
from backend.graph.shape import SUBGRAPH


def copy(
    workflow: Workflow,
    level: str,
    paths: Collection[str],
    frames: Collection[int] = (),
    notes: Collection[int] = (),
) -> str:
    """Nodes as the text of a workflow file, with their links, places, and the subgraphs they use.

    Links from nodes that are not copied stay in the text; ``paste`` keeps them where it finds such
    a node. ``frames`` and ``notes`` are those of the layout, by their number.

    Raises:
        KeyError: one of the nodes is not there.
    """
    graph, layout = graph_of(workflow, level), layout_of(workflow, level)
    names = fresh_names(outermost(paths), ())
    pointed = pointed_at(graph, names)
    made = Graph(frozen({name: node_at(pointed, path) for path, name in names.items()}))
    used = {inner for name in subgraphs_in(made) for inner in {name, *used_by(workflow, name)}}
    subgraphs = {name: sub for name, sub in workflow.subgraphs.items() if name in used}
    placed = replace(
        copied_layout(layout, names, 0, 0),
        frames=tuple(frame for i, frame in enumerate(layout.frames) if i in set(frames)),
        notes=tuple(note for i, note in enumerate(layout.notes) if i in set(notes)),
    )
    return dump(Workflow(made, subgraphs=frozen(subgraphs), layout=placed))


def paste(
    workflow: Workflow,
    level: str,
    text: str,
    spec_of: SpecOf,
    at: tuple[float, float] | None = None,
    zone: str = "",
) -> Workflow:
    """Put the nodes of a workflow's text into a level, under fresh ids. ``added`` tells them.

    Links among them stay, and links from others where a node of that name gives what fits.

    Args:
        workflow: The document.
        level: The level.
        text: What ``copy`` gave, or any workflow file.
        spec_of: Tells the sockets of nodes.
        at: Where their upper left corner goes, in canvas units; else a step from where they were.
        zone: The zone that they go into.

    Raises:
        EditError: the text is no workflow, or a subgraph would contain itself.
    """
    given = _read(text)
    workflow, given = _take_subgraphs(workflow, given)
    for name in subgraphs_in(given.graph):
        if name in workflow.subgraphs:
            need_no_circle(workflow, level, name)
    graph, layout = graph_of(workflow, level), layout_of(workflow, level)
    names = fresh_names(given.graph.nodes, names_in(graph))
    pointed = pointed_at(given.graph, names)
    body = body_at(graph, zone)
    new = {names[name]: node for name, node in pointed.nodes.items()}
    nodes = frozen({**body.nodes, **new})
    workflow = put_graph(workflow, level, put_body(graph, zone, replace(body, nodes=nodes)))
    places = {old: join(zone, name) for old, name in names.items()}
    placed = _shifted(given.layout, places, at)
    workflow = put_layout(
        workflow,
        level,
        replace(
            layout,
            nodes=frozen({**layout.nodes, **placed.nodes}),
            frames=(*layout.frames, *placed.frames),
            notes=(*layout.notes, *placed.notes),
            ways=(*layout.ways, *placed.ways),
        ),
    )
    return _without_strangers(workflow, level, frozenset(places.values()), spec_of)


def is_workflow(text: str) -> bool:
    """Whether a text can be pasted."""
    if '"weft"' not in text[:10_000]:
        return False
    try:
        parse(text, "the clipboard")
    except FormatError:
        return False
    return True


def _read(text: str) -> Workflow:
    try:
        return parse(text, "the clipboard")
    except FormatError as error:
        raise EditError(f"What is in the clipboard is no workflow. {error.sentence}") from None


def _take_subgraphs(workflow: Workflow, given: Workflow) -> tuple[Workflow, Workflow]:
    """The document with the subgraphs that come along, and what comes along using them.

    One that the document has, equal in all, is used as it is; another of the same name is renamed.
    """
    names: dict[str, str] = {}
    taken = {*workflow.subgraphs, *given.subgraphs}
    for name, subgraph in given.subgraphs.items():
        there = workflow.subgraphs.get(name)
        names[name] = name
        if there is not None and there != subgraph:
            names[name] = fresh(name, taken)
            taken.add(names[name])
    brought: dict[str, Subgraph] = {}
    for name, subgraph in given.subgraphs.items():
        brought[names[name]] = replace(subgraph, graph=_using(subgraph.graph, names))
    subgraphs = {**brought, **workflow.subgraphs}
    order = [*workflow.subgraphs, *(name for name in brought if name not in workflow.subgraphs)]
    if len(order) > len(workflow.subgraphs):
        workflow = replace(workflow, subgraphs=frozen({name: subgraphs[name] for name in order}))
    return workflow, replace(given, graph=_using(given.graph, names))


def _using(graph: Graph, names: Mapping[str, str]) -> Graph:
    """A graph whose nodes use subgraphs under other names."""
    changed = {old for old, new in names.items() if old != new}
    uses = {
        path
        for path, node in walk(graph)
        if node.type.startswith(SUBGRAPH) and node.type[len(SUBGRAPH) :] in changed
    }

    def change(node: Node) -> Node:
        return replace(node, type=SUBGRAPH + names[node.type[len(SUBGRAPH) :]])

    return map_nodes(graph, frozenset(uses), change) if uses else graph


def _shifted(layout: Layout, places: Mapping[str, str], at: tuple[float, float] | None) -> Layout:
    """What comes along at its new place."""
    corners: list[Placement | Frame | Note] = [*layout.nodes.values(), *layout.frames]
    corners += layout.notes
    dx = dy = STEP
    if at is not None and corners:
        dx, dy = at[0] - min(c.x for c in corners), at[1] - min(c.y for c in corners)
    made = copied_layout(layout, places, dx, dy)
    x, y = at if at is not None else (0.0, 0.0)
    unplaced = [path for path in places.values() if path not in made.nodes]
    found = {path: Placement(x + 240.0 * i, y) for i, path in enumerate(unplaced)}
    frames = tuple(replace(frame, x=frame.x + dx, y=frame.y + dy) for frame in layout.frames)
    notes = tuple(replace(note, x=note.x + dx, y=note.y + dy) for note in layout.notes)
    return replace(made, nodes=frozen({**made.nodes, **found}), frames=frames, notes=notes)


def _without_strangers(
    workflow: Workflow, level: str, new: frozenset[str], spec_of: SpecOf
) -> Workflow:
    """The document in which new nodes keep links from outside only where they fit."""
    graph = graph_of(workflow, level)
    there = {path for path, _ in walk(graph)}
    strange: set[Link] = set()
    for link in links(graph):
        if not is_within(link.target, new):
            continue
        # What is nowhere reads as if it were beside its reader, and so may seem to be new.
        own = link.source in there or name_of(link.source) == BOUNDARY
        if not (own and is_within(link.source, new)) and not _fits_there(
            workflow, level, link, spec_of
        ):
            strange.add(link)
    return disconnect(workflow, level, strange) if strange else workflow


def _fits_there(workflow: Workflow, level: str, link: Link, spec_of: SpecOf) -> bool:
    graph = graph_of(workflow, level)
    if name_of(link.source) == BOUNDARY:
        zone = link.source.rpartition("/")[0]
        ports = workflow.subgraphs[level].inputs if level else {}
        there = link.output in (hands_in(node_at(graph, zone)) if zone else ports)
    else:
        try:
            node = node_at(graph, link.source)
        except KeyError:
            return False
        spec = spec_of(workflow, node)
        there = spec is not None and spec.output(link.output) is not None
    if not there or would_cycle(graph, link.source, link.target):
        return False
    given = output_end(workflow, level, link.source, link.output, spec_of)
    wanted = input_end(workflow, level, link.target, link.input, spec_of)
    return wanted is not None and fits(given.type, wanted.type)
