"""Values of parameters, and which of them are shown outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from app.document.edits.common import (
    EditError,
    exposed_in,
    fresh,
    frozen,
    need_unlocked,
    put_exposed,
    put_in_place,
    without,
)
from app.document.edits.upkeep import follow_uses, map_graphs, map_nodes, settle, uses_in
from app.document.level import graph_of, node_at, put_graph, put_node
from app.labels import label
from backend.graph.document import Exposed, Graph, Json, Node, Workflow


def set_param(workflow: Workflow, level: str, path: str, param: str, value: Json) -> Workflow:
    """Set one parameter of a node.

    Raises:
        EditError: the node is locked.
        KeyError: there is no such node.
    """
    return set_params(workflow, level, {path: {param: value}})


def set_params(
    workflow: Workflow, level: str, values: Mapping[str, Mapping[str, Json]]
) -> Workflow:
    """Set parameters of several nodes: values by node path and parameter.

    Raises:
        EditError: one of the nodes is locked.
        KeyError: one of the nodes is not there.
    """
    need_unlocked(workflow, level, values)
    graph = graph_of(workflow, level)
    for path, given in values.items():
        node = node_at(graph, path)
        params = frozen({**node.params, **given})
        if params != node.params:
            graph = put_node(graph, path, replace(node, params=params))
    return put_graph(workflow, level, graph)


def reset_params(
    workflow: Workflow, level: str, paths: Collection[str], names: Collection[str] | None = None
) -> Workflow:
    """Let parameters of nodes stand at their defaults; all of them without ``names``.

    Raises:
        EditError: one of the nodes is locked.
        KeyError: one of the nodes is not there.
    """
    need_unlocked(workflow, level, paths)
    graph = graph_of(workflow, level)
    for path in paths:
        node = node_at(graph, path)
        params = without(node.params, node.params.keys() if names is None else names)
        if params is not node.params:
            graph = put_node(graph, path, replace(node, params=params))
    return put_graph(workflow, level, graph)


def shown_as(workflow: Workflow, level: str, path: str, param: str) -> str:
    """The name under which a parameter is shown outside, or empty."""
    for name, exposed in exposed_in(workflow, level).items():
        if (exposed.node, exposed.param) == (path, param):
            return name
    return ""


def expose(
    workflow: Workflow, level: str, path: str, param: str, text: str = "", group: str = ""
) -> Workflow:
    """Show a parameter outside: in app mode, or on the uses of a subgraph.

    Args:
        workflow: The document.
        level: The level.
        path: The node.
        param: Its parameter.
        text: What people read; the parameter's own name in words without.
        group: The heading that it stands under.

    Raises:
        KeyError: there is no such node.
    """
    node_at(graph_of(workflow, level), path)
    if shown_as(workflow, level, path, param):
        return workflow
    shown = exposed_in(workflow, level)
    ports = workflow.subgraphs[level].inputs if level else {}
    name = fresh(param, {*shown, *ports})
    exposed = Exposed(path, param, text or label(param), group)
    return put_exposed(workflow, level, {**shown, name: exposed})


def unexpose(workflow: Workflow, level: str, names: Collection[str]) -> Workflow:
    """Show parameters outside no more; uses of the subgraph lose what they set there."""
    made = put_exposed(workflow, level, without(exposed_in(workflow, level), names))
    return settle(workflow, made, level)


def describe_exposed(
    workflow: Workflow, level: str, name: str, text: str | None = None, group: str | None = None
) -> Workflow:
    """Call a parameter that is shown outside something else, or put it under another heading.

    Raises:
        KeyError: none is shown under that name.
    """
    shown = exposed_in(workflow, level)
    old = shown[name]
    new = replace(
        old,
        label=old.label if text is None else text,
        group=old.group if group is None else group,
    )
    return put_exposed(workflow, level, {**shown, name: new})


def order_exposed(workflow: Workflow, level: str, names: Sequence[str]) -> Workflow:
    """Show parameters outside in another order; those that are not named come last."""
    shown = exposed_in(workflow, level)
    order = [name for name in dict.fromkeys(names) if name in shown]
    rest = [name for name in shown if name not in set(order)]
    return put_exposed(workflow, level, {name: shown[name] for name in [*order, *rest]})


def rename_exposed(workflow: Workflow, level: str, old: str, new: str) -> Workflow:
    """Show a parameter under another name, which files and the command line use.

    Raises:
        EditError: the name is taken.
        KeyError: none is shown under the old name.
    """
    shown = exposed_in(workflow, level)
    ports = workflow.subgraphs[level].inputs if level else {}
    if old == new:
        return workflow
    if new in shown or new in ports:
        raise EditError(f"There is a {new} already. Take another name.")
    if old not in shown:
        raise KeyError(old)
    made = put_exposed(workflow, level, put_in_place(shown, old, new))
    return rename_on_uses(made, level, old, new) if level else made


def rename_on_uses(workflow: Workflow, subgraph: str, old: str, new: str) -> Workflow:
    """The document in which the uses of a subgraph set and link ``new`` instead of ``old``."""

    def change(node: Node) -> Node:
        if old not in node.inputs and old not in node.params:
            return node
        return replace(
            node,
            inputs=put_in_place(node.inputs, old, new),
            params=put_in_place(node.params, old, new),
        )

    def rename(graph: Graph) -> Graph:
        return map_nodes(graph, frozenset(uses_in(graph, subgraph)), change)

    shown = _shown_under(map_graphs(workflow, rename), subgraph, old, new)
    return follow_uses(shown, subgraph, old, new, is_output=False)


def _shown_under(workflow: Workflow, subgraph: str, old: str, new: str) -> Workflow:
    """The document that shows a parameter of the uses of a subgraph by its new name."""
    for level in ("", *workflow.subgraphs):
        uses = frozenset(uses_in(graph_of(workflow, level), subgraph))
        shown = exposed_in(workflow, level)
        now = {
            name: replace(exposed, param=new)
            if exposed.node in uses and exposed.param == old
            else exposed
            for name, exposed in shown.items()
        }
        if now != dict(shown):
            workflow = put_exposed(workflow, level, now)
    return workflow
