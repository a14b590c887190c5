"""Painting links: a curve in its type's hue, with a casing so that crossings read as cloth."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from app.canvas.look import Look
from app.canvas.measure import BLOCKS, FULL
from app.canvas.parts import LinkView
from app.canvas.pills import LONGEST, pills_of
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


def _pen(colour: str, width: float) -> QPen:
    return QPen(QColor(colour), width, SOLID, ROUND)


def paint_link(
    painter: QPainter,
    view: LinkView,
    look: Look,
    state: LinkState,
    part: QPainterPath | None = None,
) -> None:
    """Paint a link, or along its curve only a part of it, in the pixels of the canvas."""
    colours, path = look.colours, part if part is not None else view.path
    tint = hue_of_type(view.type, colours)
    if state.empty and not state.hover:  # a transparent stroke takes five times as long
        tint = mix(colours.canvas, tint, 0.6)
    width = 3.0 if state.hover or state.selected else 2.0
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if look.scale >= BLOCKS:
        painter.setPen(_pen(colours.canvas, width + 2 * colours.casing))
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
        painter.setPen(_pen(tint, 1.5))
        painter.drawPath(path.translated(0, -2))
        painter.drawPath(path.translated(0, 2))
        return
    painter.setPen(_pen(tint, width))
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


def paint_named(painter: QPainter, view: LinkView, look: Look, state: LinkState) -> None:
    """Paint a named link: its name at both ends, or a short curve with one name on it."""
    pills = pills_of(view)
    if len(pills) < 2:
        paint_link(painter, view, look, state)
    hue = QColor(hue_of_type(view.type, look.colours))
    for pill, at in zip(pills, (view.start, view.end), strict=False):
        if len(pills) == 2:
            painter.setPen(QPen(hue, 2))
            edge = pill.left() if at == view.start else pill.right()
            painter.drawLine(at, QPointF(edge, at.y()))
        _pill(painter, pill, view, look.colours)


def _pill(painter: QPainter, rect: QRectF, view: LinkView, colours: Colours) -> None:
    painter.setPen(QPen(QColor(hue_of_type(view.type, colours)), 1))
    painter.setBrush(QColor(colours.raised))
    painter.drawRoundedRect(rect, 11, 11)
    middle = rect.center().y()
    paint_socket(
        painter, QPointF(rect.left() + 14, middle), look_of(view.type), colours,
        ground=colours.raised, joined=True, scale=0.75,
    )  # fmt: skip
    if painter.worldTransform().m11() >= 0.82:  # smaller it could not be read
        paint_text(painter, rect.left() + 25, middle, view.name, Role.CAPTION, colours.text,
                   width=LONGEST)  # fmt: skip
