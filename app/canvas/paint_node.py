"""Painting a node: everything, as blocks, or header and picture only, by the scale it has."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen

from app.canvas.measure import BLOCKS, FOOTER, FULL, HEADER, INSET, LINE, RADIUS
from app.canvas.parts import NodeView
from app.canvas.shadow import paint_shadow
from app.canvas.shape import Field, Socket
from app.canvas.states import Marks, marks_of
from app.canvas.text import advance, paint_text
from app.labels import label
from app.theme.colours import Colours, mix
from app.theme.fonts import Role
from app.theme.icons import icon
from app.theme.outlines import paint_socket
from app.theme.types import category_icon, category_look, look_of

NO_BRUSH, NO_PEN = Qt.BrushStyle.NoBrush, Qt.PenStyle.NoPen


@dataclass(frozen=True, slots=True)
class Look:
    """How things are painted now.

    Attributes:
        colours: The theme.
        scale: Device pixels in one of the canvas.
        zoom: Logical pixels in one of the canvas.
        hover: The path of the node under the pointer.
        focus: The path of the node that the keyboard is on.
        fits: While a link is pulled: the sockets it may go to (path, side, name), else ``None``.
        spin: The turn of the spinner, 0 to 1.
        known: Whether the node types are known yet.
    """

    colours: Colours
    scale: float = 1.0
    zoom: float = 1.0
    hover: str = ""
    focus: str = ""
    active: str = ""
    fits: frozenset[tuple[str, str, str]] | None = None
    spin: float = 0.0
    known: bool = True

    @property
    def icon_ratio(self) -> float:
        """The sharpness that icons need; few values, so that few are made."""
        return float(min(4, max(1, ceil(self.scale))))


def paint_node(painter: QPainter, view: NodeView, look: Look) -> None:
    """Paint a node at its place, in the pixels of the canvas."""
    painter.save()
    painter.translate(view.x, view.y)
    marks = marks_of(view, look.colours, look.known)
    _body(painter, view, look, marks)
    if not view.shape.collapsed and look.scale >= BLOCKS:
        if look.scale >= FULL:
            _contents(painter, view, look, marks)
        else:
            _blocks(painter, view, look.colours)
        _picture(painter, view)
    _header(painter, view, look, marks)
    for socket in view.shape.sockets:
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
        painter.setPen(QPen(QColor(colours.accent), 2))
        painter.drawPath(_outline(view, 1))
    if view.path == look.focus:
        painter.setBrush(NO_BRUSH)
        painter.setPen(QPen(QColor(colours.focus), 2))
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


def _contents(painter: QPainter, view: NodeView, look: Look, marks: Marks) -> None:
    colours, shape = look.colours, view.shape
    for socket in shape.sockets:
        if not socket.param:
            _socket_words(painter, view, socket, colours, marks)
    for each in shape.fields:
        _field(painter, each, shape.width, look, marks)
    if shape.more:
        said = "1 more value" if shape.more == 1 else f"{shape.more} more values"
        middle = shape.more_y + 12
        paint_text(painter, INSET + 8, middle, said, Role.CAPTION, colours.weak)
        glyph = icon("chevron-down", 12, colours.weak, look.icon_ratio)
        painter.drawPixmap(
            QRectF(shape.width - INSET - 18, middle - 6, 12, 12), glyph, QRectF(glyph.rect())
        )
    if shape.message:
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
    if marks.passes:
        _bypass(painter, view, colours)
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
