"""Links of a node that change places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from app.document.edits.common import (
    EditError,
    SpecOf,
    called,
    frozen,
    need_unlocked,
)
from app.document.edits.upkeep import settle
from app.document.level import (
    graph_of,
    node_at,
    put_graph,
    put_node,
    refs_of,
)
from backend.graph.document import Input, Node, Ref, Workflow
from backend.graph.spec import NodeSpec


def swap_inputs(
    workflow: Workflow,
    level: str,
    path: str,
    first: tuple[str, int | str | None],
    second: tuple[str, int | str | None],
) -> Workflow:
    """Let two inputs of a node change their links; each is a name and a key, one may be free.

    Raises:
        EditError: the node is locked, or neither input is linked.
        KeyError: the node is not there.
    """
    need_unlocked(workflow, level, [path])
    node = node_at(graph_of(workflow, level), path)
    here, there = _ref_at(node, first), _ref_at(node, second)
    if here is None and there is None:
        raise EditError("Neither input is linked. Link one of them first.")
    node = _with_ref(_with_ref(node, first, there), second, here)
    graph = put_node(graph_of(workflow, level), path, node)
    return settle(workflow, put_graph(workflow, level, graph), level)


def swap_first(workflow: Workflow, level: str, path: str, spec_of: SpecOf) -> Workflow:
    """Let the first two inputs of one type change their links.

    Raises:
        EditError: the node is locked, or has no two such inputs.
        KeyError: the node is not there.
    """
    node = node_at(graph_of(workflow, level), path)
    spec = spec_of(workflow, node)
    for one, other in _alike(node, spec) if spec is not None else ():
        if _ref_at(node, one) is not None or _ref_at(node, other) is not None:
            return swap_inputs(workflow, level, path, one, other)
    name = called(workflow, level, path)
    raise EditError(f"{name} has no two inputs of one type to swap.")


def _alike(
    node: Node, spec: NodeSpec
) -> Iterator[tuple[tuple[str, int | str | None], tuple[str, int | str | None]]]:
    places: list[tuple[str, tuple[str, int | str | None]]] = []
    for socket in spec.inputs:
        given = node.inputs.get(socket.name)
        if socket.arity in ("one", "list"):
            places.append((socket.type, (socket.name, None)))
        elif given is not None:
            places += [(socket.type, (socket.name, key)) for key, _ in refs_of(given)]
    for number, (kind, place) in enumerate(places):
        for other, later in places[number + 1 :]:
            if kind == other:
                yield place, later


def _ref_at(node: Node, place: tuple[str, int | str | None]) -> Ref | None:
    given = node.inputs.get(place[0])
    return dict(refs_of(given)).get(place[1]) if given is not None else None


def _with_ref(node: Node, place: tuple[str, int | str | None], ref: Ref | None) -> Node:
    name, key = place
    given = node.inputs.get(name)
    refs = dict(refs_of(given)) if given is not None else {}
    if ref is None:
        refs.pop(key, None)
    else:
        refs[key] = ref
    inputs = dict(node.inputs)
    if not refs:
        inputs.pop(name, None)
    else:
        inputs[name] = _formed(refs)
    return replace(node, inputs=frozen(inputs))


def _formed(refs: Mapping[int | str | None, Ref]) -> Input:
    if None in refs:
        return refs[None]
    if any(isinstance(key, int) for key in refs):
        return tuple(refs.values())
    return frozen({str(key): ref for key, ref in refs.items()})
