"""One node for another, of another type, with the links and values that fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.document.edits.common import (
    EditError,
    SpecOf,
    called,
    need_unlocked,
)
from app.document.edits.connect import connect
from app.document.edits.kinds import fits, input_end, output_end
from app.document.edits.nodes import new_node
from app.document.edits.rewire import drop_sources, outputs_from, rewire
from app.document.edits.upkeep import settle
from app.document.level import (
    Link,
    graph_of,
    links,
    links_into,
    node_at,
    put_graph,
    put_node,
)
from backend.graph.document import Graph, Json, Node, Ref, Workflow
from backend.graph.params import Unfit, canonical
from backend.graph.spec import NodeSpec


def replace_node(
    workflow: Workflow, level: str, path: str, spec: NodeSpec, spec_of: SpecOf
) -> Workflow:
    """Make a node one of another type, with the links and values that fit it.

    An input is found by its name, else the first free one that its link fits; an output by its
    name, else the first of the type; values by name, where the new parameter may have them.

    Raises:
        EditError: the node is locked, or a zone with nodes in it would lose them.
        KeyError: the node is not there.
    """
    need_unlocked(workflow, level, [path])
    graph = graph_of(workflow, level)
    old = node_at(graph, path)
    if old.body is not None and old.body.nodes and not spec.zone:
        raise EditError(f"{called(workflow, level, path)} has nodes inside. Dissolve it first.")
    new = replace(
        new_node(spec, _kept_params(old, spec)), mode=old.mode, each=old.each, title=old.title
    )
    if spec.zone and old.body is not None:
        new = replace(new, body=old.body)
    if not spec.zone or old.body is None:
        ends = _kept_outputs(workflow, level, path, spec, spec_of)
        graph = _with_outputs(graph, path, ends)
    into = list(links_into(graph, path))
    made = put_graph(workflow, level, put_node(graph, path, new))
    for link in into:
        made = _taken_over(made, level, link, spec, spec_of)
    return settle(workflow, made, level)


def _kept_params(old: Node, spec: NodeSpec) -> Mapping[str, Json]:
    kept: dict[str, Json] = {}
    for name, value in old.params.items():
        param = spec.param(name)
        if param is None:
            continue
        try:
            canonical(param, value)
        except Unfit:
            continue
        kept[name] = value
    return kept


def _kept_outputs(
    workflow: Workflow, level: str, path: str, spec: NodeSpec, spec_of: SpecOf
) -> dict[str, str]:
    """Which new output stands for each old one that is linked."""
    graph = graph_of(workflow, level)
    kept: dict[str, str] = {}
    for link in links(graph):
        if link.source != path or link.output in kept:
            continue
        given = output_end(workflow, level, path, link.output, spec_of).type
        same = [o.name for o in spec.outputs if o.name == link.output and fits(o.type, given)]
        like = [o.name for o in spec.outputs if o.type == given]
        loose = [o.name for o in spec.outputs if fits(o.type, given)]
        found = [*same, *like, *loose]
        if found:
            kept[link.output] = found[0]
    return kept


def _with_outputs(graph: Graph, path: str, ends: Mapping[str, str]) -> Graph:
    """The level in which links from outputs of a node begin at others of it, or are gone."""

    def change(link: Link, ref: Ref) -> Ref | None:
        if link.source != path or link.output not in ends:
            return ref
        return Ref(ref.node, ends[link.output]) if ends[link.output] != link.output else ref

    gone = {end for end in outputs_from(graph, [path]) if end[0] == path and end[1] not in ends}
    return rewire(drop_sources(graph, gone), change)


def _taken_over(
    workflow: Workflow, level: str, link: Link, spec: NodeSpec, spec_of: SpecOf
) -> Workflow:
    given = output_end(workflow, level, link.source, link.output, spec_of).type
    node = node_at(graph_of(workflow, level), link.target)
    names = [link.input] if spec.input(link.input) or spec.param(link.input) else []
    names += [
        s.name for s in spec.inputs if s.arity in ("many", "named") or s.name not in node.inputs
    ]
    for name in names:
        end = input_end(workflow, level, link.target, name, spec_of)
        if end is None or not fits(given, end.type):
            continue
        if end.arity in ("one", "list") and name in node.inputs:
            continue
        key = link.key if isinstance(link.key, str) else None
        return connect(workflow, level, link._replace(input=name, key=key), spec_of)
    return workflow
