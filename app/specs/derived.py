"""Specs of nodes whose sockets the document itself decides: uses of subgraphs, and zones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from backend.graph.document import BOUNDARY, Graph, Node, Port, Ref, Workflow
from backend.graph.exposed import find_node
from backend.graph.shape import SUBGRAPH
from backend.graph.spec import NodeSpec, Param, Socket
from backend.graph.types import is_generic

SUBGRAPHS = "Subgraphs"
"""The category of uses of subgraphs."""

_HANDED_IN = {"index": "Integer", "count": "Integer"}


def subgraph_spec(
    specs: Mapping[str, NodeSpec], workflow: Workflow, name: str, version: int = 1
) -> NodeSpec | None:
    """The spec of ``subgraph:NAME``: its ports, what its graph gives, and what it exposes.

    ``None`` where the document has no such subgraph. An output whose type only the links decide is
    generic, and so is one that leads nowhere.
    """
    subgraph = workflow.subgraphs.get(name)
    if subgraph is None:
        return None
    inputs = (
        Socket(port_name, port.type, optional=port.optional)
        for port_name, port in subgraph.inputs.items()
    )
    outputs = (
        _output(specs, workflow, subgraph.graph, subgraph.inputs, output, ref)
        for output, ref in subgraph.graph.outputs.items()
    )
    return NodeSpec(
        type=SUBGRAPH + name,
        version=version,
        title=subgraph.title or name,
        category=SUBGRAPHS,
        help="",
        inputs=tuple(inputs),
        params=tuple(_params(specs, workflow, name)),
        outputs=tuple(outputs),
    )


def zone_spec(specs: Mapping[str, NodeSpec], workflow: Workflow, node: Node) -> NodeSpec | None:
    """The spec of a zone with the outputs that its body gives.

    A carried value comes out as it is, all else as a list; ``stop`` of a repeat stays inside.
    """
    plain = specs.get(node.type)
    if plain is None or node.body is None:
        return plain
    carried = node.inputs.get("carry")
    names = carried if isinstance(carried, Mapping) else {}
    repeats = plain.input("items") is None
    outputs = []
    for name, ref in node.body.outputs.items():
        if repeats and name == "stop":
            continue
        found = _output(specs, workflow, node.body, {}, name, ref)
        outputs.append(replace(found, arity="one" if name in names else "list"))
    return replace(plain, outputs=tuple(outputs))


def _output(
    specs: Mapping[str, NodeSpec],
    workflow: Workflow,
    graph: Graph,
    ports: Mapping[str, Port],
    name: str,
    ref: Ref,
) -> Socket:
    """A socket ``name`` of the type that ``ref`` gives in ``graph``, as far as types alone say."""
    seen: set[tuple[int, Ref]] = set()
    unknown = Socket(name, "*" + name)
    listed = False
    while (id(graph), ref) not in seen:
        seen.add((id(graph), ref))
        if ref.node == BOUNDARY:
            kind = ports[ref.output].type if ref.output in ports else _HANDED_IN.get(ref.output)
            return Socket(name, kind, "list" if listed else "one") if kind else unknown
        node = graph.nodes.get(ref.node)
        if node is None:
            return unknown
        if node.type.startswith(SUBGRAPH):
            inner = workflow.subgraphs.get(node.type[len(SUBGRAPH) :])
            if inner is None or ref.output not in inner.graph.outputs:
                return unknown
            graph, ports, ref = inner.graph, inner.inputs, inner.graph.outputs[ref.output]
        elif node.body is not None and ref.output in node.body.outputs:
            carried = node.inputs.get("carry")
            listed |= not (isinstance(carried, Mapping) and ref.output in carried)
            graph, ports, ref = node.body, {}, node.body.outputs[ref.output]
        else:
            return _plain(specs, node, name, ref, listed)
    return unknown


def _plain(specs: Mapping[str, NodeSpec], node: Node, name: str, ref: Ref, listed: bool) -> Socket:
    spec = specs.get(node.type)
    socket = spec.output(ref.output) if spec is not None else None
    if socket is None:
        return Socket(name, "*" + name)
    kind = "*" + name if is_generic(socket.type) else socket.type
    return Socket(name, kind, "list" if listed else socket.arity)


def _params(specs: Mapping[str, NodeSpec], workflow: Workflow, name: str) -> Iterator[Param]:
    for outer in workflow.subgraphs[name].params:
        found = _exposed(specs, workflow, name, outer)
        if found is not None:
            yield replace(found[0], name=outer, default=found[1])


def _exposed(
    specs: Mapping[str, NodeSpec], workflow: Workflow, name: str, param: str
) -> tuple[Param, object] | None:
    """The parameter that an exposed one stands for, however deep, and the value that it has there;
    the outermost value that is set counts."""
    seen: set[tuple[str, str]] = set()
    value: list[object] = []
    while (name, param) not in seen:
        seen.add((name, param))
        subgraph = workflow.subgraphs.get(name)
        exposed = subgraph.params.get(param) if subgraph is not None else None
        node = find_node(subgraph.graph, exposed.node) if subgraph and exposed else None
        if node is None or exposed is None:
            return None
        if exposed.param in node.params:
            value.append(node.params[exposed.param])
        if not node.type.startswith(SUBGRAPH):
            spec = specs.get(node.type)
            found = spec.param(exposed.param) if spec is not None else None
            return (found, value[0] if value else found.default) if found is not None else None
        name, param = node.type[len(SUBGRAPH) :], exposed.param
    return None
