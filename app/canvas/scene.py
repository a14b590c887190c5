"""What lies on the canvas of one level, and what is found at a place of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from PySide6.QtCore import QPointF, QRect, QRectF

from app.canvas.index import Box, Index
from app.canvas.parts import FrameView, LinkView, NodeView, NoteView
from app.canvas.shape import Place, Side, Socket
from app.canvas.spoiled import Spoiled
from app.canvas.wiring import Wiring
from app.document.level import GIVEN, TAKEN, Link, name_of, parent_of


class Scene:
    """Nodes, links, frames and notes of one level, each where it lies.

    ``take_dirty`` tells which boxes are to be painted anew (``None``: everything).
    """

    def __init__(self) -> None:
        self.nodes: dict[str, NodeView] = {}
        self.links: dict[Link, LinkView] = {}
        self.frames: tuple[FrameView, ...] = ()
        self.notes: tuple[NoteView, ...] = ()
        self.zones: list[NodeView] = []
        self._wiring = Wiring()
        self._index: Index[str] = Index()
        self._link_index: Index[Link] = Index()
        self._spoiled = Spoiled()

    def take_dirty(self, afar: bool = False) -> list[Box] | None:
        """What changed since the last time, as it is seen from ``afar`` or not; ``None`` is
        everything."""
        return self._spoiled.take(afar, self._hidden)

    def _hidden(self, rect: QRect) -> Iterator[QRect]:
        """What of a rectangle lies below nodes."""
        box = (rect.left(), rect.top(), rect.right() + 1, rect.bottom() + 1)
        views = (self.nodes[path] for path in self._index.at(box))
        return (view.solid for view in views if not view.zone)

    def source_place(self, link: Link) -> tuple[QPointF, Socket] | None:
        """Where a link begins, and at which socket."""
        return self._end(link.source, "out", link.output, None)

    def target_place(self, link: Link) -> tuple[QPointF, Socket] | None:
        """Where a link ends, and at which socket."""
        return self._end(link.target, "in", link.input, link.key)

    def _end(
        self, path: str, side: Side, name: str, key: int | str | None
    ) -> tuple[QPointF, Socket] | None:
        view = self.nodes.get(path)
        if view is None and name_of(path) in (GIVEN, TAKEN):  # the inner side of a zone's edge
            view = self.nodes.get(parent_of(path))
            inner: Side = "given" if side == "out" else "taken"
            socket = view.shape.places.get((inner, name, None)) if view is not None else None
            return (view.place(socket), socket) if view is not None and socket else None
        if view is None:
            return None
        socket = view.shape.socket(side, name, key)
        return (view.place(socket), socket) if socket is not None else None

    def nodes_in(self, rect: QRectF) -> list[NodeView]:
        """The nodes that paint something there, in the order of painting."""
        box = (rect.left(), rect.top(), rect.right(), rect.bottom())
        found = [self.nodes[path] for path in self._index.at(box)]
        found.sort(key=_depth)
        return found

    def links_in(self, rect: QRectF) -> list[LinkView]:
        """The links that may paint something there."""
        box = (rect.left(), rect.top(), rect.right(), rect.bottom())
        return [self.links[link] for link in self._link_index.at(box) if link in self.links]

    def links_at(self, path: str) -> Iterator[Link]:
        """The links into and out of a node."""
        yield from self._wiring.into(path)
        yield from self._wiring.out_of(path)

    def links_from(self, path: str, output: str) -> tuple[Link, ...]:
        """The links that leave an output."""
        return tuple(each for each in self._wiring.out_of(path) if each.output == output)

    def node_at(self, point: QPointF) -> NodeView | None:
        """The topmost node under a point; of a zone only its title counts."""
        spot = QRectF(point.x() - 1, point.y() - 1, 2, 2)
        for view in reversed(self.nodes_in(spot)):
            if view.zone:
                if view.rect.contains(point) and point.y() < view.y + 36:
                    return view
            elif view.rect.contains(point):
                return view
        return None

    def socket_at(
        self, point: QPointF, reach: float, wanted: str = ""
    ) -> tuple[Place, Socket] | None:
        """The nearest socket within reach of a point; ``wanted`` is ``in`` or ``out``.

        On the edge of a zone two lie at one place: the point says by its side which one is meant.
        """
        best: tuple[tuple[float, bool], Place, Socket] | None = None
        spot = QRectF(point.x() - reach, point.y() - reach, 2 * reach, 2 * reach)
        for view in self.nodes_in(spot):
            for (side, _, _), socket in view.shape.places.items():
                if wanted and socket.side != wanted:
                    continue
                at = view.place(socket)
                off = point - at
                far = max(abs(off.x()), abs(off.y()))
                inside = off.x() > 0 if side in ("in", "given") else off.x() < 0
                score = far, view.zone and inside != (side in ("given", "taken"))
                if far <= reach and (best is None or score <= best[0]):
                    best = score, place_of(view.path, side, socket), socket
        return (best[1], best[2]) if best is not None else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing lies here."""
        return not (self.nodes or self.frames or self.notes)

    def bounds(self, paths: Collection[str] | None = None) -> QRectF | None:
        """What holds the nodes of these paths, or everything."""
        views = self.nodes.values() if paths is None else [self.nodes[p] for p in paths]
        rects = [view.rect for view in views]
        if paths is None:
            rects += [frame.rect for frame in self.frames]
            rects += [note.rect for note in self.notes]
        if not rects:
            return None
        left, top = min(r.left() for r in rects), min(r.top() for r in rects)
        right, bottom = max(r.right() for r in rects), max(r.bottom() for r in rects)
        return QRectF(left, top, right - left, bottom - top)


def place_of(path: str, side: str, socket: Socket) -> Place:
    """A socket as the end of a link; the inner sides of a zone's edges are boundaries."""
    if side == "given":
        return Place(f"{path}/{GIVEN}", "out", socket.name)
    if side == "taken":
        return Place(f"{path}/{TAKEN}", "in", socket.name)
    return Place(path, socket.side, socket.name, socket.key)


def _depth(view: NodeView) -> tuple[bool, int, bool, int]:
    return (not view.zone, view.above, view.selected, view.number)
