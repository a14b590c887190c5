"""Which type a socket has, as far as node types and links say it before anything is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.document.edits.common import SpecOf
from app.document.level import (
    GIVEN,
    TAKEN,
    Link,
    graph_of,
    links_into,
    name_of,
    node_at,
    parent_of,
    resolve,
    scopes,
)
from backend.graph.conversions import find_conversion
from backend.graph.document import Graph, Ref, Workflow
from backend.graph.links import ZONE_NAMES
from backend.graph.spec import Arity, NodeSpec
from backend.graph.types import is_generic

UNKNOWN = "*"
"""The type of which nothing is known; it fits everywhere."""


class End(NamedTuple):
    """One end of a link: its type (``*`` where that is not known), and how many links it takes."""

    type: str
    arity: Arity = "one"
    optional: bool = True


def fits(given: str, wanted: str) -> bool:
    """Whether a value of one type may go into a socket of another, converted where need be."""
    if given == wanted or is_generic(given) or is_generic(wanted):
        return True
    return find_conversion(given, wanted) is not None


def output_end(workflow: Workflow, level: str, path: str, output: str, spec_of: SpecOf) -> End:
    """What an output gives. Generic outputs have the type of what is linked to the node.

    ``path`` may be a boundary, ``$`` or ``loop/$``. What is not there is of unknown type.
    """
    graph = graph_of(workflow, level)
    listed: bool | None = None
    seen: set[tuple[str, str]] = set()
    while (path, output) not in seen:
        seen.add((path, output))
        step = _step(workflow, level, graph, path, output, spec_of)
        listed = step.listed if listed is None else listed
        if step.type is not None:
            return End(step.type, "list" if listed else "one")
        path, output = step.on
    return End(UNKNOWN)


def output_type(
    workflow: Workflow,
    level: str,
    path: str,
    output: str,
    spec_of: SpecOf,
    known: dict[tuple[str, str], str],
) -> str:
    """The type of an output as ``output_end`` has it, but each output is looked at once only.

    ``known`` holds types by path and output; what is found on the way is added to it.
    """
    graph, at = graph_of(workflow, level), (path, output)
    seen = {at: None}
    while (found := known.get(at)) is None:
        step = _step(workflow, level, graph, *at, spec_of)
        at = step.on
        found = UNKNOWN if step.type is None and at in seen else step.type
        if found is not None:
            break
        seen[at] = None
    known.update(dict.fromkeys(seen, found))
    return found


class _Step(NamedTuple):
    """A type, or the output which has the same one; and whether it is a list, where that is told
    here."""

    type: str | None
    on: tuple[str, str] = ("", "")
    listed: bool | None = None


def _step(
    workflow: Workflow, level: str, graph: Graph, path: str, output: str, spec_of: SpecOf
) -> _Step:
    if name_of(path) == GIVEN:
        return _handed_in(workflow, level, graph, path, output)
    try:
        node = node_at(graph, path)
    except KeyError:
        return _Step(UNKNOWN)
    if node.body is not None and output in node.body.outputs:
        carried = node.inputs.get("carry")
        listed = None if isinstance(carried, Mapping) and output in carried else True
        ref = node.body.outputs[output]
        return _Step(None, (resolve(scopes(graph, path), ref), ref.output), listed)
    spec = spec_of(workflow, node)
    socket = spec.output(output) if spec is not None else None
    if spec is None or socket is None:
        return _Step(UNKNOWN)
    listed = True if socket.arity == "list" else None
    if not is_generic(socket.type):
        return _Step(socket.type, listed=listed)
    names = {s.name for s in spec.inputs if s.type == socket.type}
    feed = next((k for k in links_into(graph, path) if k.input in names), None)
    if feed is None:
        return _Step(socket.type, listed=listed)
    return _Step(None, (feed.source, feed.output), listed)


def _handed_in(workflow: Workflow, level: str, graph: Graph, path: str, output: str) -> _Step:
    zone = parent_of(path)
    if not zone:
        port = workflow.subgraphs[level].inputs.get(output) if level else None
        return _Step(port.type if port is not None else UNKNOWN)
    node = node_at(graph, zone)
    for group in ("items", "carry"):
        given = node.inputs.get(group)
        ref = given.get(output) if isinstance(given, Mapping) else None
        if isinstance(ref, Ref):
            one = False if group == "items" else None
            return _Step(None, (resolve(scopes(graph, parent_of(zone)), ref), ref.output), one)
    return _Step("Integer" if output in ZONE_NAMES else UNKNOWN)


def input_end(workflow: Workflow, level: str, path: str, name: str, spec_of: SpecOf) -> End | None:
    """What an input or a parameter takes, or ``None`` where it takes no link.

    A generic input takes what the others of its letter are linked to. What a graph gives
    (``$out``) takes anything, and so do the inputs of unknown node types.
    """
    if name_of(path) == TAKEN:
        return End(UNKNOWN)
    graph = graph_of(workflow, level)
    node = node_at(graph, path)
    spec = spec_of(workflow, node)
    if spec is None:
        given = node.inputs.get(name)
        form: Arity = "named" if isinstance(given, Mapping) else "one"
        return End(UNKNOWN, "many" if isinstance(given, tuple) else form)
    socket = spec.input(name)
    if socket is None:
        param = spec.param(name)
        if param is None or param.link_type is None:
            return None
        return End(param.link_type)
    if not is_generic(socket.type) or spec.zone:
        return End(socket.type, socket.arity, socket.optional)
    return End(
        _bound(workflow, level, path, name, spec, socket.type, spec_of),
        socket.arity,
        socket.optional,
    )


def _bound(
    workflow: Workflow,
    level: str,
    path: str,
    name: str,
    spec: NodeSpec,
    letter: str,
    spec_of: SpecOf,
) -> str:
    same = {s.name for s in spec.inputs if s.type == letter}
    for link in _others(graph_of(workflow, level), path, name, spec):
        if link.input in same:
            found = output_end(workflow, level, link.source, link.output, spec_of).type
            if not is_generic(found):
                return found
    return letter


def _others(graph: Graph, path: str, name: str, spec: NodeSpec) -> Iterator[Link]:
    """The links into a node beside the one that a new link would replace."""
    socket = spec.input(name)
    grows = socket is not None and socket.arity in ("many", "named")
    return (link for link in links_into(graph, path) if grows or link.input != name)
