"""How large a document becomes when its subgraphs are opened: counted before anything is opened.

Each subgraph is counted once, with whole numbers of any size, so that a document of a few lines
that stands for 10^10 nodes is refused at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backend.graph.caps import Caps
from backend.graph.diagnostics import Diagnostic, diagnose
from backend.graph.document import Graph, Workflow
from backend.graph.shape import SUBGRAPH


@dataclass(frozen=True, slots=True)
class Size:
    """What one use of a graph opens to: nodes, subgraphs in subgraphs, zones in zones."""

    nodes: int = 0
    depth: int = 0
    zones: int = 0


@dataclass(frozen=True, slots=True)
class _Own:
    """A graph's own nodes, and the subgraphs it uses, each with the zones around the use."""

    nodes: int
    zones: int
    uses: tuple[tuple[str, int], ...]


def check_expansion(workflow: Workflow, caps: Caps) -> tuple[Diagnostic, ...]:
    """Errors where the document contains itself or opens to more than the caps allow."""
    own = {"": _own(workflow.graph)}
    own.update((name, _own(sub.graph)) for name, sub in workflow.subgraphs.items())
    sizes: dict[str, Size] = {}
    found: list[Diagnostic] = []
    for name in own:
        found.extend(_measure(name, own, sizes))
    if found:
        return tuple(found)
    total = sizes[""]
    limits = (
        (total.nodes, caps.nodes, "nodes", "Use fewer subgraphs inside subgraphs."),
        (total.depth, caps.subgraph_depth, "subgraphs inside each other", "Nest them less."),
        (total.zones, caps.zone_depth, "zones inside each other", "Nest them less."),
    )
    return tuple(
        diagnose(
            "W107", "nodes", f"The workflow opens to {_count(n)} {what}; {cap} are allowed.", fix
        )
        for n, cap, what, fix in limits
        if n > cap
    )


def _count(number: int) -> str:
    return str(number) if number < 10**15 else f"about 10^{int(number.bit_length() * 0.30103)}"


def _own(graph: Graph) -> _Own:
    nodes, deepest, uses = 0, 0, []
    todo = [(graph, 0)]
    while todo:
        inside, zones = todo.pop()
        deepest = max(deepest, zones)
        for node in inside.nodes.values():
            nodes += 1
            if node.mode != "on":
                continue
            if node.type.startswith(SUBGRAPH):
                if node.type != SUBGRAPH:  # the empty name stands for the workflow itself here
                    uses.append((node.type[len(SUBGRAPH) :], zones))
            elif node.body is not None:
                todo.append((node.body, zones + 1))
    return _Own(nodes, deepest, tuple(uses))


def _measure(root: str, own: dict[str, _Own], sizes: dict[str, Size]) -> Iterator[Diagnostic]:
    """Fill in the sizes of a graph and all that it uses, innermost first."""
    path: dict[str, Iterator[tuple[str, int]]] = {}
    entering: str | None = root if root not in sizes else None
    while entering is not None or path:
        if entering is not None:
            path[entering] = iter(own[entering].uses)
            entering = None
        name = next(reversed(path))
        for used, _ in path[name]:
            if used in path:
                yield _itself(list(path), used)
            elif used in own and used not in sizes:
                entering = used
                break
        else:
            del path[name]
            sizes[name] = _sum(own[name], sizes)


def _sum(own: _Own, sizes: dict[str, Size]) -> Size:
    nodes, depth, zones = own.nodes, 0, own.zones
    for name, around in own.uses:
        inner = sizes.get(name, Size())
        nodes += inner.nodes
        depth = max(depth, inner.depth + 1)
        zones = max(zones, inner.zones + around)
    return Size(nodes, depth, zones)


def _itself(path: list[str], used: str) -> Diagnostic:
    circle = [*path[path.index(used) :], used]
    shown = circle if len(circle) < 12 else [*circle[:6], "...", *circle[-5:]]
    sentence = f"Subgraph {used} contains itself: {' -> '.join(shown)}."
    return diagnose("W106", f"subgraphs.{used}", sentence, "Take one of these uses out.")
