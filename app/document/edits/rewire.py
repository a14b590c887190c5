"""Going through all links of a level and changing them; what does not change is shared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

from app.document.edits.common import fresh_output
from app.document.level import (
    GIVEN,
    TAKEN,
    Link,
    Scope,
    body_at,
    hands_in,
    is_inside,
    is_within,
    join,
    links,
    name_of,
    node_at,
    parent_of,
    put_body,
    put_node,
    refs_of,
    resolve,
    scopes,
)
from backend.graph.document import BOUNDARY, Graph, Input, Node, Ref

Change: TypeAlias = Callable[[Link, Ref], "Ref | None"]
"""What a link becomes: the same reference, another one, or ``None`` for no link."""


_MANY = 50
"""From how many nodes on it is quicker to go through all."""


def rewire(graph: Graph, change: Change) -> Graph:
    """The level with every link changed; the same object where none is."""
    return _rewired((Scope("", graph, frozenset()),), change)


def _rewired(inside: tuple[Scope, ...], change: Change) -> Graph:
    here = inside[-1]
    nodes: dict[str, Node] = {}
    for name, node in here.graph.nodes.items():
        path = join(here.path, name)
        inputs = _inputs(inside, path, node, change) if node.inputs else node.inputs
        body = node.body
        if body is not None:
            body = _rewired((*inside, Scope(path, body, hands_in(node))), change)
        if inputs is not node.inputs or body is not node.body:
            nodes[name] = replace(node, inputs=inputs, body=body)
    outputs = _outputs(inside, change)
    if not nodes and outputs is here.graph.outputs:
        return here.graph
    put = MappingProxyType({**here.graph.nodes, **nodes}) if nodes else here.graph.nodes
    return replace(here.graph, nodes=put, outputs=outputs)


def _outputs(inside: tuple[Scope, ...], change: Change) -> Mapping[str, Ref]:
    here = inside[-1]
    target = join(here.path, TAKEN)
    made: dict[str, Ref] = {}
    same = True
    for name, ref in here.graph.outputs.items():
        new = change(Link(resolve(inside, ref), ref.output, target, name), ref)
        same &= new is ref
        if new is not None:
            made[name] = new
    return here.graph.outputs if same else MappingProxyType(made)


def _inputs(
    inside: tuple[Scope, ...], path: str, node: Node, change: Change
) -> Mapping[str, Input]:
    made: dict[str, Input] = {}
    same = True
    for name, given in node.inputs.items():
        new: dict[int | str | None, Ref] = {}
        changed = False
        for key, ref in refs_of(given):
            now = change(Link(resolve(inside, ref), ref.output, path, name, key), ref)
            changed |= now is not ref
            if now is not None:
                new[key] = now
        same &= not changed
        if not changed:
            made[name] = given
        elif new:
            made[name] = formed(given, new)
    return node.inputs if same else MappingProxyType(made)


def formed(given: Input, refs: Mapping[int | str | None, Ref]) -> Input:
    """An input of the same form as ``given`` with other references."""
    if isinstance(given, Ref):
        return refs[None]
    if isinstance(given, Mapping):
        return MappingProxyType({str(key): ref for key, ref in refs.items()})
    return tuple(refs.values())


def drop_links(graph: Graph, is_gone: Callable[[Link], bool]) -> Graph:
    """The level without some links, and without those that lose their source by it.

    What a zone is handed no more is not read in it any more, and a value that is carried no more
    does not come out. A carried value that would come back from nowhere comes back as it went in.
    """
    gone, back = _closure(graph, is_gone)
    if not gone and not back:
        return graph

    def change(link: Link, ref: Ref) -> Ref | None:
        if link in gone:
            return None
        return Ref(BOUNDARY, link.input) if link in back else ref

    targets = {link.target for link in (*gone, *back)}
    if len(targets) > _MANY:
        return rewire(graph, change)
    inside = {path: scopes(graph, parent_of(path)) for path in targets}
    for path, around in inside.items():  # read as the links were before any of them went
        if name_of(path) == TAKEN:
            body = body_at(graph, parent_of(path))
            outputs = _outputs(around, change)
            graph = put_body(graph, parent_of(path), replace(body, outputs=outputs))
        else:
            node = node_at(graph, path)
            inputs = _inputs(around, path, node, change)
            graph = put_node(graph, path, replace(node, inputs=inputs))
    return graph


def _closure(graph: Graph, is_gone: Callable[[Link], bool]) -> tuple[set[Link], set[Link]]:
    """The links that go, and those by which a carried value comes back as it went in."""
    every = list(links(graph))
    todo = [link for link in every if is_gone(link)]
    if not any(name_of(k.target) == TAKEN or k.input in ("carry", "items") for k in todo):
        return set(todo), set()
    by_source: dict[tuple[str, str], list[Link]] = {}
    for link in every:
        by_source.setdefault((link.source, link.output), []).append(link)
    carried = {(join(k.target, TAKEN), k.key): k for k in every if _is_handed(graph, k, "carry")}
    gone: set[Link] = set()
    back: set[Link] = set()
    while todo:
        link = todo.pop()
        if link in gone:
            continue
        zone = parent_of(link.target) if name_of(link.target) == TAKEN else ""
        carry = carried.get((link.target, link.input)) if zone else None
        if carry is not None and carry not in gone:
            if link.source != join(zone, GIVEN) or link.output != link.input:
                back.add(link)
            continue
        gone.add(link)
        back.discard(link)
        if zone:
            todo += by_source.get((zone, link.input), ())
        elif _is_handed(graph, link, "carry") or _is_handed(graph, link, "items"):
            todo += by_source.get((join(link.target, GIVEN), str(link.key)), ())
            end = (join(link.target, TAKEN), link.key)
            if carried.get(end) == link:
                todo += [k for k in every if (k.target, k.input) == end]
    return gone, back


def _is_handed(graph: Graph, link: Link, group: str) -> bool:
    """Whether a link feeds what a zone hands to its body."""
    if link.input != group or not isinstance(link.key, str) or name_of(link.target) == TAKEN:
        return False
    return node_at(graph, link.target).body is not None


def drop_sources(graph: Graph, gone: Collection[tuple[str, str]]) -> Graph:
    """The level without links from these outputs (path and output); else as ``drop_links``."""
    return drop_links(graph, lambda link: (link.source, link.output) in gone)


def outputs_from(graph: Graph, paths: Iterable[str]) -> set[tuple[str, str]]:
    """Every output of these nodes that a link begins at; those of zones' insides too."""
    chosen = frozenset(paths)
    return {(k.source, k.output) for k in links(graph) if is_within(k.source, chosen)}


def bring_out(graph: Graph, source: str, output: str, parent: str) -> tuple[Graph, str, str]:
    """Give an output out of the zones that ``parent`` does not lie in.

    Returns the level, and the end of it that ``parent`` can link from: a zone's output, which is
    made where the body does not give the value yet.
    """
    while (zone := parent_of(source)) and parent != zone and not is_inside(parent, zone):
        inside = scopes(graph, zone)
        body = inside[-1].graph
        ref = Ref(name_of(source), output)
        name = next((n for n, r in body.outputs.items() if r == ref and n != "stop"), "")
        if not name:
            name = fresh_output(output, {*body.outputs, *inside[-1].hands_in})
            outputs = MappingProxyType({**body.outputs, name: ref})
            graph = put_body(graph, zone, replace(body, outputs=outputs))
        source, output = zone, name
    return graph, source, output
