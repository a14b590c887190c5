"""Places for nodes that the document has no place for: by what they read, from left to right."""

from __future__ import annotations

from collections.abc import Mapping

from app.canvas.measure import ROW
from app.canvas.parts import NodeView
from app.document.level import GIVEN, TAKEN, Link, parent_of

GAP = 64.0


def settle_unplaced(nodes: Mapping[str, NodeView], into: Mapping[str, tuple[Link, ...]]) -> None:
    """Put every node without a place in a column right of all that it reads, below what has one.

    It only says where they are shown: the document stays as it is until one is moved.
    """
    loose = [v for v in nodes.values() if v.placement is None and not v.zone]
    placed = [v for v in nodes.values() if v.placement is not None and not v.zone]
    top = max((v.y + v.shape.height for v in placed), default=-GAP) + GAP
    columns: dict[int, list[NodeView]] = {}
    depths: dict[str, int] = {}
    wanted = {view.path for view in loose}
    for view in loose:
        columns.setdefault(_depth(view.path, wanted, into, depths), []).append(view)
    if TAKEN in wanted and columns:
        last = max(columns)
        for members in columns.values():
            if nodes[TAKEN] in members and len(columns) > 1 and members is not columns[last]:
                members.remove(nodes[TAKEN])
                columns[last + 1] = [nodes[TAKEN]]
                break
    x = 0.0
    for depth in sorted(columns):
        y = top
        for view in columns[depth]:
            view.x, view.y = x, y
            y += view.shape.height + ROW
        x += max((v.shape.width for v in columns[depth]), default=0.0) + GAP


def _depth(
    path: str, wanted: set[str], into: Mapping[str, tuple[Link, ...]], known: dict[str, int]
) -> int:
    """How many nodes must come before, without recursion: documents may be deep, or circles."""
    stack, open_ = [path], {path}
    while stack:
        at = stack[-1]
        before = {_owner(link.source, wanted) for link in into.get(at, ())} - {"", at}
        todo = [each for each in sorted(before) if each not in known and each not in open_]
        if todo:
            stack.append(todo[0])
            open_.add(todo[0])
            continue
        known[at] = 1 + max((known.get(each, 0) for each in before), default=-1)
        stack.pop()
    return known[path]


def _owner(source: str, wanted: set[str]) -> str:
    """The node that a link comes from; the zone for what a zone hands in."""
    if source in wanted:
        return source
    if source.endswith(f"/{GIVEN}") and parent_of(source) in wanted:
        return parent_of(source)
    return ""
