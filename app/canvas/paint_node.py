"""Painting a node: everything, as blocks, or header and picture only, by the scale it has."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen

from app.canvas.index import Box
from app.canvas.look import Look
from app.canvas.measure import BLOCKS, FULL, HEADER, INSET, LINE, RADIUS
from app.canvas.paint_rows import paint_rows
from app.canvas.parts import NodeView
from app.canvas.shadow import paint_shadow
from app.canvas.shape import Socket
from app.canvas.states import Marks, marks_of
from app.canvas.text import advance, paint_text
from app.theme.colours import Colours, mix
from app.theme.fonts import Role
from app.theme.icons import icon
from app.theme.outlines import paint_socket
from app.theme.types import category_icon, category_look, look_of

NO_BRUSH, NO_PEN = Qt.BrushStyle.NoBrush, Qt.PenStyle.NoPen
REACH = 13.0
"""How far a socket paints above and below its middle, at most."""


def paint_node(painter: QPainter, view: NodeView, look: Look, spans: Sequence[Box] = ()) -> None:
    """Paint a node at its place, in the pixels of the canvas.

    With ``spans``, boxes from its corner, only what lies at their heights need be painted.
    """
    painter.save()
    painter.translate(view.x, view.y)
    marks = marks_of(view, look.colours, look.known)

    def seen(top: float, bottom: float) -> bool:
        return not spans or any(b[1] <= bottom and top <= b[3] for b in spans)

    _body(painter, view, look, marks)
    if not view.shape.collapsed and look.scale >= BLOCKS:
        if look.scale >= FULL:
            paint_rows(painter, view, look, marks, seen)
        else:
            _blocks(painter, view, look.colours)
        _picture(painter, view)
    if seen(0, HEADER + 2):
        _header(painter, view, look, marks)
    for socket in view.shape.sockets:
        if seen(socket.y - REACH, socket.y + REACH):
            _socket(painter, view, socket, look)
    painter.restore()


def hue_of(view: NodeView, colours: Colours) -> str:
    """The hue of a node's category."""
    return category_look(view.hue_type).hue(colours)


def _outline(view: NodeView, grow: float = 0.0) -> QPainterPath:
    path = QPainterPath()
    rect = QRectF(0, 0, view.shape.width, view.shape.height).adjusted(-grow, -grow, grow, grow)
    path.addRoundedRect(rect, RADIUS + grow, RADIUS + grow)
    return path


def _body(painter: QPainter, view: NodeView, look: Look, marks: Marks) -> None:
    colours, shape = look.colours, view.shape
    if look.scale >= BLOCKS:
        paint_shadow(painter, QRectF(0, 0, shape.width, shape.height), colours)
    if view.selected:
        painter.setBrush(NO_BRUSH)
        if view.path == look.active:
            halo = QColor(colours.accent)
            halo.setAlphaF(0.28)
            painter.setPen(QPen(halo, 3))
            painter.drawPath(_outline(view, 3.5))
        painter.setPen(QPen(QColor(colours.accent), colours.ring))
        painter.drawPath(_outline(view, colours.ring / 2))
    if view.path == look.focus:
        painter.setBrush(NO_BRUSH)
        painter.setPen(QPen(QColor(colours.focus), colours.ring))
        painter.drawPath(_outline(view, 5))
    if view.node.type.startswith("subgraph:") and not shape.collapsed:
        painter.setPen(QPen(QColor(colours.linestrong), 1))
        for step in (1, 2):
            y = shape.height + 4 * step - 0.5
            painter.drawLine(QPointF(6 * step, y), QPointF(shape.width - 6 * step, y))
    pen = QPen(QColor(marks.outline), marks.outline_width)
    if marks.dashed:
        pen.setDashPattern([5 / pen.widthF(), 4 / pen.widthF()])
    elif view.path == look.hover and not view.selected:
        pen.setColor(QColor(colours.control))
    painter.setPen(pen)
    painter.setBrush(QColor(marks.ground))
    painter.drawPath(_outline(view, -0.5))


def _header(painter: QPainter, view: NodeView, look: Look, marks: Marks) -> None:
    colours, width, hue = look.colours, view.shape.width, hue_of(view, look.colours)
    painter.setPen(NO_PEN)
    painter.setBrush(QColor(marks.header))
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    path.addRoundedRect(QRectF(1, 1, width - 2, HEADER - 1), RADIUS - 1, RADIUS - 1)
    if not view.shape.collapsed:
        path.addRect(QRectF(1, HEADER / 2, width - 2, HEADER / 2))
        _thread(painter, view, hue, marks, look, path)
    else:
        painter.drawPath(path)
        if marks.progress is not None:
            painter.fillRect(
                QRectF(6, HEADER - 4, (width - 12) * marks.progress, 3), QColor(colours.accent)
            )
    if look.scale < FULL:
        if look.scale >= BLOCKS:
            _small_title(painter, view, look, marks)
        return
    shift = 6 if view.shape.collapsed else 0
    token = colours.weak if marks.dim else hue
    glyph = icon(category_icon(view.hue_type), 14, token, look.icon_ratio)
    painter.drawPixmap(QRectF(9 + shift, 7, 14, 14), glyph, QRectF(glyph.rect()))
    right = width - 9 - shift
    if marks.icon:
        _state_icon(painter, marks, QRectF(right - 14, 7, 14, 14), look)
        right -= 20
    if marks.badge:
        paint_text(painter, right, 14, marks.badge, Role.CAPTION, colours.accent, align="right")
        right -= advance(marks.badge, Role.CAPTION) + 6
    strong = colours.weak if marks.dim else colours.strong
    left = 29 + shift
    paint_text(painter, left, 14, view.title, Role.TITLE, strong, width=right - left)


def _small_title(painter: QPainter, view: NodeView, look: Look, marks: Marks) -> None:
    """The title of a node that is seen from afar, held at 12 pixels, and the icon of its state."""
    colour = look.colours.weak if marks.dim else look.colours.strong
    painter.save()
    painter.translate(8, HEADER / 2)
    painter.scale(1 / look.zoom, 1 / look.zoom)
    room = (view.shape.width - 16) * look.zoom
    if marks.icon:
        _state_icon(painter, marks, QRectF(room - 12, -6, 12, 12), look)
        room -= 16
    paint_text(painter, 0, 0, view.title, Role.ACTIVE, colour, width=room)
    painter.restore()


def _state_icon(painter: QPainter, marks: Marks, rect: QRectF, look: Look) -> None:
    glyph = icon(marks.icon, 14, marks.icon_colour, look.icon_ratio)
    if marks.icon == "loader" and look.spin:
        painter.save()
        painter.translate(rect.center())
        painter.rotate(360 * look.spin)
        painter.translate(-rect.center())
        painter.drawPixmap(rect, glyph, QRectF(glyph.rect()))
        painter.restore()
        return
    painter.drawPixmap(rect, glyph, QRectF(glyph.rect()))


def _thread(
    painter: QPainter, view: NodeView, hue: str, marks: Marks, look: Look, header: QPainterPath
) -> None:
    """The header's ground, and below it the thread: hue at rest, progress while it runs."""
    colours, width = look.colours, view.shape.width
    painter.drawPath(header)
    colour = QColor(marks.thread or hue)
    if marks.progress is not None:
        track = colours.well if colours.dark else colours.line
        painter.fillRect(QRectF(1, HEADER - 1, width - 2, 3), QColor(track))
        painter.fillRect(
            QRectF(1, HEADER - 1, (width - 2) * marks.progress, 3), QColor(colours.accent)
        )
    elif marks.thread_dashed:
        pen = QPen(colour, 2)
        pen.setDashPattern([1, 3])
        painter.setPen(pen)
        painter.drawLine(QPointF(4, HEADER), QPointF(width - 3, HEADER))
    elif marks.has_thread:
        colour.setAlphaF(0.35 if marks.dim else 0.9)
        painter.fillRect(QRectF(1, HEADER - 1, width - 2, 2), colour)


def _blocks(painter: QPainter, view: NodeView, colours: Colours) -> None:
    """Fields as blocks: too small to read, enough to know the node by."""
    painter.setPen(NO_PEN)
    painter.setBrush(QColor(colours.well if colours.dark else colours.line))
    width = view.shape.width - 2 * INSET
    for each in view.shape.fields:
        if not each.joined:
            painter.drawRect(QRectF(INSET, each.y, width, each.height))
    painter.setBrush(QColor(colours.selection))
    for each in view.shape.fields:
        if each.share and not each.joined:
            painter.drawRect(QRectF(INSET, each.y, width * each.share, each.height))
    if view.shape.message:
        painter.setBrush(QColor(colours.dangerfill))
        painter.drawRect(
            QRectF(INSET, view.shape.message_y, width, len(view.shape.message) * LINE + 12)
        )


def _picture(painter: QPainter, view: NodeView) -> None:
    picture, shape = view.picture, view.shape
    if picture is None or not shape.picture_height:
        return
    inner = shape.width - 2 * INSET
    width = min(inner, shape.picture_height * picture.width() / max(picture.height(), 1))
    rect = QRectF((shape.width - width) / 2, shape.picture_y, width, shape.picture_height)
    if view.run.status == "queued":
        painter.setOpacity(0.45)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    path = QPainterPath()
    path.addRoundedRect(rect, 4, 4)
    brush = QBrush(picture)
    transform = brush.transform()
    transform.translate(rect.left(), rect.top())
    transform.scale(rect.width() / picture.width(), rect.height() / picture.height())
    brush.setTransform(transform)
    painter.fillPath(path, brush)
    painter.setOpacity(1.0)
    painter.setBrush(NO_BRUSH)
    painter.setPen(QPen(QColor(0, 0, 0, 128), 1))
    painter.drawPath(path)


def _socket(painter: QPainter, view: NodeView, socket: Socket, look: Look) -> None:
    at = QPointF(socket.x, socket.y)
    if view.shape.collapsed or look.scale < FULL:
        size = 8.0 if look.scale < FULL else 9.0
        painter.setPen(NO_PEN)
        painter.setBrush(QColor(look_of(socket.type.lstrip("*")).hue(look.colours)))
        if look.scale < BLOCKS:
            size = 4 / look.scale
            painter.drawRect(QRectF(at.x() - size / 2, at.y() - size / 2, size, size))
        else:
            painter.drawEllipse(at, size / 2, size / 2)
        return
    scale, opacity = 1.0, 1.0
    if look.fits is not None:
        fitting = (view.path, socket.side, socket.name) in look.fits
        scale, opacity = (1.3, 1.0) if fitting else (1.0, 0.35)
    painter.setOpacity(opacity)
    paint_socket(
        painter, at, look_of(socket.type), look.colours, ground=look.colours.canvas,
        joined=socket.joined, many=socket.many, needed=socket.needed, scale=scale,
    )  # fmt: skip
    painter.setOpacity(1.0)


def header_of(ground: str, hue: str, colours: Colours) -> str:
    """The ground of a header: a little of the category's hue."""
    return mix(ground, hue, 0.13 if colours.dark else 0.14)
