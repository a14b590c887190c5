"""Painting the rows of a node: words of sockets, fields with values, a message, the footer."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.canvas.look import Look
from app.canvas.measure import FOOTER, INSET, LINE
from app.canvas.parts import NodeView
from app.canvas.shape import Field, Socket
from app.canvas.states import Marks
from app.canvas.text import advance, paint_text
from app.labels import label
from app.theme.colours import Colours
from app.theme.fonts import Role
from app.theme.icons import icon
from app.theme.types import look_of

NO_BRUSH, NO_PEN = Qt.BrushStyle.NoBrush, Qt.PenStyle.NoPen
Seen = Callable[[float, float], bool]
"""Whether anything between two heights of a node is to be painted."""


def paint_rows(painter: QPainter, view: NodeView, look: Look, marks: Marks, seen: Seen) -> None:
    """Paint the words of sockets, the fields, the message and the footer of a node."""
    colours, shape = look.colours, view.shape
    for socket in shape.sockets:
        if not socket.param and seen(socket.y - 12, socket.y + 12):
            _socket_words(painter, view, socket, colours, marks)
    for each in shape.fields:
        if seen(each.y, each.y + each.height):
            _field(painter, each, shape.width, look, marks)
    if shape.more and seen(shape.more_y, shape.more_y + 24):
        _more(painter, view, look)
    if shape.message and seen(shape.message_y, shape.message_y + len(shape.message) * LINE + 12):
        _message(painter, view, look)
    if marks.passes:
        _bypass(painter, view, colours)
    if shape.footer_y >= shape.height:  # the ends of a subgraph never run
        return
    if seen(shape.height - FOOTER, shape.height):
        _footer(painter, view, look, marks)


def _more(painter: QPainter, view: NodeView, look: Look) -> None:
    colours, shape = look.colours, view.shape
    said = "1 more value" if shape.more == 1 else f"{shape.more} more values"
    middle = shape.more_y + 12
    paint_text(painter, INSET + 8, middle, said, Role.CAPTION, colours.weak)
    glyph = icon("chevron-down", 12, colours.weak, look.icon_ratio)
    painter.drawPixmap(
        QRectF(shape.width - INSET - 18, middle - 6, 12, 12), glyph, QRectF(glyph.rect())
    )


def _message(painter: QPainter, view: NodeView, look: Look) -> None:
    colours, shape = look.colours, view.shape
    height = len(shape.message) * LINE + 12
    rect = QRectF(INSET, shape.message_y, shape.width - 2 * INSET, height)
    left = 14 if view.spec is None else INSET + 8
    if view.spec is not None:
        painter.setPen(NO_PEN)
        painter.setBrush(QColor(colours.dangerfill))
        painter.drawRoundedRect(rect, 4, 4)
    for row, line in enumerate(shape.message):
        middle = shape.message_y + 6 + LINE / 2 + row * LINE
        paint_text(painter, left, middle, line, Role.BODY, colours.text)


def _footer(painter: QPainter, view: NodeView, look: Look, marks: Marks) -> None:
    colours, shape = look.colours, view.shape
    top = shape.height - FOOTER
    painter.fillRect(QRectF(1, top, shape.width - 2, 1 / look.scale), QColor(colours.line))
    room = shape.width - 2 * INSET
    paint_text(painter, INSET, top + 12, marks.left, Role.CAPTION, marks.left_colour, width=room)
    room -= advance(marks.left, Role.CAPTION) + 8
    right = shape.width - INSET
    paint_text(
        painter, right, top + 12, marks.right, Role.CAPTION, colours.weak, align="right",
        width=room,
    )  # fmt: skip


def _bypass(painter: QPainter, view: NodeView, colours: Colours) -> None:
    outs = [s for s in view.shape.sockets if s.side == "out"]
    ins = (
        [s for s in view.shape.sockets if s.side == "in" and s.type == outs[0].type] if outs else []
    )
    if not ins:
        return
    start = 22 + advance(ins[0].text, Role.BODY)
    end = view.shape.width - 22 - advance(outs[0].text, Role.BODY)
    if end - start < 16:
        return
    painter.setBrush(NO_BRUSH)
    painter.setPen(QPen(QColor(look_of(outs[0].type).hue(colours)), 1.75))
    y = ins[0].y
    painter.drawLine(QPointF(start, y), QPointF(end, outs[0].y))
    painter.drawPolyline(
        [QPointF(end - 5, outs[0].y - 5), QPointF(end, outs[0].y), QPointF(end - 5, outs[0].y + 5)]
    )


def _socket_words(
    painter: QPainter, view: NodeView, socket: Socket, colours: Colours, marks: Marks
) -> None:
    left = socket.side == "in"
    x = 14.0 if left else view.shape.width - 14
    colour = colours.weak if marks.dim or socket.free else colours.text
    room = view.shape.width * 0.62
    align = "left" if left else "right"
    paint_text(painter, x, socket.y, socket.text, Role.BODY, colour, align=align, width=room)
    said = "needed" if socket.needed else socket.fact
    if said:
        step = min(advance(socket.text, Role.BODY), room) + 8
        tint = colours.warning if socket.needed else colours.weak
        x += step if left else -step
        space = view.shape.width - 28 - step - _opposite(view, socket)
        if space >= min(advance(said, Role.CAPTION), 40.0):
            paint_text(painter, x, socket.y, said, Role.CAPTION, tint, align=align, width=space)


def _opposite(view: NodeView, socket: Socket) -> float:
    """What the words of the socket on the other side of a row take, with a gap."""
    for other in view.shape.sockets:
        if other.y == socket.y and other.side != socket.side and not other.param:
            return min(advance(other.text, Role.BODY), view.shape.width * 0.62) + 8
    return 0.0


def _field(painter: QPainter, each: Field, width: float, look: Look, marks: Marks) -> None:
    colours = look.colours
    rect = QRectF(INSET, each.y, width - 2 * INSET, each.height)
    middle = each.y + each.height / 2
    name = label(each.param.name)
    if each.joined:  # a link gives it: the well goes
        paint_text(painter, 14, middle, name, Role.BODY, colours.text, width=rect.width() - 8)
        return
    painter.setPen(QPen(QColor(colours.danger if each.wrong else colours.line), 1))
    painter.setBrush(QColor(colours.well))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    strong = colours.weak if marks.dim else colours.strong
    if each.lines:
        for row, line in enumerate(each.lines):
            y = each.y + 5 + LINE / 2 + row * LINE
            if line:
                paint_text(painter, INSET + 8, y, line, Role.BODY, strong)
            elif len(each.lines) == 1:
                paint_text(painter, INSET + 8, y, name, Role.BODY, colours.weak)
        return
    if each.share is not None:
        inner = rect.adjusted(1, 1, -1, -1)
        inner.setWidth(max(4.0, inner.width() * each.share))
        painter.setPen(NO_PEN)
        painter.setBrush(QColor(colours.selection))
        painter.drawRoundedRect(inner, 3, 3)
    right = rect.right() - 8
    if each.param.kind == "choice":
        glyph = icon("chevron-down", 12, colours.weak, look.icon_ratio)
        painter.drawPixmap(QRectF(right - 10, middle - 6, 12, 12), glyph, QRectF(glyph.rect()))
        right -= 16
    elif each.param.kind == "color":
        painter.setPen(QPen(QColor(colours.linestrong), 1))
        painter.setBrush(QColor(str(each.value)))
        painter.drawRoundedRect(QRectF(right - 12, middle - 6, 12, 12), 3, 3)
        right -= 18
    elif each.param.kind == "boolean":
        _switch(painter, QRectF(right - 22, middle - 6, 22, 12), bool(each.value), colours)
        right -= 28
    tint = colours.weak if each.share is None else colours.text
    space = rect.width() - 20
    label_width = min(advance(name, Role.BODY), space * 0.6)
    paint_text(painter, rect.left() + 8, middle, name, Role.BODY, tint, width=label_width + 1)
    room = right - rect.left() - 16 - label_width
    if each.param.kind != "boolean":
        paint_text(painter, right, middle, each.text, Role.VALUE, strong, align="right", width=room)


def _switch(painter: QPainter, rect: QRectF, on: bool, colours: Colours) -> None:
    painter.setPen(QPen(QColor(colours.fill if on else colours.control), 1))
    painter.setBrush(QColor(colours.fill) if on else NO_BRUSH)
    painter.drawRoundedRect(rect, 6, 6)
    painter.setPen(NO_PEN)
    painter.setBrush(QColor(colours.onfill if on else colours.control))
    x = rect.right() - 6 if on else rect.left() + 6
    painter.drawEllipse(QPointF(x, rect.center().y()), 3.5, 3.5)
