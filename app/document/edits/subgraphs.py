"""Subgraphs: made of nodes, laid open again, renamed, copied, and passed on as files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from app.document.edits.common import (
    EditError,
    SpecOf,
    as_id,
    called,
    exposed_in,
    fresh,
    fresh_id,
    frozen,
    need_unlocked,
    put_exposed,
    put_in_place,
)
from app.document.edits.copies import copied_layout
from app.document.edits.inline import Selection, boundary_names, select
from app.document.edits.kinds import input_end, output_end
from app.document.edits.nodes import used_by
from app.document.edits.rewire import rewire
from app.document.edits.upkeep import follow, map_graphs, map_nodes, settle, uses_in
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
    put_body,
    put_graph,
    put_layout,
)
from backend.graph.document import (
    BOUNDARY,
    Exposed,
    Graph,
    Layout,
    Node,
    Placement,
    Port,
    Ref,
    Subgraph,
    Workflow,
)
from backend.graph.format import dump
from backend.graph.shape import SUBGRAPH
from backend.graph.types import is_generic

ASIDE = 320.0
"""How far the inputs and outputs of a new subgraph lie beside its nodes, in canvas units."""


def make_subgraph(
    workflow: Workflow,
    level: str,
    paths: Collection[str],
    spec_of: SpecOf,
    title: str = "Group",
) -> Workflow:
    """Put nodes into a subgraph of their own, and one use of it in their place.

    Links from outside become its inputs, links to the outside its outputs. Exposed parameters of
    the nodes are exposed on the use.

    Raises:
        EditError: the nodes lie in different zones, another lies between them, or one is locked.
        KeyError: one of them is not there.
    """
    need_unlocked(workflow, level, paths)
    chosen = select(workflow, level, paths)
    graph = graph_of(workflow, level)
    name = fresh(as_id(title, "group"), workflow.subgraphs)
    taken = boundary_names(graph, chosen.paths) | {"index", "count"}
    inputs: dict[tuple[str, str], str] = {}
    for end in chosen.sources():
        inputs[end] = fresh(as_id(end[1], "input"), taken)
        taken.add(inputs[end])
    outputs: dict[tuple[str, str], str] = {}
    for end in chosen.results():
        outputs[end] = fresh(as_id(end[1], "output"), set(outputs.values()))
    params = _handed_on(workflow, level, chosen, taken)
    subgraph = Subgraph(
        _inner(graph, chosen, inputs, outputs),
        title,
        frozen(
            {port: _port(workflow, level, chosen, end, spec_of) for end, port in inputs.items()}
        ),
        frozen({outer: exposed for outer, exposed in params.values()}),
        _inner_layout(layout_of(workflow, level), chosen),
    )
    use = fresh_id(workflow, level, SUBGRAPH + name)
    made = _replaced(graph, chosen, use, name, inputs, outputs)
    after = put_graph(workflow, level, made)
    after = replace(after, subgraphs=frozen({**after.subgraphs, name: subgraph}))
    path = join(chosen.zone, use)
    after = _exposed_on_use(after, level, path, params)
    place = _middle(layout_of(workflow, level), chosen.paths)
    after = follow(after, level, lambda old: None if chosen.holds(old) else old)
    layout = layout_of(after, level)
    nodes = frozen({**layout.nodes, path: Placement(*place)})
    return settle(workflow, put_layout(after, level, replace(layout, nodes=nodes)), level)


def _inner(
    graph: Graph,
    chosen: Selection,
    inputs: Mapping[tuple[str, str], str],
    outputs: Mapping[tuple[str, str], str],
) -> Graph:
    def change(link: Link, ref: Ref) -> Ref | None:
        end = (link.source, link.output)
        return Ref(BOUNDARY, inputs[end]) if chosen.holds(link.target) and end in inputs else ref

    around = body_at(rewire(graph, change), chosen.zone)
    names = [name_of(path) for path in chosen.paths]
    return Graph(
        frozen({name: around.nodes[name] for name in names}),
        frozen({outer: Ref(name_of(path), output) for (path, output), outer in outputs.items()}),
    )


def _replaced(
    graph: Graph,
    chosen: Selection,
    use: str,
    name: str,
    inputs: Mapping[tuple[str, str], str],
    outputs: Mapping[tuple[str, str], str],
) -> Graph:
    """The level with a use in the place of nodes."""

    def change(link: Link, ref: Ref) -> Ref | None:
        end = (link.source, link.output)
        outer = not chosen.holds(link.target)
        return Ref(use, outputs[end]) if outer and end in outputs else ref

    graph = rewire(graph, change)
    around = body_at(graph, chosen.zone)
    refs = {port: Ref(name_of(source), output) for (source, output), port in inputs.items()}
    names = [name_of(path) for path in chosen.paths]
    nodes: dict[str, Node] = {}
    for inner, node in around.nodes.items():
        if inner == names[0]:
            nodes[use] = Node(SUBGRAPH + name, inputs=frozen(refs))
        if inner not in names:
            nodes[inner] = node
    return put_body(graph, chosen.zone, replace(around, nodes=frozen(nodes)))


def _port(
    workflow: Workflow, level: str, chosen: Selection, end: tuple[str, str], spec_of: SpecOf
) -> Port:
    kind = output_end(workflow, level, *end, spec_of).type
    if is_generic(kind):
        for link in chosen.into:
            if (link.source, link.output) == end:
                taking = input_end(workflow, level, link.target, link.input, spec_of)
                kind = taking.type if taking is not None else kind
                break
    return Port(kind)


def _handed_on(
    workflow: Workflow, level: str, chosen: Selection, taken: set[str]
) -> dict[str, tuple[str, Exposed]]:
    """By the name under which a level exposes it: the name and place inside the subgraph."""
    found: dict[str, tuple[str, Exposed]] = {}
    before = f"{chosen.zone}/" if chosen.zone else ""
    for name, exposed in exposed_in(workflow, level).items():
        if chosen.holds(exposed.node):
            inner = fresh(name, taken)
            taken.add(inner)
            found[name] = (inner, replace(exposed, node=exposed.node.removeprefix(before)))
    return found


def _exposed_on_use(
    workflow: Workflow, level: str, path: str, params: Mapping[str, tuple[str, Exposed]]
) -> Workflow:
    shown = {
        name: replace(exposed, node=path, param=params[name][0]) if name in params else exposed
        for name, exposed in exposed_in(workflow, level).items()
    }
    return put_exposed(workflow, level, shown) if params else workflow


def _inner_layout(layout: Layout, chosen: Selection) -> Layout:
    places = {path: name_of(path) for path in chosen.paths}
    inner_ways = tuple(w for w in layout.ways if chosen.holds(w.source.partition(".")[0]))
    made = copied_layout(replace(layout, ways=inner_ways), places, 0, 0)
    if not made.nodes:
        return made
    inner = made.nodes.values()
    left, right = min(p.x for p in inner), max(p.x for p in inner)
    top = min(p.y for p in inner)
    ends = {GIVEN: Placement(left - ASIDE, top), TAKEN: Placement(right + ASIDE, top)}
    return replace(made, nodes=frozen({**made.nodes, **ends}))


def _middle(layout: Layout, paths: Collection[str]) -> tuple[float, float]:
    """The middle of the places of nodes, on the grid of 8."""
    places = [layout.nodes[path] for path in paths if path in layout.nodes]
    if not places:
        return 0.0, 0.0
    x = (min(p.x for p in places) + max(p.x for p in places)) / 2
    y = (min(p.y for p in places) + max(p.y for p in places)) / 2
    return round(x / 8) * 8.0, round(y / 8) * 8.0


def rename_subgraph(workflow: Workflow, old: str, new: str) -> Workflow:
    """Give a subgraph another name, which files use; its uses follow.

    Raises:
        EditError: the name is taken.
        KeyError: there is no such subgraph.
    """
    if old == new:
        return workflow
    if new in workflow.subgraphs:
        raise EditError(f"There is a subgraph {new} already. Take another name.")
    if old not in workflow.subgraphs:
        raise KeyError(old)
    workflow = replace(workflow, subgraphs=put_in_place(workflow.subgraphs, old, as_id(new)))

    def using(graph: Graph) -> Graph:
        paths = frozenset(uses_in(graph, old))
        return map_nodes(graph, paths, lambda node: replace(node, type=SUBGRAPH + as_id(new)))

    return map_graphs(workflow, using)


def title_subgraph(workflow: Workflow, name: str, title: str) -> Workflow:
    """Call a subgraph something else on the canvas.

    Raises:
        KeyError: there is no such subgraph.
    """
    subgraph = replace(workflow.subgraphs[name], title=title.strip())
    return replace(workflow, subgraphs=frozen({**workflow.subgraphs, name: subgraph}))


def make_own(workflow: Workflow, level: str, path: str) -> Workflow:
    """Give a use a subgraph of its own, equal to the one that it shared with others.

    Raises:
        EditError: it is locked, or no use of a subgraph.
        KeyError: it is not there.
    """
    need_unlocked(workflow, level, [path])
    graph = graph_of(workflow, level)
    node = node_at(graph, path)
    name = node.type.removeprefix(SUBGRAPH)
    if not node.type.startswith(SUBGRAPH) or name not in workflow.subgraphs:
        raise EditError(f"{called(workflow, level, path)} is no subgraph.")
    own = fresh(name, workflow.subgraphs)
    subgraphs = frozen({**workflow.subgraphs, own: workflow.subgraphs[name]})
    workflow = replace(workflow, subgraphs=subgraphs)
    graph = map_nodes(graph, frozenset({path}), lambda n: replace(n, type=SUBGRAPH + own))
    return put_graph(workflow, level, graph)


def remove_subgraph(workflow: Workflow, name: str) -> Workflow:
    """Take a subgraph that nothing uses out of the document.

    Raises:
        EditError: it is used.
        KeyError: there is no such subgraph.
    """
    users = [workflow.graph, *(sub.graph for sub in workflow.subgraphs.values())]
    if any(uses_in(graph, name) for graph in users):
        title = workflow.subgraphs[name].title or name
        raise EditError(f"{title} is still used. Remove its uses first, or unpack them.")
    left = {other: sub for other, sub in workflow.subgraphs.items() if other != name}
    if len(left) == len(workflow.subgraphs):
        raise KeyError(name)
    return replace(workflow, subgraphs=frozen(left))


def asset_of(workflow: Workflow, name: str) -> str:
    """A subgraph as the text of a workflow file with one use of it: what is saved as an asset.
    ``clipboard.paste`` puts it into another document.

    Raises:
        KeyError: there is no such subgraph.
    """
    subgraph = workflow.subgraphs[name]
    needed = {name, *used_by(workflow, name)}
    use = Node(SUBGRAPH + name)
    asset = Workflow(
        Graph(frozen({name: use})),
        title=subgraph.title or name,
        subgraphs=frozen({k: s for k, s in workflow.subgraphs.items() if k in needed}),
        layout=Layout(frozen({name: Placement(0.0, 0.0)})),
    )
    return dump(asset)
