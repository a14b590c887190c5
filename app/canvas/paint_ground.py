"""Painting what lies under nodes: dots, frames, zones and notes."""

from __future__ import annotations

from math import ceil, floor

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF, QTextDocument

from app.canvas.area import Area
from app.canvas.look import Look
from app.canvas.measure import BLOCKS, FULL, LINE
from app.canvas.parts import FrameView, NodeView, NoteView
from app.canvas.text import metrics, paint_text
from app.labels import value_words
from app.theme.colours import Colours, mix
from app.theme.fonts import Role, font
from app.theme.icons import icon
from app.theme.outlines import paint_socket
from app.theme.types import category_look, look_of
from app.words import tr

LEAST_TEXT, NOTE_TEXT = 9.0, 12.0
"""Pixels of text at least, and of notes at 100 %."""

FRAME_COLOURS = ("#8A94A6", "#E8B04C", "#58B4F0", "#6CCB86", "#EE86DA", "#A894FA", "#F0694F")
"""What frames are offered in; a document may have any."""


def paint_dots(painter: QPainter, area: Area, zoom: float, colours: Colours) -> None:
    """Dots every 24, every 96 below 60 %, none below 25 %: lines would compete with links."""
    if zoom < 0.25:
        return
    step = 24 if zoom >= 0.6 else 96
    device = painter.device()
    ratio = device.devicePixelRatio() if device is not None else 1.0
    pen = QPen(QColor(colours.dotgrid), max(2.0, 1.5 * ratio))
    pen.setCosmetic(True)
    painter.setPen(pen)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    points = [point for rect in area.rects for point in _dots(rect, step, 2 / zoom)]
    if points:
        painter.drawPoints(QPolygonF(points))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)


def _dots(rect: QRectF, step: int, room: float) -> list[QPointF]:
    """The dots that paint something in a rectangle; most thin ones hold none."""
    columns = _steps(rect.left() - room, rect.right() + room, step)
    rows = _steps(rect.top() - room, rect.bottom() + room, step)
    return [QPointF(x, y) for y in rows for x in columns]


def _steps(low: float, high: float, step: int) -> range:
    return range(ceil(low / step) * step, floor(high) + 1, step)


def frame_colour(frame: FrameView) -> str:
    """The hue of a frame; grey where it has none that can be read."""
    given = QColor(frame.frame.color)
    return given.name() if frame.frame.color and given.isValid() else FRAME_COLOURS[0]


def paint_frame(painter: QPainter, frame: FrameView, look: Look, selected: bool = False) -> None:
    """A frame: 7 % of its hue, an outline of 32 %, its title."""
    colours, hue = look.colours, frame_colour(frame)
    fill, line = QColor(hue), QColor(hue)
    fill.setAlphaF(0.07 if colours.dark else 0.12)
    line.setAlphaF(0.32 if colours.dark else 0.45)
    painter.setPen(QPen(QColor(colours.accent) if selected else line, 2 if selected else 1))
    painter.setBrush(fill)
    painter.drawRoundedRect(frame.rect, 12, 12)
    if look.scale >= BLOCKS and frame.frame.title:
        tint = mix(colours.text, hue, 0.35)
        left, top = frame.rect.left() + 16, frame.rect.top() + 17
        _held(painter, QPointF(left, top), frame.frame.title, tint, frame.rect.width() - 32, look)


def _held(painter: QPainter, at: QPointF, text: str, colour: str, width: float, look: Look) -> None:
    """A title that is held at 12 pixels where the canvas is seen from afar."""
    if look.zoom >= FULL:
        paint_text(painter, at.x(), at.y(), text, Role.TITLE, colour, width=width)
        return
    painter.save()
    painter.translate(at)
    painter.scale(1 / look.zoom, 1 / look.zoom)
    paint_text(painter, 0, 0, text, Role.ACTIVE, colour, width=width * look.zoom)
    painter.restore()


def paint_note(painter: QPainter, note: NoteView, look: Look, selected: bool = False) -> None:
    """A note: paper, a top edge, Markdown."""
    colours, rect = look.colours, note.rect
    paper = mix(colours.canvas, "#E4D9BE" if colours.dark else "#6E5F3A", 0.14)
    painter.setPen(QPen(QColor(colours.accent), 2) if selected else Qt.PenStyle.NoPen)
    painter.setBrush(QColor(paper))
    painter.drawRoundedRect(rect, 6, 6)
    painter.fillRect(
        QRectF(rect.left() + 3, rect.top(), rect.width() - 6, 3),
        QColor(mix(colours.canvas, "#E4D9BE" if colours.dark else "#6E5F3A", 0.55)),
    )
    if look.scale < BLOCKS:
        return
    painter.save()
    painter.setClipRect(rect.adjusted(12, 10, -12, -4), Qt.ClipOperation.IntersectClip)
    painter.translate(rect.left() + 12, rect.top() + 10)
    held = max(1.0, LEAST_TEXT / (NOTE_TEXT * look.zoom))  # no text is smaller than can be read
    painter.scale(held, held)
    # Given a rectangle, Qt would put it in place of the clip and paint over what is not stale.
    note_page(note.note.text, (rect.width() - 24) / held, colours.text).drawContents(painter)
    painter.restore()


def note_page(text: str, width: float, colour: str) -> QTextDocument:
    """Markdown laid out for a width; nothing in it is fetched or run."""
    page = QTextDocument()
    page.setDefaultFont(font(Role.BODY, 1.0))
    page.setDocumentMargin(0)
    page.setDefaultStyleSheet(f"* {{ color: {colour}; }}")
    page.setMarkdown(text, QTextDocument.MarkdownFeature.MarkdownNoHTML)
    page.setHtml(page.toHtml().replace("<img", "<span"))
    page.setTextWidth(width)
    return page


def paint_zone(painter: QPainter, view: NodeView, look: Look) -> None:
    """A zone: an area with a dashed outline, a sentence, and sockets on its edges."""
    colours, rect = look.colours, view.rect
    hue = category_look("Layers").hue(colours)
    fill = QColor(hue)
    fill.setAlphaF(0.07 if colours.dark else 0.10)
    pen = QPen(QColor(hue), 1.5)
    pen.setDashPattern([8 / 1.5, 5 / 1.5])
    if view.selected:
        pen = QPen(QColor(colours.accent), 2)
    painter.setPen(pen)
    painter.setBrush(fill)
    painter.drawRoundedRect(rect, 12, 12)
    if look.scale < BLOCKS:
        return
    glyph = icon("repeat", 14, hue, look.icon_ratio)
    painter.drawPixmap(QRectF(view.x + 14, view.y + 12, 14, 14), glyph, QRectF(glyph.rect()))
    at = QPointF(view.x + 36, view.y + 19)
    _held(painter, at, zone_words(view), colours.strong, rect.width() - 52, look)
    turns = view.run.turns or (int(view.run.done),) if view.run.status == "running" else ()
    if turns and look.scale >= FULL:
        _pill(painter, view, tr("Round {n}", n=turns[0]), colours)
    _zone_sockets(painter, view, look)


def _pill(painter: QPainter, view: NodeView, text: str, colours: Colours) -> None:
    width = metrics(Role.CAPTION).horizontalAdvance(text) + 18
    rect = QRectF(view.rect.right() - width - 12, view.y + 10, width, 18)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colours.selection))
    painter.drawRoundedRect(rect, 9, 9)
    paint_text(
        painter, rect.center().x(), rect.center().y(), text, Role.CAPTION, colours.strong,
        align="middle",
    )  # fmt: skip


def _zone_sockets(painter: QPainter, view: NodeView, look: Look) -> None:
    colours = look.colours
    for (side, name, _), socket in view.shape.places.items():
        at = view.place(socket)
        fits = look.fits is None or (view.path, socket.side, socket.name) in look.fits
        painter.setOpacity(1.0 if fits else 0.35)
        seen = side in ("in", "out") or name in ("index", "count") or socket.free
        if seen:
            paint_socket(
                painter, at, look_of(socket.type), colours, ground=colours.canvas,
                joined=socket.joined,
            )  # fmt: skip
        if look.scale >= FULL and seen:
            left = side not in ("out", "taken")
            text = tr("carry one more") if socket.free and left else socket.text
            if socket.free and socket.name == "items":
                text = tr("one more list")
            tint = colours.weak if socket.free or name in ("index", "count") else colours.text
            paint_text(
                painter, at.x() + (12 if left else -12), at.y() - LINE / 2 + 1, text, Role.CAPTION,
                tint, align="left" if left else "right",
            )  # fmt: skip
    painter.setOpacity(1.0)


def zone_words(view: NodeView) -> str:
    """What a zone does, in a sentence."""
    if view.node.title:
        return view.node.title
    if view.node.type == "repeat":
        times = view.node.params.get("times", 4)
        return tr("Repeat {n} times", n=value_words(times, "integer"))
    if view.node.type == "for_each":
        return tr("For each item")
    return view.title
