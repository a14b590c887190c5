"""The sockets of a subgraph: its inputs and outputs, added, renamed, ordered, taken out."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from app.document.edits.common import EditError, Value, as_id, fresh, frozen, put_in_place
from app.document.edits.params import rename_on_uses
from app.document.edits.rewire import drop_sources, rewire
from app.document.edits.upkeep import follow_uses, follow_ways, map_graphs, settle, uses_in
from app.document.level import GIVEN, TAKEN, Link, graph_of, put_graph
from backend.graph.document import Graph, Port, Ref, Workflow


def add_port(
    workflow: Workflow, level: str, name: str, kind: str, optional: bool = False
) -> Workflow:
    """Give a subgraph an input of a socket type; its name is made a free one.

    Raises:
        KeyError: there is no such subgraph.
    """
    subgraph = workflow.subgraphs[level]
    name = fresh(as_id(name, "input"), {*subgraph.inputs, *subgraph.params, "index", "count"})
    return _with_ports(workflow, level, {**subgraph.inputs, name: Port(kind, optional)})


def change_port(
    workflow: Workflow, level: str, name: str, kind: str | None = None, optional: bool | None = None
) -> Workflow:
    """Give an input of a subgraph another type, or say whether it may be left open.

    Raises:
        KeyError: there is no such subgraph or input.
    """
    subgraph = workflow.subgraphs[level]
    old = subgraph.inputs[name]
    port = replace(
        old,
        type=old.type if kind is None else kind,
        optional=old.optional if optional is None else optional,
    )
    return _with_ports(workflow, level, {**subgraph.inputs, name: port})


def remove_port(workflow: Workflow, level: str, name: str) -> Workflow:
    """Take an input out of a subgraph, with all links that go through it.

    Raises:
        KeyError: there is no such subgraph or input.
    """
    ports = dict(workflow.subgraphs[level].inputs)
    del ports[name]
    graph = drop_sources(graph_of(workflow, level), {(GIVEN, name)})
    made = _with_ports(put_graph(workflow, level, graph), level, ports)
    return settle(workflow, made, level)


def rename_port(workflow: Workflow, level: str, old: str, new: str) -> Workflow:
    """Call an input of a subgraph something else; links inside and outside follow.

    Raises:
        EditError: the name is taken.
        KeyError: there is no such subgraph or input.
    """
    subgraph = workflow.subgraphs[level]
    if old not in subgraph.inputs:
        raise KeyError(old)
    new = _new_name(old, new, {*subgraph.inputs, *subgraph.params, "index", "count"})

    def change(link: Link, ref: Ref) -> Ref | None:
        return Ref(GIVEN, new) if (link.source, link.output) == (GIVEN, old) else ref

    workflow = put_graph(workflow, level, rewire(graph_of(workflow, level), change))
    workflow = _with_ports(workflow, level, put_in_place(subgraph.inputs, old, new))
    workflow = follow_ways(workflow, level, {f"{GIVEN}.{old}": f"{GIVEN}.{new}"}, {})
    return rename_on_uses(workflow, level, old, new)


def order_ports(workflow: Workflow, level: str, names: Sequence[str]) -> Workflow:
    """Put the inputs of a subgraph in another order; those that are not named come last."""
    return _with_ports(workflow, level, _ordered(workflow.subgraphs[level].inputs, names))


def remove_output(workflow: Workflow, level: str, name: str) -> Workflow:
    """Let a level give an output no more; links from it outside go.

    Raises:
        KeyError: there is no such level or output.
    """
    graph = graph_of(workflow, level)
    outputs = dict(graph.outputs)
    del outputs[name]
    made = put_graph(workflow, level, replace(graph, outputs=frozen(outputs)))
    return settle(workflow, made, level)


def rename_output(workflow: Workflow, level: str, old: str, new: str) -> Workflow:
    """Call an output of a level something else; links from it outside follow.

    Raises:
        EditError: the name is taken.
        KeyError: there is no such level or output.
    """
    graph = graph_of(workflow, level)
    if old not in graph.outputs:
        raise KeyError(old)
    new = _new_name(old, new, graph.outputs)
    outputs = put_in_place(graph.outputs, old, new)
    workflow = put_graph(workflow, level, replace(graph, outputs=outputs))
    workflow = follow_ways(workflow, level, {}, {f"{TAKEN}.{old}": f"{TAKEN}.{new}"})
    return _on_uses(workflow, level, old, new) if level else workflow


def order_outputs(workflow: Workflow, level: str, names: Sequence[str]) -> Workflow:
    """Put the outputs of a level in another order; those that are not named come last."""
    graph = graph_of(workflow, level)
    return put_graph(workflow, level, replace(graph, outputs=_ordered(graph.outputs, names)))


def _on_uses(workflow: Workflow, name: str, old: str, new: str) -> Workflow:
    def renamed(graph: Graph) -> Graph:
        uses = frozenset(uses_in(graph, name))

        def change(link: Link, ref: Ref) -> Ref | None:
            return Ref(ref.node, new) if link.source in uses and link.output == old else ref

        return rewire(graph, change) if uses else graph

    return follow_uses(map_graphs(workflow, renamed), name, old, new, is_output=True)


def _new_name(old: str, new: str, taken: Container[str]) -> str:
    name = as_id(new, old)
    if name != old and name in taken:
        raise EditError(f"There is a {name} already. Take another name.")
    return name


def _ordered(table: Mapping[str, Value], names: Sequence[str]) -> Mapping[str, Value]:
    first = [name for name in dict.fromkeys(names) if name in table]
    rest = [name for name in table if name not in set(first)]
    return frozen({name: table[name] for name in [*first, *rest]})


def _with_ports(workflow: Workflow, level: str, ports: Mapping[str, Port]) -> Workflow:
    subgraph = replace(workflow.subgraphs[level], inputs=frozen(ports))
    return replace(workflow, subgraphs=frozen({**workflow.subgraphs, level: subgraph}))
