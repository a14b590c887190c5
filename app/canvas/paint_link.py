"""Painting links: a curve in its type's hue, with a casing so that crossings read as cloth."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.canvas.measure import BLOCKS, FULL
from app.canvas.paint_node import Look
from app.canvas.parts import LinkView
from app.canvas.text import advance, paint_text
from app.theme.colours import Colours, mix
from app.theme.fonts import Role
from app.theme.outlines import paint_socket
from app.theme.types import look_of

SOLID, ROUND = Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap


@dataclass(frozen=True, slots=True)
class LinkState:
    """How a link is shown."""

    hover: bool = False
    selected: bool = False
    empty: bool = False
    """Nothing has passed it yet."""


def hue_of_type(type_: str, colours: Colours) -> str:
    """The hue of links of a type."""
    return look_of(type_).hue(colours)


def paint_link(painter: QPainter, view: LinkView, look: Look, state: LinkState) -> None:
    """Paint a link in the pixels of the canvas."""
    colours, path = look.colours, view.path
    hue = QColor(hue_of_type(view.type, colours))
    if (
        state.empty and not state.hover
    ):  # mixed by hand: a transparent stroke takes five times as long
        hue = QColor(mix(colours.canvas, hue.name(), 0.6))
    width = 3.0 if state.hover or state.selected else 2.0
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if look.scale >= BLOCKS:
        painter.setPen(QPen(QColor(colours.canvas), width + 3, SOLID, ROUND))
        painter.drawPath(path)
    else:
        width = max(width, 1.2 / look.scale)
    if state.selected:
        halo = QColor(colours.accent)
        halo.setAlphaF(0.45)
        painter.setPen(QPen(halo, width + 5, SOLID, ROUND))
        painter.drawPath(path)
    for point in view.via:
        ground = colours.canvas
        paint_socket(painter, point, look_of(view.type), colours, ground=ground, joined=True)
        painter.setBrush(Qt.BrushStyle.NoBrush)
    if view.many and look.scale >= FULL:
        painter.setPen(QPen(hue, 1.5, SOLID, ROUND))
        painter.drawPath(path.translated(0, -2))
        painter.drawPath(path.translated(0, 2))
        return
    painter.setPen(QPen(hue, width, SOLID, ROUND))
    painter.drawPath(path)


def paint_bead(painter: QPainter, at: QPointF, type_: str, words: str, colours: Colours) -> None:
    """What a link carries, beside the pointer: outline, type and facts."""
    width = advance(words, Role.CAPTION) + 36
    rect = QRectF(at.x() + 12, at.y() - 28, width, 22)
    painter.setPen(QPen(QColor(colours.linestrong), 1))
    painter.setBrush(QColor(colours.overlay))
    painter.drawRoundedRect(rect, 11, 11)
    paint_socket(
        painter, QPointF(rect.left() + 15, rect.center().y()), look_of(type_), colours,
        ground=colours.overlay, joined=True, scale=0.8,
    )  # fmt: skip
    paint_text(painter, rect.left() + 26, rect.center().y(), words, Role.CAPTION, colours.text)


def paint_pill(
    painter: QPainter, at: QPointF, name: str, type_: str, colours: Colours, leading: bool
) -> QRectF:
    """One end of a named link: its name in a pill; where it was painted."""
    width = min(advance(name, Role.CAPTION), 160.0) + 34
    left = at.x() + 10 if leading else at.x() - 10 - width
    rect = QRectF(left, at.y() - 11, width, 22)
    hue = QColor(hue_of_type(type_, colours))
    painter.setPen(QPen(hue, 2))
    edge = rect.left() if leading else rect.right()
    painter.drawLine(at, QPointF(edge, at.y()))
    painter.setPen(QPen(hue, 1))
    painter.setBrush(QColor(colours.raised))
    painter.drawRoundedRect(rect, 11, 11)
    paint_socket(
        painter, QPointF(rect.left() + 14, at.y()), look_of(type_), colours,
        ground=colours.raised, joined=True, scale=0.75,
    )  # fmt: skip
    if painter.worldTransform().m11() >= 0.82:  # smaller it could not be read
        paint_text(painter, rect.left() + 25, at.y(), name, Role.CAPTION, colours.text, width=160)
    return rect
