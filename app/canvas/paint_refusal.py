"""Painting why a pulled link cannot be made: a card by the pointer, with the nodes that bridge."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.canvas.shadow import paint_shadow
from app.canvas.text import advance, paint_text, wrap
from app.document.edits.fits import Refusal
from app.theme.colours import Colours, mix
from app.theme.fonts import Role
from app.theme.icons import icon
from app.theme.outlines import paint_socket
from app.theme.types import category_icon, category_look, look_of
from app.words import tr
from backend.graph.spec import NodeSpec

WIDTH, PAD, LINE = 344.0, 14.0, 18.0
_CHAIN, _KEYS = 44.0, 26.0
_APART = 12.0
"""From the pointer to the card."""


def paint_refusal(
    painter: QPainter,
    refusal: Refusal,
    types: tuple[str, str],
    specs: Mapping[str, NodeSpec],
    colours: Colours,
    room: tuple[QPointF, QSizeF],
    ratio: float = 1.0,
) -> None:
    """Paint the card in pixels of the widget.

    Args:
        painter: Of the canvas, without its scale.
        refusal: What it says, and the chain of nodes that would do.
        types: What the link carries, and what the socket takes.
        specs: Every node type.
        colours: The theme.
        room: Where the pointer is, and the size of the widget; the card stays inside.
        ratio: Device pixels in one of the widget.
    """
    first, rest = _parts(refusal.sentence)
    heads = wrap(first, WIDTH - PAD * 2 - 24, 3, Role.TITLE)
    lines = wrap(rest, WIDTH - PAD * 2 - 24, 4) if rest else ()
    chain = [specs[step.type] for step in refusal.bridge if step.type in specs]
    height = PAD * 2 + LINE * (len(heads) + len(lines)) + (_CHAIN if chain else 0) + _KEYS
    rect = _placed(*room, height)
    paint_shadow(painter, rect, colours)
    painter.setPen(QPen(QColor(colours.linestrong), 1))
    painter.setBrush(QColor(colours.overlay))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
    glyph = icon("circle-alert", 16, colours.danger, ratio)
    left, y = rect.left() + PAD, rect.top() + PAD
    painter.drawPixmap(QRectF(left, y + 1, 16, 16), glyph, QRectF(glyph.rect()))
    for line in heads:
        paint_text(painter, left + 24, y + LINE / 2, line, Role.TITLE, colours.strong)
        y += LINE
    for line in lines:
        paint_text(painter, left + 24, y + LINE / 2, line, Role.BODY, colours.text)
        y += LINE
    if chain:
        well = QRectF(left + 24, y + 8, WIDTH - PAD * 2 - 24, _CHAIN - 8)
        _paint_chain(painter, well, chain, types, colours, ratio)
        y += _CHAIN
    keys = tr("Enter inserts · Esc drops the link") if chain else tr("Esc drops the link")
    paint_text(painter, left + 24, y + 8 + _KEYS / 2 - 4, keys, Role.CAPTION, colours.weak)


def _parts(sentence: str) -> tuple[str, str]:
    """What it reads and gets, and the sentence on why."""
    parts = sentence.split(". ")
    head = ". ".join(parts[:2])
    rest = ". ".join(parts[2:])
    return (head if not rest or head.endswith(".") else head + "."), rest


def _placed(at: QPointF, size: QSizeF, height: float) -> QRectF:
    """Below the pointer, or beside and above it where there is no room."""
    x, y = at.x() + _APART, at.y() + _APART
    if y + height > size.height() - 8:
        y = at.y() - _APART - height
    x = min(x, size.width() - WIDTH - 8)
    return QRectF(round(max(8.0, x)), round(max(8.0, y)), WIDTH, height)


def _paint_chain(
    painter: QPainter,
    rect: QRectF,
    chain: list[NodeSpec],
    types: tuple[str, str],
    colours: Colours,
    ratio: float,
) -> None:
    """From the outline of what is given, over the nodes, to that of what is taken."""
    painter.setPen(QPen(QColor(colours.line), 1))
    painter.setBrush(QColor(colours.panel))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
    middle = rect.center().y()
    widths = [min(advance(spec.title, Role.ACTIVE), 110.0) + 38 for spec in chain]
    gap = max(6.0, (rect.width() - 36 - sum(widths)) / (len(chain) + 1))
    start, end = QPointF(rect.left() + 18, middle), QPointF(rect.right() - 18, middle)
    half = (start.x() + end.x()) / 2
    for kind, x0, x1 in ((types[0], start.x(), half), (types[1], half, end.x())):
        painter.setPen(QPen(QColor(look_of(kind).hue(colours)), 2))
        painter.drawLine(QPointF(x0, middle), QPointF(x1, middle))
    x = start.x() + gap
    for spec, width in zip(chain, widths, strict=True):
        hue = category_look(spec.category).hue(colours)
        box = QRectF(x, middle - 11, width, 22)
        painter.setPen(QPen(QColor(hue), 1))
        painter.setBrush(QColor(mix(colours.raised, hue, 0.13)))
        painter.drawRoundedRect(box, 5, 5)
        glyph = icon(category_icon(spec.category), 14, hue, ratio)
        painter.drawPixmap(QRectF(x + 8, middle - 7, 14, 14), glyph, QRectF(glyph.rect()))
        paint_text(
            painter, x + 28, middle, spec.title, Role.ACTIVE, colours.strong, width=width - 36
        )
        x += width + gap
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for kind, at in zip(types, (start, end), strict=True):
        paint_socket(painter, at, look_of(kind), colours, ground=colours.panel, joined=at is start)
