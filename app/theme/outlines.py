"""The outlines of socket types, as paths around a centre at the origin, about 11 units wide.

A type is known by its outline first, so each has few strokes that stay apart at 11 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPolygonF

from app.theme.colours import Colours
from app.theme.types import TypeLook

WIDTH = 11.0
_STROKE = 1.6
_CASING = 5.0
_THIN = {"slabs": 1.3, "table": 1.1, "scatter": 1.2, "trio": 1.2}
"""Strokes of outlines of several parts, which would run together if they were thicker."""

Points = tuple[tuple[float, float], ...]

_POLYGONS: dict[str, Points] = {
    "diamond": ((0, -6.4), (6.4, 0), (0, 6.4), (-6.4, 0)),
    "arrow": ((-5.4, -5.2), (0.2, -5.2), (6, 0), (0.2, 5.2), (-5.4, 5.2), (-2.6, 0)),
    "play": ((-4.4, -5.8), (6, 0), (-4.4, 5.8)),
    "triangle": ((0, -6), (6.2, 5), (-6.2, 5)),
    "hexagon": ((-3.1, -5.4), (3.1, -5.4), (6.2, 0), (3.1, 5.4), (-3.1, 5.4), (-6.2, 0)),
    "page": ((-4, -5.4), (1, -5.4), (4.2, -2.2), (4.2, 5.4), (-4, 5.4)),
    "cell": ((-3.4, -3.4), (3.4, -3.4), (3.4, 3.4), (-3.4, 3.4)),
}
_OPEN: dict[str, tuple[Points, ...]] = {
    "bars": (((-4.4, -2), (-4.4, 2)), ((0, -5), (0, 5)), ((4.4, -3), (4.4, 3))),
    "chevrons": (((-5, -4.6), (-0.6, 0), (-5, 4.6)), ((0.6, -4.6), (5, 0), (0.6, 4.6))),
    "bracket": (
        ((-1.6, -5), (-5, -5), (-5, 5), (-1.6, 5)),
        ((1.6, -5), (5, -5), (5, 5), (1.6, 5)),
    ),
}
OPEN = frozenset(_OPEN)
"""Outlines that are strokes and have no inside; joined, they are drawn thicker."""


@cache
def outline(name: str) -> QPainterPath:
    """The path of an outline; what has no path of its own is a circle.

    The path is shared: whoever changes it copies it first.
    """
    path = QPainterPath()
    if name in _POLYGONS:
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in _POLYGONS[name]]))
        path.closeSubpath()
    elif name in _OPEN:
        for points in _OPEN[name]:
            path.moveTo(*points[0])
            for point in points[1:]:
                path.lineTo(*point)
    elif name in _SHAPES:
        _SHAPES[name](path)
    else:
        path.addEllipse(QPointF(0, 0), 5, 5)
    return path


def _rounded(*boxes: tuple[float, float, float, float, float]) -> Callable[[QPainterPath], None]:
    def draw(path: QPainterPath) -> None:
        for x, y, width, height, radius in boxes:
            path.addRoundedRect(QRectF(x, y, width, height), radius, radius)

    return draw


def _circles(*circles: tuple[float, float, float]) -> Callable[[QPainterPath], None]:
    def draw(path: QPainterPath) -> None:
        for x, y, radius in circles:
            path.addEllipse(QPointF(x, y), radius, radius)

    return draw


def _drop(path: QPainterPath) -> None:
    path.moveTo(0, -6.2)
    path.cubicTo(2.6, -3, 4.6, -0.8, 4.6, 1.6)
    path.arcTo(QRectF(-4.6, -3, 9.2, 9.2), 0, -180)
    path.cubicTo(-4.6, -0.8, -2.6, -3, 0, -6.2)


_SHAPES: dict[str, Callable[[QPainterPath], None]] = {
    "square": _rounded((-5.2, -5.2, 10.4, 10.4, 1.2)),
    "capsule": _rounded((-7.2, -3.2, 14.4, 6.4, 3.2)),
    "slabs": _rounded(*((-5.6, y, 11.2, 2.6, 1) for y in (-5.4, -1.3, 2.8))),
    "toggle": _rounded((-5.8, -3.4, 11.6, 6.8, 3.4)),
    "table": _rounded(*((x, y, 4.2, 4.2, 0) for x in (-5, 0.8) for y in (-5, 0.8))),
    "dot": _circles((0, 0, 3.6)),
    "scatter": _circles((-3.3, -3.3, 2), (3.3, -3.3, 2), (-3.3, 3.3, 2), (3.3, 3.3, 2)),
    "trio": _circles((0, -3.6, 2.2), (-3.8, 3.2, 2.2), (3.8, 3.2, 2.2)),
    "ring": _circles((0, 0, 4.6)),
    "drop": _drop,
}  # fmt: skip


def paint_socket(
    painter: QPainter,
    centre: QPointF,
    look: TypeLook,
    colours: Colours,
    *,
    ground: str,
    joined: bool = False,
    many: bool = False,
    needed: bool = False,
    scale: float = 1.0,
) -> None:
    """Paint a socket cut out of its ground.

    Args:
        painter: In logical pixels, antialiased.
        centre: Of the socket.
        look: Outline and hue of its type.
        colours: The theme.
        ground: What it is cut out of, ``#RRGGBB``.
        joined: Filled; else hollow.
        many: A list: a second outline stands behind it, up and right.
        needed: It must be joined and is not: a dashed ring around it.
        scale: Of the outline; sockets that fit grow while a link is pulled.
    """
    hue, below = QColor(look.hue(colours)), QColor(ground)
    painter.save()
    painter.translate(centre)
    painter.scale(scale, scale)
    path = outline(look.outline)
    _casing(painter, path, below)
    if many:
        painter.translate(3, -3)
        _draw(painter, look.outline, path, hue, below, False)
        painter.translate(-3, 3)
        _casing(painter, path, below)
    _draw(painter, look.outline, path, hue, below, joined)
    if needed:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        pen = QPen(QColor(colours.warning), 1.4)
        pen.setDashPattern([2 / 1.4, 2.2 / 1.4])
        painter.setPen(pen)
        painter.drawEllipse(QPointF(0, 0), 8.6, 8.6)
    painter.restore()


def _casing(painter: QPainter, path: QPainterPath, ground: QColor) -> None:
    painter.setPen(QPen(ground, _CASING, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap,
                        Qt.PenJoinStyle.RoundJoin))  # fmt: skip
    painter.setBrush(QBrush(ground))
    painter.drawPath(path)


def _draw(
    painter: QPainter, name: str, path: QPainterPath, hue: QColor, ground: QColor, joined: bool
) -> None:
    width = 2.6 if joined and name in OPEN else _THIN.get(name, _STROKE)
    pen = QPen(hue, width)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    if name == "ring":
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setDashPattern([2.4 / width, 2.4 / width])
    painter.setPen(pen)
    filled = joined and name not in OPEN and name not in ("half", "toggle", "ring")
    painter.setBrush(Qt.BrushStyle.NoBrush if name in OPEN else QBrush(hue if filled else ground))
    painter.drawPath(path)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(hue))
    if name == "half" and joined:
        painter.drawPie(QRectF(-5, -5, 10, 10), -90 * 16, 180 * 16)
    elif name == "half":
        painter.setPen(QPen(hue, 1))
        painter.drawLine(QPointF(0, -5), QPointF(0, 5))
    elif name == "toggle":
        painter.setPen(QPen(hue, 1))
        painter.setBrush(QBrush(hue if joined else ground))
        painter.drawEllipse(QPointF(2.3, 0), 2.1, 2.1)
    elif name == "bracket" and joined:
        painter.drawRect(QRectF(-1.8, -1.8, 3.6, 3.6))
