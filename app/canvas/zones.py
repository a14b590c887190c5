"""Zones: the area around the nodes inside, with the sockets of the zone on its edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.canvas.measure import ROW, ZONE_PAD, ZONE_TOP
from app.canvas.parts import NodeView
from app.canvas.shape import Shape, Side, Socket
from app.labels import label
from app.words import tr
from backend.graph.document import Node

EMPTY_WIDTH, EMPTY_HEIGHT = 320.0, 144.0
_EDGE = 40.0
"""Beside the nodes inside, where links leave and reach the edge."""


Edge = tuple[Side, str, int | str | None]
"""A socket on the edge of a zone: the side that it is linked on, its name and key."""


def zone_shape(zone: NodeView, inside: Sequence[NodeView], types: Mapping[Edge, str]) -> None:
    """Put a zone around the nodes inside it, and its sockets on its edges.

    A socket on the left is an input outside and what the zone hands in inside; one on the right is
    what the body gives, and an output outside. ``types`` are those of what is linked to them.
    """
    handed, given = _handed(zone.node), _given(zone)
    rows = max(len(handed), len(given) + 1) + 1
    least = ZONE_TOP + rows * ROW + ZONE_PAD
    if inside:
        left = min(v.x for v in inside) - ZONE_PAD - _EDGE
        top = min(v.y for v in inside) - ZONE_PAD - ZONE_TOP
        right = max(v.x + v.shape.width for v in inside) + ZONE_PAD + _EDGE
        bottom = max(v.y + v.shape.height for v in inside) + ZONE_PAD
        zone.x, zone.y = left, top
        width, height = right - left, max(bottom - top, least)
    else:
        width, height = EMPTY_WIDTH, max(EMPTY_HEIGHT, least)
        if zone.placement is not None:
            zone.x, zone.y = zone.placement.x, zone.placement.y
    places: dict[tuple[Side, str, int | str | None], Socket] = {}
    for row, (name, key, joined, free) in enumerate(handed):
        y = ZONE_TOP + ROW / 2 + row * ROW
        said = label(str(key or name))
        kind = types.get(("in", name, key), "*")
        socket = Socket("in", name, key, kind, 0, y, said, joined=joined, free=free)
        places["in", name, key] = socket
        if joined and isinstance(key, str):
            places["given", key, None] = Socket("out", key, None, kind, 0, y, said, joined=True)
    for count, name in enumerate(("index", "count")):
        y = ZONE_TOP + ROW / 2 + (len(handed) + count) * ROW
        places["given", name, None] = Socket("out", name, None, "Integer", 0, y, label(name))
    for row, name in enumerate(given):
        y = ZONE_TOP + ROW / 2 + row * ROW
        kind = types.get(("taken", name, None), "*")
        out = Socket("out", name, None, kind, width, y, label(name), joined=name in zone.outs)
        places["out", name, None] = out
        places["taken", name, None] = Socket(
            "in", name, None, kind, width, y, label(name), joined=True
        )
    y = ZONE_TOP + ROW / 2 + len(given) * ROW
    places["taken", "", None] = Socket(
        "in", "", None, "*", width, y, tr("one more result"), free=True
    )
    sockets = tuple(s for (side, _, _), s in places.items() if side in ("in", "out"))
    zone.shape = Shape(width, height, sockets, places=places)


def _handed(node: Node) -> list[tuple[str, str | None, bool, bool]]:
    """Input, key, whether it is linked, whether it is the free one."""
    rows: list[tuple[str, str | None, bool, bool]] = []
    for name in ("items", "carry"):
        given = node.inputs.get(name)
        keys = list(given) if isinstance(given, Mapping) else []
        rows += [(name, key, True, False) for key in keys]
        if name == "carry" or node.type == "for_each":
            rows.append((name, "", False, True))
    return rows


def _given(zone: NodeView) -> list[str]:
    body = zone.node.body
    return list(body.outputs) if body is not None else []
