"""Steps of a run, and the nodes of the levels of a document that show them.

A step is named by its path through zones and uses of subgraphs (``portrait/loop/blur``). A canvas
shows one level: the top graph (``""``) or a subgraph by its name; in it a node is named by its path
through zones only (``loop/blur``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.run.state import NodeRun, together
from backend.graph.document import Graph, Node, Workflow

SUBGRAPH = "subgraph:"


def places(workflow: Workflow, step: str) -> tuple[tuple[str, str], ...]:
    """The nodes that show a step, as (level, path), outermost first.

    All but the last are uses of subgraphs that it lies in. A path that the document does not have
    (any more) gives those that it has.
    """
    found: list[tuple[str, str]] = []
    level, graph, path = "", workflow.graph, ""
    for part in step.split("/"):
        node = graph.nodes.get(part)
        if node is None:
            return tuple(found)
        path = f"{path}/{part}" if path else part
        inner = inside(workflow, node)
        if inner is not None:
            found.append((level, path))
            level, path, graph = inner, "", workflow.subgraphs[inner].graph
        else:
            graph = node.body or Graph()
    return (*found, (level, path)) if path else tuple(found)


def inside(workflow: Workflow, node: Node) -> str | None:
    """The name of the subgraph that a node is a use of, if it is one that the document has."""
    name = node.type.removeprefix(SUBGRAPH)
    return name if node.type.startswith(SUBGRAPH) and name in workflow.subgraphs else None


def level_runs(
    workflow: Workflow, level: str, runs: Mapping[str, NodeRun], use: str = ""
) -> Mapping[str, NodeRun]:
    """The nodes of a level that were part of a run, by path.

    A use of a subgraph shows all that is inside as one. In the level of a subgraph a node stands
    for its steps in all uses, or only in that of the path ``use``.
    """
    found: dict[str, list[NodeRun]] = {}
    for step, run in runs.items():
        if use and not step.startswith(use + "/"):
            continue
        for where, path in places(workflow, step):
            if where == level:
                found.setdefault(path, []).append(run)
    return {path: together(each) for path, each in found.items()}


def steps_of(workflow: Workflow, level: str, path: str, most: int = 10_000) -> tuple[str, ...]:
    """The paths in the whole document of a node of a level: one for each use of its subgraph, in
    document order, at most ``most``."""
    if not level:
        return (path,)
    found = []
    for use in _uses(workflow, level):
        found.append(f"{use}/{path}")
        if len(found) >= most:
            break
    return tuple(found)


def _uses(workflow: Workflow, level: str) -> Iterator[str]:
    """Every path of a use of a subgraph."""
    leading = _leading_to(workflow, level)
    todo: list[tuple[Graph, str]] = [(workflow.graph, "")]
    while todo:
        graph, prefix = todo.pop()
        deeper: list[tuple[Graph, str]] = []
        for name, node in graph.nodes.items():
            inner = inside(workflow, node)
            if inner == level:
                yield prefix + name
            elif inner in leading:
                deeper.append((workflow.subgraphs[inner].graph, f"{prefix}{name}/"))
            if node.body is not None:
                deeper.append((node.body, f"{prefix}{name}/"))
        todo += reversed(deeper)


def _leading_to(workflow: Workflow, level: str) -> set[str]:
    """The subgraphs in which a use of ``level`` lies somewhere, itself left out."""
    holds: dict[str, set[str]] = {}
    for name, subgraph in workflow.subgraphs.items():
        held = holds.setdefault(name, set())
        todo = [subgraph.graph]
        for graph in todo:  # grows while it is walked
            for node in graph.nodes.values():
                inner = inside(workflow, node)
                held |= {inner} if inner is not None else set()
                todo += [node.body] if node.body is not None else []
    leading: set[str] = set()
    fresh = {level}
    while fresh:
        fresh = {name for name, held in holds.items() if held & fresh} - leading - {level}
        leading |= fresh
    return leading
