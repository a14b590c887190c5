"""What is painted over and under a picture: checkers, the probe's cross, the wipe, pills."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QImage, QPainter, QPen, QPixmap

from app.theme.colours import Colours
from app.theme.fonts import Role, font

CHECK = 8
"""Logical pixels to a side of one square of the checkers."""

PILL = 22
_PILL_GROUND, _PILL_TEXT = "#101113", "#F3F4F6"
"""Dark in both themes: it lies on pictures, not on the window."""


def checkers(colours: Colours, ratio: float) -> QBrush:
    """Squares of two neutral greys, for what is transparent; in device pixels."""
    side = max(1, round(CHECK * ratio))
    tile = QImage(2 * side, 2 * side, QImage.Format.Format_RGB32)
    one, other = ("#6E6E6E", "#8A8A8A") if colours.dark else ("#FFFFFF", "#D9D9D9")
    tile.fill(QColor(one))
    painter = QPainter(tile)
    painter.fillRect(0, 0, side, side, QColor(other))
    painter.fillRect(side, side, side, side, QColor(other))
    painter.end()
    return QBrush(tile)


def paint_cross(painter: QPainter, at: QPointF) -> None:
    """The probe's cross, black under white, so that it is seen on anything."""
    for colour, width in (("#000000", 3.0), ("#FFFFFF", 1.4)):
        painter.setPen(QPen(QColor(colour), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            painter.drawLine(at + QPointF(3 * x, 3 * y), at + QPointF(9 * x, 9 * y))


def paint_divider(painter: QPainter, x: float, height: int, colours: Colours) -> None:
    """The line between A and B, with its handle."""
    for colour, width in (("#000000", 3.0), ("#FFFFFF", 1.4)):
        painter.setPen(QPen(QColor(colour), width))
        painter.drawLine(QPointF(x, 0), QPointF(x, height))
    painter.setPen(QPen(QColor("#000000"), 1))
    painter.setBrush(QColor("#FFFFFF"))
    painter.drawRoundedRect(QRectF(x - 5, height / 2 - 14, 10, 28), 5, 5)
    painter.setPen(QPen(QColor("#101113"), 1.4))
    for shift in (-1.8, 1.8):
        painter.drawLine(QPointF(x + shift, height / 2 - 5), QPointF(x + shift, height / 2 + 5))


def paint_pill(
    painter: QPainter, corner: QPointF, words: str, icon: QPixmap | None = None
) -> QRectF:
    """A dark pill with words on a picture, at its left top corner; gives where it lies."""
    face = font(Role.CAPTION)
    wide = QFontMetricsF(face).horizontalAdvance(words)
    begin = 26.0 if icon is not None else 9.0
    place = QRectF(corner.x(), corner.y(), begin + wide + 9, PILL)
    ground = QColor(_PILL_GROUND)
    ground.setAlphaF(0.86)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(place, 6, 6)
    if icon is not None:
        painter.drawPixmap(QPointF(place.left() + 8, place.top() + 5), icon)
    painter.setFont(face)
    painter.setPen(QColor(_PILL_TEXT))
    words_place = place.adjusted(begin, 0, 0, 0)
    painter.drawText(words_place, int(Qt.AlignmentFlag.AlignVCenter), words)
    return place


def paint_sentence(painter: QPainter, room: QRect, words: str, colours: Colours) -> None:
    """One sentence in the middle of an empty view."""
    painter.setFont(font(Role.BODY))
    painter.setPen(QColor(colours.text))
    flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
    painter.drawText(QRectF(room).adjusted(24, 0, -24, 0), flags, words)
