"""A use of a subgraph laid open: its nodes in the place of the use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.document.edits.common import (
    EditError,
    called,
    exposed_in,
    fresh,
    frozen,
    names_in,
    need_unlocked,
    put_exposed,
)
from app.document.edits.copies import copied_layout
from app.document.edits.inline import lay_open, without_doubles
from app.document.edits.place import place_of
from app.document.edits.rewire import drop_links, rewire
from app.document.edits.subgraphs import remove_subgraph
from app.document.edits.upkeep import settle
from app.document.level import (
    GIVEN,
    TAKEN,
    Link,
    body_at,
    graph_of,
    join,
    layout_of,
    name_of,
    node_at,
    parent_of,
    put_body,
    put_graph,
    put_layout,
    put_node,
)
from backend.graph.document import Exposed, Graph, Layout, Node, Ref, Subgraph, Workflow
from backend.graph.shape import SUBGRAPH


def unpack(workflow: Workflow, level: str, path: str) -> Workflow:
    """Put the nodes of a subgraph in the place of one use of it. ``added`` tells them.

    Values and links that the use sets go to the parameters inside. The subgraph leaves the
    document where this was its last use.

    Raises:
        EditError: it is no use of a subgraph, locked, muted or bypassed, or names do not allow it.
        KeyError: it is not there.
    """
    need_unlocked(workflow, level, [path])
    use = node_at(graph_of(workflow, level), path)
    name = use.type.removeprefix(SUBGRAPH)
    title = called(workflow, level, path)
    if not use.type.startswith(SUBGRAPH) or name not in workflow.subgraphs:
        raise EditError(f"{title} is no subgraph, so there is nothing to unpack.")
    if use.mode != "on":
        raise EditError(f"{title} is switched off. Switch it on to unpack it.")
    taken = names_in(graph_of(workflow, level)) - {name_of(path)}
    subgraph = without_doubles(workflow, name, "", taken).subgraphs[name]
    names: dict[str, str] = {n: n for n in subgraph.graph.nodes if n not in taken}
    for inner in subgraph.graph.nodes:
        used = {*taken, *names_in(subgraph.graph), *names.values()}
        names.setdefault(inner, fresh(inner, used))
    opened = lay_open(_set(subgraph, use, name_of(path)), names, _given(use, subgraph))
    after = put_graph(workflow, level, _opened(graph_of(workflow, level), path, opened))
    after = _exposed_inside(after, level, path, subgraph, names)
    after = _laid_out(after, level, path, subgraph.layout, names)
    after = settle(workflow, after, level)
    try:
        return remove_subgraph(after, name)
    except EditError:
        return after


def _given(use: Node, subgraph: Subgraph) -> dict[str, Ref | None]:
    given: dict[str, Ref | None] = {}
    for port in subgraph.inputs:
        fed = use.inputs.get(port)
        given[port] = fed if isinstance(fed, Ref) else None
    for name in _linked_params(use, subgraph):
        fed = use.inputs[name]
        given[_stand_in(name)] = fed if isinstance(fed, Ref) else None
    return given


def _linked_params(use: Node, subgraph: Subgraph) -> list[str]:
    return [name for name in subgraph.params if name in use.inputs and name not in subgraph.inputs]


def _stand_in(name: str) -> str:
    """What ``$.`` reads a link into an exposed parameter by, until it is laid open. No id has such
    a name, so it hides nothing."""
    return f"{name} (parameter)"


def _set(subgraph: Subgraph, use: Node, called_by: str) -> Graph:
    """The inner graph with the values and links that the use sets."""
    graph = subgraph.graph
    linked = _linked_params(use, subgraph)
    for name, exposed in subgraph.params.items():
        node = node_at(graph, exposed.node) if name in use.params or name in linked else None
        if node is None:
            continue
        if name in use.params:
            node = replace(node, params=frozen({**node.params, exposed.param: use.params[name]}))
        if name in linked:
            ref = Ref(GIVEN, _stand_in(name))
            node = replace(node, inputs=frozen({**node.inputs, exposed.param: ref}))
        graph = put_node(graph, exposed.node, node)
    return graph


def _opened(graph: Graph, path: str, opened: Graph) -> Graph:
    """The level with nodes in the place of a use."""
    results = {(path, output): ref for output, ref in opened.outputs.items()}

    def change(link: Link, ref: Ref) -> Ref | None:
        return results.get((link.source, link.output), ref)

    def is_lost(link: Link) -> bool:
        return link.source == path

    graph = drop_links(rewire(graph, change), is_lost)
    around = body_at(graph, parent_of(path))
    nodes: dict[str, Node] = {}
    for name, node in around.nodes.items():
        if name == name_of(path):
            nodes.update(opened.nodes)
        else:
            nodes[name] = node
    return put_body(graph, parent_of(path), replace(around, nodes=frozen(nodes)))


def _inner_path(path: str, parent: str, names: Mapping[str, str]) -> str:
    """The path in the level of a node that had a path in the subgraph."""
    first, slash, rest = path.partition("/")
    return join(parent, names[first] + slash + rest)


def _exposed_inside(
    workflow: Workflow, level: str, path: str, subgraph: Subgraph, names: Mapping[str, str]
) -> Workflow:
    """What the level showed of the use, it shows of the nodes."""
    shown: dict[str, Exposed] = {}
    for name, exposed in exposed_in(workflow, level).items():
        inner = subgraph.params.get(exposed.param) if exposed.node == path else None
        if inner is not None:
            at = _inner_path(inner.node, parent_of(path), names)
            exposed = replace(exposed, node=at, param=inner.param)
        shown[name] = exposed
    return put_exposed(workflow, level, shown)


def _laid_out(
    workflow: Workflow, level: str, path: str, inner: Layout, names: Mapping[str, str]
) -> Workflow:
    """The nodes around the place of the use, as they lay in the subgraph."""
    layout = layout_of(workflow, level)
    nodes = {at: place for at, place in inner.nodes.items() if at not in (GIVEN, TAKEN)}
    inner = replace(inner, nodes=nodes)
    places = {old: join(parent_of(path), new) for old, new in names.items()}
    here = place_of(layout, path)
    xs, ys = [p.x for p in nodes.values()] or [0.0], [p.y for p in nodes.values()] or [0.0]
    dx = round((here.x - (min(xs) + max(xs)) / 2) / 8) * 8.0
    dy = round((here.y - (min(ys) + max(ys)) / 2) / 8) * 8.0
    placed = copied_layout(inner, places, dx, dy)
    kept = {at: place for at, place in layout.nodes.items() if at != path}
    frames = tuple(replace(frame, x=frame.x + dx, y=frame.y + dy) for frame in inner.frames)
    notes = tuple(replace(note, x=note.x + dx, y=note.y + dy) for note in inner.notes)
    layout = replace(
        layout,
        nodes=frozen({**kept, **placed.nodes}),
        frames=(*layout.frames, *frames),
        notes=(*layout.notes, *notes),
        ways=(*layout.ways, *placed.ways),
    )
    return put_layout(workflow, level, layout)
