"""What of a node is to be painted anew when it was laid out anew: rows whose sockets or values are
others, or all of it."""

from __future__ import annotations

from dataclasses import fields, replace

from app.canvas.index import Box
from app.canvas.measure import MARGIN
from app.canvas.shape import Shape
from backend.graph.document import Node

DOT = 10.0
"""How far a socket that is joined, or is not, paints around its middle."""
_ROWS = frozenset({"sockets", "fields", "places"})
_ALIKE = tuple(each.name for each in fields(Shape) if each.name not in _ROWS)
_SAID = tuple(each.name for each in fields(Node) if each.name not in ("inputs", "extra"))


def same_but_links(one: Node, other: Node) -> bool:
    """Whether two versions of a node differ in nothing but what feeds them."""
    return all(getattr(one, name) is getattr(other, name) for name in _SAID)


def changed_rows(before: Shape, after: Shape) -> list[Box] | None:
    """The rows in which two layouts differ, from the corner of the node; ``None``: all of it."""
    if any(getattr(before, name) != getattr(after, name) for name in _ALIKE):
        return None
    if len(before.sockets) != len(after.sockets) or len(before.fields) != len(after.fields):
        return None
    left, right, half = -MARGIN, after.width + MARGIN, after.rows.row / 2 + 2
    found: list[Box] = []
    for old, new in zip(before.sockets, after.sockets, strict=True):
        if old != new:
            if (old.x, old.y, old.type) != (new.x, new.y, new.type):
                return None
            if replace(old, joined=new.joined) == new:
                found.append((new.x - DOT, new.y - DOT, new.x + DOT, new.y + DOT))
            else:
                found.append((left, new.y - half, right, new.y + half))
    for one, other in zip(before.fields, after.fields, strict=True):
        if one != other:
            if (one.y, one.height) != (other.y, other.height):
                return None
            found.append((left, one.y - 2, right, one.y + one.height + 2))
    return found
