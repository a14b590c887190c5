"""One line of words for what is painted, in the user's text scale; and key caps."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from app.theme.colours import Colours, mix
from app.theme.fonts import Role, font

_CAP_PAD, _CAP_GAP = 5.0, 3.0


def advance(text: str, role: Role) -> float:
    """How wide a text is, in logical pixels."""
    return QFontMetricsF(font(role)).horizontalAdvance(text)


def write(
    painter: QPainter,
    x: float,
    middle: float,
    text: str,
    role: Role,
    colour: str,
    *,
    width: float | None = None,
) -> float:
    """Write one line, its middle at a height; where it ends.

    Args:
        painter: In logical pixels.
        x: Its left edge.
        middle: The middle of its line.
        text: The words.
        role: Their font.
        colour: ``#RRGGBB``.
        width: At most so wide; longer ones end in an ellipsis.
    """
    face = font(role)
    metrics = QFontMetricsF(face)
    if width is not None:
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(0.0, width))
    painter.setFont(face)
    painter.setPen(QColor(colour))
    painter.drawText(QPointF(x, middle + (metrics.ascent() - metrics.descent()) / 2), text)
    return x + metrics.horizontalAdvance(text)


def caps_width(keys: Sequence[str]) -> float:
    """How wide key caps are, side by side."""
    widths = [_cap_width(key) for key in keys]
    return sum(widths) + _CAP_GAP * max(0, len(widths) - 1)


def write_caps(
    painter: QPainter, x: float, middle: float, keys: Sequence[str], colours: Colours
) -> float:
    """Paint key caps side by side, their middle at a height; where they end."""
    height = QFontMetricsF(font(Role.CAPTION)).height() + 3
    for key in keys:
        width = _cap_width(key)
        box = QRectF(x, middle - height / 2, width, height)
        painter.setPen(QPen(QColor(colours.linestrong), 1))
        painter.setBrush(QColor(mix(colours.overlay, colours.panel, 0.5)))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        wide = advance(key, Role.CAPTION)
        write(painter, x + (width - wide) / 2, middle, key, Role.CAPTION, colours.text)
        x += width + _CAP_GAP
    return x - _CAP_GAP if keys else x


def _cap_width(key: str) -> float:
    return max(advance(key, Role.CAPTION) + 2 * _CAP_PAD, 18.0)
