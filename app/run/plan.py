"""What a run of a document will touch, and what of the last run does not hold any more.

Both are told from the document alone, at once and without any check, so they may name a step or two
that the engine leaves out; what a run says comes after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from app.run.places import inside
from backend.graph.document import BOUNDARY, Graph, Node, Ref, Workflow
from backend.graph.spec import NodeSpec

MOST_STEPS = 20_000
"""Steps that are told of one run."""


def planned(
    workflow: Workflow, specs: Mapping[str, NodeSpec], only: Sequence[str] = ()
) -> dict[str, str]:
    """The steps that a run is going to look at, with their node types; at most ``MOST_STEPS``.

    Args:
        workflow: The document.
        specs: The node types that are known.
        only: What is wanted; by default what has an effect, or else all that nobody uses.
    """
    graph = workflow.graph
    roots = [name.partition("/")[0] for name in only] or _roots(workflow, specs)
    wanted = _upstream(graph, roots)
    found: dict[str, str] = {}
    for name, node in graph.nodes.items():
        if name in wanted:
            for path, each in _inner(workflow, name, node):
                found[path] = each.type
                if len(found) >= MOST_STEPS:
                    return found
    return found


def without_files(workflow: Workflow, specs: Mapping[str, NodeSpec]) -> tuple[str, ...]:
    """What to run so that all is seen and nothing is written: instead of a node that writes files
    those that it reads. Empty where nothing writes any, so that an ordinary run does."""
    effects = [name for name in _roots(workflow, specs) if _writes(workflow.graph, name, specs)]
    if not effects:
        return ()
    others = [name for name in _roots(workflow, specs) if name not in effects]
    nodes = workflow.graph.nodes
    read = [ref.node for name in effects for ref in _refs(nodes[name])]
    found = dict.fromkeys(name for name in (*others, *read) if name in nodes)
    return tuple(name for name in found if nodes[name].mode == "on")


def stale(before: Workflow, now: Workflow) -> frozenset[str]:
    """The top-level nodes of ``now`` whose results would be others than those of ``before``:
    they, or something that they read, was changed since."""
    if before is now:
        return frozenset()
    changed_subgraphs = _changed_subgraphs(before, now)
    old, new = before.graph.nodes, now.graph.nodes
    todo = [
        name
        for name, node in new.items()
        if name not in old
        or _differs(old[name], node)
        or not changed_subgraphs.isdisjoint(_uses(now, node))
    ]
    users: dict[str, list[str]] = {}
    for name, node in new.items():
        for each in (node, *_bodies(node)):
            for ref in _refs(each):
                users.setdefault(ref.node, []).append(name)
    found = set(todo)
    while todo:
        for user in users.get(todo.pop(), ()):
            if user not in found:
                found.add(user)
                todo.append(user)
    return frozenset(found)


def _roots(workflow: Workflow, specs: Mapping[str, NodeSpec]) -> list[str]:
    nodes = workflow.graph.nodes
    live = {name: node for name, node in nodes.items() if node.mode == "on"}
    effects = [
        name
        for name, node in live.items()
        if any(_has_effect(each, specs) for _, each in _inner(workflow, name, node))
    ]
    if effects:
        return effects
    used = {ref.node for node in live.values() for e in (node, *_bodies(node)) for ref in _refs(e)}
    return [name for name in live if name not in used]


def _has_effect(node: Node, specs: Mapping[str, NodeSpec]) -> bool:
    spec = specs.get(node.type)
    return spec is not None and spec.effect


def _writes(graph: Graph, name: str, specs: Mapping[str, NodeSpec]) -> bool:
    spec = specs.get(graph.nodes[name].type)
    return spec is not None and spec.effect and spec.lane == "file"


def _upstream(graph: Graph, roots: Sequence[str]) -> set[str]:
    found: set[str] = set()
    todo = [name for name in roots if name in graph.nodes]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for each in (graph.nodes[name], *_bodies(graph.nodes[name])):
            todo += [ref.node for ref in _refs(each) if ref.node in graph.nodes]
    return {name for name in found if graph.nodes[name].mode == "on"}


def _inner(workflow: Workflow, path: str, node: Node) -> Iterator[tuple[str, Node]]:
    """The steps of a node: itself and its body, or all inside the subgraph that it uses."""
    todo, seen = [(path, node)], 0
    while todo and seen < MOST_STEPS:
        path, node = todo.pop()
        if node.mode != "on":
            continue
        seen += 1
        name = inside(workflow, node)
        graph = workflow.subgraphs[name].graph if name is not None else node.body
        if name is None:
            yield path, node
        if graph is not None:
            inner = [(f"{path}/{each}", node) for each, node in graph.nodes.items()]
            todo += reversed(inner)


def _bodies(node: Node) -> Iterator[Node]:
    """Every node inside a zone, and inside the zones in it."""
    todo = [node.body] if node.body is not None else []
    while todo:
        for inner in todo.pop().nodes.values():
            yield inner
            todo += [inner.body] if inner.body is not None else []


def _refs(node: Node) -> Iterator[Ref]:
    for feed in node.inputs.values():
        refs = (feed,) if isinstance(feed, Ref) else feed
        yield from (r for r in (refs.values() if isinstance(refs, Mapping) else refs)
                    if r.node != BOUNDARY)  # fmt: skip


def _differs(old: Node, new: Node) -> bool:
    """Whether a node would give something else; its title does not matter."""
    if old is new:
        return False
    return any(
        getattr(old, name) != getattr(new, name)
        for name in ("type", "version", "params", "inputs", "mode", "each", "body")
    )


def _changed_subgraphs(before: Workflow, now: Workflow) -> frozenset[str]:
    """Subgraphs that are others than they were, or that use such."""
    old = before.subgraphs
    found = {
        name
        for name, each in now.subgraphs.items()
        if name not in old or (each is not old[name] and _content(each) != _content(old[name]))
    }
    found |= set(old) - set(now.subgraphs)
    held = {
        name: {use for node in each.graph.nodes.values() for use in _uses(now, node)}
        for name, each in now.subgraphs.items()
    }
    grown = True
    while grown:
        more = {name for name, uses in held.items() if uses & found} - found
        found |= more
        grown = bool(more)
    return frozenset(found)


def _content(subgraph: object) -> tuple[object, ...]:
    return tuple(getattr(subgraph, name) for name in ("graph", "inputs", "params"))


def _uses(workflow: Workflow, node: Node) -> set[str]:
    """The subgraphs that a node uses, itself or in its body."""
    names = (inside(workflow, each) for each in (node, *_bodies(node)))
    return {name for name in names if name is not None}
