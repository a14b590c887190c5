"""What lies on a canvas: nodes, links, frames and notes, each with its place."""

from __future__ import annotations

from itertools import pairwise
from math import hypot
from typing import NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF
from PySide6.QtGui import QPainterPath, QPixmap

from app.canvas.area import Area, whole
from app.canvas.curve import REACH_MOST, Curve, along, reach_of
from app.canvas.index import Box
from app.canvas.measure import MARGIN, RADIUS
from app.canvas.shape import Shape, Shown, Socket
from app.document.level import Link
from app.run.state import IDLE, NodeRun
from backend.graph.document import Frame, Node, Note, Placement
from backend.graph.spec import NodeSpec

POINT = 12.0
"""How far a link paints around a reroute."""


class NodeView:
    """A node as it is painted. Only its board changes it."""

    __slots__ = (
        "above", "hue_type", "node", "number", "outs", "path", "picture", "placement", "run",
        "selected", "shape", "shown", "spec", "title", "x", "y", "zone",
    )  # fmt: skip

    def __init__(self, path: str, node: Node) -> None:
        self.path = path
        self.node = node
        self.spec: NodeSpec | None = None
        self.placement: Placement | None = None
        self.x = self.y = 0.0
        self.shape = Shape(0, 0)
        self.shown = Shown()
        self.run: NodeRun = IDLE
        self.picture: QPixmap | None = None
        self.outs: dict[str, int] = {}
        self.title = ""
        self.hue_type = ""
        self.selected = False
        self.zone = False
        self.above = 0
        """Zones around it."""
        self.number = -1
        """Its place in the document: those behind it are painted over it."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come out of it yet."""
        return self.run.status in ("idle", "queued", "skipped")

    @property
    def rect(self) -> QRectF:
        """Its body on the canvas."""
        return QRectF(self.x, self.y, self.shape.width, self.shape.height)

    @property
    def box(self) -> Box:
        """All that it paints."""
        return (
            self.x - MARGIN,
            self.y - MARGIN,
            self.x + self.shape.width + MARGIN,
            self.y + self.shape.height + MARGIN,
        )

    @property
    def solid(self) -> QRect:
        """What nothing below it is seen through: its body without edges and round corners."""
        return self.rect.adjusted(2, RADIUS, -2, -RADIUS).toRect()

    def place(self, socket: Socket) -> QPointF:
        """Where a socket of it lies on the canvas."""
        return QPointF(self.x + socket.x, self.y + socket.y)


class LinkView:
    """A link as it is painted: a curve from an output to an input."""

    __slots__ = (
        "_curve", "_line", "_straight", "box", "end", "line", "link", "many", "name", "start",
        "type", "via",
    )  # fmt: skip

    def __init__(
        self,
        link: Link,
        start: QPointF,
        end: QPointF,
        type_: str,
        many: bool,
        via: tuple[QPointF, ...] = (),
        name: str = "",
    ) -> None:
        self.link, self.start, self.end = link, start, end
        self.line = QLineF(start, end)
        self.type, self.many, self.via, self.name = type_, many, via, name
        self._curve: Curve | None = None
        self._line: list[QPointF] = []
        self._straight: tuple[QRect, ...] = ()
        xs = [p.x() for p in (start, *via, end)]
        ys = [p.y() for p in (start, *via, end)]
        reach = reach_of(start, end) if not via else REACH_MOST
        wide = 210.0 if name else reach + 4
        self.box: Box = (min(xs) - wide, min(ys) - 14, max(xs) + wide, max(ys) + 14)

    @property
    def shape(self) -> tuple[QPointF, QPointF, str, bool, tuple[QPointF, ...], str]:
        """All that decides how it is drawn."""
        return self.start, self.end, self.type, self.many, self.via, self.name

    @property
    def path(self) -> QPainterPath:
        """Its curve."""
        return self._drawn.path

    def path_in(self, area: Area) -> QPainterPath:
        """Its curve as far as it paints something in an area: little of a long one is seen."""
        if self.name or area.holds(self.box):
            return self._drawn.path
        return self._drawn.part(area.touches)

    @property
    def _drawn(self) -> Curve:
        """Made when it is first asked for."""
        if self._curve is None:
            self._curve = Curve((self.start, *self.via, self.end))
        return self._curve

    def pieces(self, afar: bool) -> tuple[QRect, ...]:
        """Rectangles along it that together hold all that it paints: far less than its box, so that
        a change of it leaves most of what lies around alone. Seen from ``afar`` it is straight."""
        if self.name:
            return (whole(self.box),)
        if not afar:
            return (*self._drawn.rects, *(_around(at) for at in self.via))
        if not self._straight:
            self._straight = along(self.line)
        return self._straight

    def is_near(self, at: QPointF, reach: float) -> bool:
        """Whether its curve passes within ``reach`` of a point, in canvas units."""
        left, top, right, bottom = self.box
        if not (left <= at.x() <= right and top <= at.y() <= bottom):
            return False
        if not self._line:
            self._line = [p for line in self.path.toSubpathPolygons() for p in line.toList()]
        return any(_distance(at, *ends) <= reach for ends in pairwise(self._line))


def _around(at: QPointF) -> QRect:
    """What a reroute paints."""
    return whole((at.x() - POINT, at.y() - POINT, at.x() + POINT, at.y() + POINT))


def _distance(at: QPointF, begin: QPointF, end: QPointF) -> float:
    """How far a point is from the line between two others."""
    along, to = end - begin, at - begin
    length = QPointF.dotProduct(along, along)
    share = QPointF.dotProduct(to, along) / length if length else 0.0
    off = to - along * min(1.0, max(0.0, share))
    return hypot(off.x(), off.y())


class FrameView(NamedTuple):
    """A frame and its number in the layout."""

    number: int
    frame: Frame

    @property
    def rect(self) -> QRectF:
        """Its place."""
        return QRectF(self.frame.x, self.frame.y, self.frame.width, self.frame.height)


class NoteView(NamedTuple):
    """A note and its number in the layout."""

    number: int
    note: Note

    @property
    def rect(self) -> QRectF:
        """Its place."""
        return QRectF(self.note.x, self.note.y, self.note.width, self.note.height)
