"""What moves between a graph and the graphs inside it: boundaries of a selection, and the nodes of
an inner graph laid open in an outer one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from app.document.edits.common import EditError, called, fresh, names_in, outermost, put_in_place
from app.document.edits.copies import moved_path
from app.document.edits.cycles import reads
from app.document.edits.rewire import drop_links, rewire
from app.document.edits.upkeep import follow
from app.document.level import (
    GIVEN,
    Link,
    body_at,
    graph_of,
    hands_in,
    is_within,
    join,
    links,
    name_of,
    node_at,
    parent_of,
    put_body,
    put_graph,
    walk,
)
from backend.graph.document import BOUNDARY, Graph, Node, Ref, Workflow
from backend.graph.shape import ID


@dataclass(frozen=True, slots=True)
class Selection:
    """Nodes of one graph, and the links over their edge.

    ``zone`` is the zone that they lie in, ``into`` and ``out`` the links in document order;
    ``members`` are the paths once more, to look one up.
    """

    zone: str
    paths: tuple[str, ...]
    members: frozenset[str]
    into: tuple[Link, ...]
    out: tuple[Link, ...]

    def holds(self, path: str) -> bool:
        """Whether a node, or the end of a link, is among them or in one of them."""
        return is_within(path, self.members)

    def sources(self) -> tuple[tuple[str, str], ...]:
        """The ends outside that feed them, each once."""
        return tuple(dict.fromkeys((link.source, link.output) for link in self.into))

    def results(self) -> tuple[tuple[str, str], ...]:
        """The ends among them that are used outside, each once."""
        return tuple(dict.fromkeys((link.source, link.output) for link in self.out))


def select(workflow: Workflow, level: str, paths: Collection[str]) -> Selection:
    """Nodes to be put into a graph of their own.

    Raises:
        EditError: there are none, they lie in different zones, or a node between them is left out.
        KeyError: one of them is not there.
    """
    graph = graph_of(workflow, level)
    order = {path: number for number, (path, _) in enumerate(walk(graph))}
    chosen = tuple(sorted(outermost(paths), key=lambda path: order[path]))
    if not chosen:
        raise EditError("Nothing is selected. Select the nodes first.")
    zones = {parent_of(path) for path in chosen}
    if len(zones) > 1:
        raise EditError("These nodes lie in different zones. Select nodes of one zone.")
    zone = zones.pop()
    members = frozenset(chosen)
    crossing = [
        k for k in links(graph) if is_within(k.source, members) != is_within(k.target, members)
    ]
    into = tuple(link for link in crossing if is_within(link.target, members))
    out = tuple(link for link in crossing if is_within(link.source, members))
    _need_no_detour(workflow, level, zone, chosen)
    return Selection(zone, chosen, members, into, out)


def _need_no_detour(workflow: Workflow, level: str, zone: str, chosen: tuple[str, ...]) -> None:
    """Refuse nodes between which a link goes over another node: put away, they would need what
    they feed."""
    nodes = body_at(graph_of(workflow, level), zone).nodes
    names = {name_of(path) for path in chosen}
    feeds = {name: reads(node) for name, node in nodes.items()}
    todo = [source for name in names for source in feeds[name] if source not in names]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        if feeds[name] & names:
            between = called(workflow, level, join(zone, name))
            raise EditError(f"{between} lies between these nodes. Select it too.")
        todo.extend(feeds[name])


def boundary_names(graph: Graph, chosen: Collection[str]) -> set[str]:
    """The names under which something in these nodes is handed in or read by now; another one
    under such a name would be taken for it."""
    found: set[str] = set()
    for top in chosen:
        node = node_at(graph, top)
        inside = [node, *(inner for _, inner in walk(node.body or Graph()))]
        for inner in inside:
            if inner.body is not None:
                found |= hands_in(inner)
    tops = frozenset(chosen)
    for link in links(graph):
        if name_of(link.source) == GIVEN and is_within(link.target, tops):
            found.add(link.output)
    return found


def lay_open(
    body: Graph,
    names: Mapping[str, str],
    given: Mapping[str, Ref | None],
) -> Graph:
    """The nodes of an inner graph as they stand in an outer one (``without_doubles`` goes first).

    Args:
        body: The inner graph.
        names: The new ids of its nodes.
        given: What ``$.name`` is outside; ``None`` for nothing. What is not in it stays.

    Raises:
        EditError: a zone inside hands in a value under a name that is read through it.
    """

    def is_nothing(link: Link) -> bool:
        return link.source == GIVEN and given.get(link.output, link) is None

    def change(link: Link, ref: Ref) -> Ref | None:
        if link.source == GIVEN:
            new = given.get(link.output, ref)
            if new is not None and new is not ref and new.node == BOUNDARY:
                _need_seen(body, link.target, new)
            return new
        return Ref(names[link.source], ref.output) if link.source in names else ref

    opened = rewire(drop_links(body, is_nothing), change)
    nodes = {names[name]: node for name, node in opened.nodes.items()}
    return replace(opened, nodes=nodes)


def _need_seen(body: Graph, target: str, ref: Ref) -> None:
    zone = parent_of(target)
    while zone:
        if ref.output in hands_in(node_at(body, zone)):
            raise EditError(
                f"A zone inside hands in a value called {ref.output} too. Rename one of them."
            )
        zone = parent_of(zone)


def rename_node(workflow: Workflow, level: str, path: str, name: str) -> Workflow:
    """Give a node another id; links, places and what is shown outside follow.

    Raises:
        EditError: the id is taken, or cannot be one.
        KeyError: there is no such node.
    """
    graph = graph_of(workflow, level)
    if name == name_of(path):
        return workflow
    if name in names_in(graph):
        raise EditError(f"There is a node {name} already. Take another name.")
    if not re.fullmatch(ID, name):
        raise EditError("An id is a letter, then letters, digits, _ and -, 64 at most.")
    made = put_graph(workflow, level, renamed(graph, path, name))
    places = {path: join(parent_of(path), name)}
    return follow(made, level, lambda old: moved_path(old, places) or old)


def without_doubles(workflow: Workflow, level: str, zone: str, taken: Collection[str]) -> Workflow:
    """The document in which nodes in the zones inside a graph have ids that are not taken, so that
    they hide nothing when that graph is laid open."""
    body = body_at(graph_of(workflow, level), zone)
    deep = [path for path, _ in walk(body) if "/" in path and name_of(path) in taken]
    used = {*taken, *names_in(graph_of(workflow, level))}
    for path in sorted(deep, key=lambda path: -path.count("/")):
        name = fresh(name_of(path), used)
        used.add(name)
        workflow = rename_node(workflow, level, join(zone, path), name)
    return workflow


def renamed(graph: Graph, path: str, name: str) -> Graph:
    """The level in which a node has another id; links follow.

    Raises:
        KeyError: there is no such node.
    """
    old = name_of(path)

    def change(link: Link, ref: Ref) -> Ref | None:
        return Ref(name, ref.output) if link.source == path else ref

    graph = rewire(graph, change)
    inside = body_at(graph, parent_of(path))
    if old not in inside.nodes:
        raise KeyError(path)
    nodes: Mapping[str, Node] = put_in_place(inside.nodes, old, name)
    return put_body(graph, parent_of(path), replace(inside, nodes=nodes))
