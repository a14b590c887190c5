"""From places in a file and steps of a run to nodes on a canvas, and back."""

from __future__ import annotations

from typing import NamedTuple

from backend.graph.document import Node, Workflow
from backend.graph.shape import SUBGRAPH


class Place(NamedTuple):
    """What a diagnostic speaks of: a node of a level by its path, and what of it.

    ``part`` is ``params``, ``inputs`` and so on with the ``name`` in it, or empty for all of the
    node. ``node`` is empty where it speaks of the level as a whole; then ``part`` may be
    ``expose``, ``models``, ``outputs`` or ``nodes``.
    """

    level: str
    node: str
    part: str = ""
    name: str = ""


def place_of(place: str) -> Place:
    """The place that a diagnostic names, such as ``subgraphs.face.nodes.loop.body.nodes.blur``."""
    words = place.split(".") if place else []
    level = ""
    if words[:1] == ["subgraphs"] and len(words) > 1:
        level, words = words[1], words[2:]
    path: list[str] = []
    while words[:1] == ["nodes"] and len(words) > 1:
        path.append(words[1])
        words = words[2:]
        if words[:2] == ["body", "nodes"] and len(words) > 2:
            words = words[1:]
        else:
            break
    return Place(level, "/".join(path), ".".join(words[:1]), ".".join(words[1:]))


def step_prefix(workflow: Workflow, level: str) -> str | None:
    """What stands before the path of a node of a level in the id of its step.

    Of a subgraph the first use counts, in the order of the document; ``None`` where it has no use
    that runs. The answer ends in ``/`` or is empty.
    """
    if not level:
        return ""
    seen: set[str] = set()
    todo: list[tuple[str, str]] = [("", "")]
    while todo:
        name, prefix = todo.pop(0)
        graph = workflow.subgraphs[name].graph if name else workflow.graph
        nodes: list[tuple[str, Node]] = list(graph.nodes.items())
        while nodes:
            path, node = nodes.pop(0)
            if node.mode != "on":
                continue
            inner = node.type.removeprefix(SUBGRAPH)
            if inner != node.type and inner in workflow.subgraphs:
                if inner == level:
                    return f"{prefix}{path}/"
                if inner not in seen:
                    seen.add(inner)
                    todo.append((inner, f"{prefix}{path}/"))
            elif node.body is not None:
                nodes[:0] = [(f"{path}/{key}", one) for key, one in node.body.nodes.items()]
    return None
