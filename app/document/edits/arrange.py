"""Nodes in rows and columns: aligned, spread evenly, or a whole graph tidied."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

from app.document.edits.common import outermost
from app.document.edits.cycles import reads
from app.document.edits.frames import Box
from app.document.edits.place import move_nodes, move_to, place_of
from app.document.level import body_at, graph_of, join, layout_of, name_of, parent_of
from backend.graph.document import Graph, Workflow

Size: TypeAlias = tuple[float, float]
"""Width and height in canvas units."""

Edge: TypeAlias = Literal["left", "center", "right", "top", "middle", "bottom"]

GRID = 8.0
COLUMN_GAP, ROW_GAP = 64.0, 24.0
LEFT, TOP, RIGHT, BOTTOM = 24.0, 56.0, 24.0, 24.0
"""How far the edges of a zone lie around what is in it, in canvas units."""

_PLAIN: Size = (208.0, 96.0)


def snapped(value: float) -> float:
    """The nearest place on the grid."""
    return round(value / GRID) * GRID


def _at_least(value: float) -> float:
    """The next place on the grid, not before a value."""
    return math.ceil(value / GRID) * GRID


def align(
    workflow: Workflow,
    level: str,
    paths: Collection[str],
    edge: Edge,
    sizes: Mapping[str, Size],
) -> Workflow:
    """Bring an edge (or the middle) of nodes on one line: that of the outermost of them.

    ``sizes`` are those of the nodes on the canvas. Zones move with what is in them; pinned nodes
    stay.
    """
    boxes = _boxes(workflow, level, outermost(paths), sizes)
    if len(boxes) < 2:
        return workflow
    left, top = min(b.x for b in boxes.values()), min(b.y for b in boxes.values())
    right = max(b.x + b.width for b in boxes.values())
    bottom = max(b.y + b.height for b in boxes.values())
    for path, box in boxes.items():
        x, y = {
            "left": (left, box.y),
            "center": ((left + right - box.width) / 2, box.y),
            "right": (right - box.width, box.y),
            "top": (box.x, top),
            "middle": (box.x, (top + bottom - box.height) / 2),
            "bottom": (box.x, bottom - box.height),
        }[edge]
        workflow = move_nodes(workflow, level, [path], x - box.x, y - box.y)
    return workflow


def distribute(
    workflow: Workflow,
    level: str,
    paths: Collection[str],
    across: bool,
    sizes: Mapping[str, Size],
) -> Workflow:
    """Put equal gaps between nodes, from left to right or from top to bottom.

    The first and the last stay; where there is no room between them, the gaps are those of a
    tidied graph and only the first stays.
    """
    boxes = _boxes(workflow, level, outermost(paths), sizes)
    axis, span = (0, 2) if across else (1, 3)
    order = sorted(boxes, key=lambda path: (boxes[path][axis], path))
    if len(order) < 3:
        return workflow
    first, last = boxes[order[0]], boxes[order[-1]]
    room = last[axis] + last[span] - first[axis] - sum(box[span] for box in boxes.values())
    gap = room / (len(order) - 1)
    if gap < 0:
        gap = COLUMN_GAP if across else ROW_GAP
    at = first[axis]
    for path in order:
        by = at - boxes[path][axis]
        dx, dy = (by, 0.0) if across else (0.0, by)
        workflow = move_nodes(workflow, level, [path], dx, dy)
        at += boxes[path][span] + gap
    return workflow


def _boxes(
    workflow: Workflow, level: str, paths: Collection[str], sizes: Mapping[str, Size]
) -> dict[str, Box]:
    layout = layout_of(workflow, level)
    found = {}
    for path in paths:
        place = place_of(layout, path)
        found[path] = Box(place.x, place.y, *sizes.get(path, _PLAIN))
    return found


def tidy(
    workflow: Workflow,
    level: str,
    sizes: Mapping[str, Size],
    paths: Collection[str] | None = None,
) -> Workflow:
    """Lay nodes out in columns, from what gives to what takes; all of the level without ``paths``.

    Columns lie ``COLUMN_GAP`` apart and rows ``ROW_GAP``. A node stands beside what feeds it, and
    in a column the order is that of their feeds, then the one that they had; so tidying again
    changes nothing. The upper left corner stays; pinned nodes stay and are gone around by nobody.
    """
    graph, layout = graph_of(workflow, level), layout_of(workflow, level)
    chosen = outermost(graph.nodes if paths is None else paths)
    free = [path for path in chosen if not place_of(layout, path).pinned]
    places: dict[str, tuple[float, float]] = {}
    for zone in dict.fromkeys(parent_of(path) for path in free):
        group = [path for path in free if parent_of(path) == zone]
        boxes = _boxes(workflow, level, group, sizes)
        x, y = min(b.x for b in boxes.values()), min(b.y for b in boxes.values())
        found, _ = _laid(workflow, level, zone, group, sizes)
        for path, (left, top) in found.items():
            places[path] = (snapped(x) + left, snapped(y) + top)
    return move_to(workflow, level, places)


def _laid(
    workflow: Workflow,
    level: str,
    zone: str,
    group: Collection[str],
    sizes: Mapping[str, Size],
) -> tuple[dict[str, tuple[float, float]], Size]:
    """Places of nodes of one graph from their corner on, with all in their zones, and the size."""
    graph, layout = body_at(graph_of(workflow, level), zone), layout_of(workflow, level)
    inner: dict[str, dict[str, tuple[float, float]]] = {}
    size: dict[str, Size] = {}
    for path in group:
        node = graph.nodes[name_of(path)]
        size[path] = sizes.get(path, _PLAIN)
        if node.body is not None and node.body.nodes:
            body = [join(path, name) for name in node.body.nodes]
            inner[path], (width, height) = _laid(workflow, level, path, body, sizes)
            size[path] = (width + LEFT + RIGHT, height + TOP + BOTTOM)
    feeds = _feeds(graph, zone, group)
    columns = _columns(group, feeds)
    before = {path: (place_of(layout, path).y, place_of(layout, path).x) for path in group}
    places: dict[str, tuple[float, float]] = {}
    x = bottom = 0.0
    for column in columns:
        _stack(column, x, feeds, size, before, places)
        x = _at_least(x + max(size[path][0] for path in column) + COLUMN_GAP)
    bottom = max((places[path][1] + size[path][1] for path in group), default=0.0)
    for path, found in inner.items():
        left, top = places[path]
        places |= {at: (left + LEFT + dx, top + TOP + dy) for at, (dx, dy) in found.items()}
    return places, (max(x - COLUMN_GAP, 0.0), bottom)


def _feeds(graph: Graph, zone: str, group: Collection[str]) -> dict[str, list[str]]:
    """What feeds each of some nodes of one graph, among them, in their order."""
    number = {name_of(path): i for i, path in enumerate(group)}
    found: dict[str, list[str]] = {}
    for path in group:
        sources = [name for name in reads(graph.nodes[name_of(path)]) if name in number]
        found[path] = [join(zone, name) for name in sorted(sources, key=number.__getitem__)]
    return found


def _columns(group: Collection[str], feeds: Mapping[str, list[str]]) -> list[list[str]]:
    """Nodes by column: right of all that feeds them; what nothing feeds, left of what it feeds."""
    depth: dict[str, int] = {}
    waiting = {path: len(feeds[path]) for path in group}
    users: dict[str, list[str]] = {path: [] for path in group}
    for path, sources in feeds.items():
        for source in sources:
            users[source].append(path)
    ready = [path for path in group if not waiting[path]]
    while ready:
        path = ready.pop()
        depth[path] = max((depth[source] + 1 for source in feeds[path]), default=0)
        for user in users[path]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    for path in group:
        depth.setdefault(path, 0)  # on a circle, which only a broken file has
        if not feeds[path] and users[path]:
            depth[path] = min(depth.get(user, 1) for user in users[path]) - 1
    columns: dict[int, list[str]] = {}
    for path in group:
        columns.setdefault(depth[path], []).append(path)
    return [columns[number] for number in sorted(columns)]


def _stack(
    column: list[str],
    x: float,
    feeds: Mapping[str, list[str]],
    size: Mapping[str, Size],
    before: Mapping[str, tuple[float, float]],
    places: dict[str, tuple[float, float]],
) -> None:
    """Put one column under each other, each beside what feeds it, or further down."""

    def wanted(path: str) -> float:
        tops = [places[source][1] for source in feeds[path] if source in places]
        return sum(tops) / len(tops) if tops else float("inf")

    free = 0.0
    for path in sorted(column, key=lambda p: (wanted(p), before[p])):
        beside = wanted(path)
        y = free if beside == float("inf") else max(free, snapped(beside))
        places[path] = (x, y)
        free = _at_least(y + size[path][1] + ROW_GAP)
