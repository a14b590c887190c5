"""What a document shows outside: exposed parameters, and the models that it lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from backend.graph.diagnostics import Diagnostic, diagnose
from backend.graph.document import Exposed, Graph, Node, Workflow
from backend.graph.opened import Opened, Table
from backend.graph.params import near
from backend.graph.shape import SUBGRAPH, short
from backend.graph.types import TYPES, is_generic


def check_exposed(
    workflow: Workflow, tables: Callable[[str], Table | None]
) -> Iterator[Diagnostic]:
    """Warnings where what is shown outside is not there: in app mode and on subgraphs."""
    for name, exposed in workflow.expose.items():
        yield from _check(workflow, workflow.graph, exposed, f"expose.{name}", tables)
    for sub_name, subgraph in workflow.subgraphs.items():
        for name, port in subgraph.inputs.items():
            if port.type not in TYPES and not is_generic(port.type):
                sentence = f"There is no type {short(port.type)} for the input {name}."
                place = f"subgraphs.{sub_name}.inputs.{name}.type"
                yield diagnose("W110", place, sentence, near(port.type, list(TYPES), listed=False))
        for name, exposed in subgraph.params.items():
            place = f"subgraphs.{sub_name}.params.{name}"
            yield from _check(workflow, subgraph.graph, exposed, place, tables)


def _check(
    workflow: Workflow,
    graph: Graph,
    exposed: Exposed,
    place: str,
    tables: Callable[[str], Table | None],
) -> Iterator[Diagnostic]:
    node = find_node(graph, exposed.node)
    if node is None:
        sentence = f"There is no node {short(exposed.node)} whose {exposed.param} could be shown."
        yield diagnose("W208", place, sentence, "Take it out of the list.")
        return
    table = tables(node.type)
    if node.type.startswith(SUBGRAPH):
        subgraph = workflow.subgraphs.get(node.type[len(SUBGRAPH) :])
        there = subgraph is None or exposed.param in subgraph.params
    else:
        there = table is None or exposed.param in table.params
    if not there:
        sentence = f"{exposed.node} has no parameter {short(exposed.param)} that could be shown."
        yield diagnose("W208", place, sentence, "Take it out of the list.")


def find_node(graph: Graph, path: str) -> Node | None:
    """The node at a path (``loop/blur``) through the bodies of zones."""
    node: Node | None = None
    inside: Graph | None = graph
    for step in path.split("/"):
        node = inside.nodes.get(step) if inside is not None else None
        inside = node.body if node is not None else None
    return node


def check_models(workflow: Workflow, nodes: Iterable[Opened]) -> Iterator[Diagnostic]:
    """A word on every listed model that no node names."""
    if not workflow.models:
        return
    used: set[str] = set()
    for node in nodes:
        if node.table is None:
            return  # what a missing node type uses cannot be known
        used |= {str(node.params.get(p.name)) for p in node.table.spec.params if p.kind == "model"}
    for index, need in enumerate(workflow.models):
        if need.name not in used:
            sentence = f"The workflow lists the model {short(need.name)}, and no node uses it."
            yield diagnose("W405", f"models.{index}", sentence, "Take it out of the list.")
