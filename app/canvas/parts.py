"""What lies on a canvas: nodes, links, frames and notes, each with its place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import hypot
from typing import NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF
from PySide6.QtGui import QPainterPath, QPixmap

from app.canvas.area import whole
from app.canvas.index import Box
from app.canvas.measure import MARGIN
from app.canvas.shape import Shape, Shown, Socket
from app.document.level import Link
from app.run.state import IDLE, NodeRun
from backend.graph.document import Frame, Node, Note, Placement
from backend.graph.spec import NodeSpec

REACH_LEAST, REACH_MOST = 24.0, 160.0
PIECE = 96.0
"""How long a piece of a link is that is painted anew by itself."""
STROKE, POINT = 5.0, 12.0
"""How far a link paints beside its curve (casing, halo), and around a reroute."""


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

    def place(self, socket: Socket) -> QPointF:
        """Where a socket of it lies on the canvas."""
        return QPointF(self.x + socket.x, self.y + socket.y)


class LinkView:
    """A link as it is painted: a curve from an output to an input."""

    __slots__ = (
        "_line",
        "_path",
        "_pieces",
        "box",
        "end",
        "line",
        "link",
        "many",
        "name",
        "start",
        "type",
        "via",
    )

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
        self._path: QPainterPath | None = None
        self._line: list[QPointF] = []
        self._pieces: tuple[QRect, ...] = ()
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
        """Its curve, made when it is first asked for."""
        if self._path is None:
            self._path = through((self.start, *self.via, self.end))
        return self._path

    @property
    def pieces(self) -> tuple[QRect, ...]:
        """Rectangles along its curve that together hold all that it paints: far less than its box,
        so that a change of it leaves most of what lies around alone."""
        if not self._pieces:
            self._pieces = _pieces_of(self)
        return self._pieces

    def is_near(self, at: QPointF, reach: float) -> bool:
        """Whether its curve passes within ``reach`` of a point, in canvas units."""
        left, top, right, bottom = self.box
        if not (left <= at.x() <= right and top <= at.y() <= bottom):
            return False
        if not self._line:
            self._line = [p for line in self.path.toSubpathPolygons() for p in line.toList()]
        return any(_distance(at, *ends) <= reach for ends in pairwise(self._line))


def _pieces_of(view: LinkView) -> tuple[QRect, ...]:
    if view.name:
        return (whole(view.box),)
    found = []
    points = (view.start, *view.via, view.end)
    for start, end in pairwise(points):
        x0, y0, x3, y3 = start.x(), start.y(), end.x(), end.y()
        reach = reach_of(start, end)
        x1, x2 = x0 + reach, x3 - reach
        count = min(24, max(2, round((hypot(x3 - x0, y3 - y0) + reach) / PIECE)))
        bend = max(hypot(x0 - 2 * x1 + x2, y3 - y0), hypot(x1 - 2 * x2 + x3, y3 - y0))
        room = STROKE + 0.75 * bend / count**2  # how far a cubic leaves a chord of it at most
        curve = []
        for n in range(count + 1):
            t = n / count
            u = 1 - t
            a, b, c, d = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
            curve.append((a * x0 + b * x1 + c * x2 + d * x3, (a + b) * y0 + (c + d) * y3))
        found += _along(curve, room)
    line = view.line  # as which it is painted from afar, without its reroutes
    x0, y0, dx, dy = line.x1(), line.y1(), line.dx(), line.dy()
    count = min(24, max(1, round(hypot(dx, dy) / PIECE)))
    steps = [n / count for n in range(count + 1)]
    found += _along([(x0 + t * dx, y0 + t * dy) for t in steps], 1)
    for at in view.via:
        found.append(whole((at.x() - POINT, at.y() - POINT, at.x() + POINT, at.y() + POINT)))
    return tuple(found)


def _along(points: list[tuple[float, float]], room: float) -> list[QRect]:
    """Rectangles around the steps of a way."""
    return [
        whole((min(x0, x1) - room, min(y0, y1) - room, max(x0, x1) + room, max(y0, y1) + room))
        for (x0, y0), (x1, y1) in pairwise(points)
    ]


def _distance(at: QPointF, begin: QPointF, end: QPointF) -> float:
    """How far a point is from the line between two others."""
    along, to = end - begin, at - begin
    length = QPointF.dotProduct(along, along)
    share = QPointF.dotProduct(to, along) / length if length else 0.0
    off = to - along * min(1.0, max(0.0, share))
    return hypot(off.x(), off.y())


def reach_of(start: QPointF, end: QPointF) -> float:
    """How far a link goes straight out of its sockets."""
    return min(REACH_MOST, max(REACH_LEAST, abs(end.x() - start.x()) / 2))


def through(points: Sequence[QPointF]) -> QPainterPath:
    """Cubics with level ends from one point to the next: a link, with its reroutes."""
    path = QPainterPath(points[0])
    for start, end in pairwise(points):
        reach = reach_of(start, end)
        path.cubicTo(start.x() + reach, start.y(), end.x() - reach, end.y(), end.x(), end.y())
    return path


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
