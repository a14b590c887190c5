"""Shadows: painted once per size of corner as a picture of nine parts, then stretched."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap

from app.theme.colours import Colours

_BLUR, _DOWN, _CORNER = 12, 3, 24


def paint_shadow(painter: QPainter, rect: QRectF, colours: Colours) -> None:
    """The shadow of a node or card: 3 down, 12 soft. There is none in high contrast."""
    if colours.high:
        return
    patch = _patch(colours.shadow, 0.36 if colours.dark else 0.13)
    box = rect.adjusted(-_BLUR, -_BLUR + _DOWN, _BLUR, _BLUR + _DOWN)
    size = float(patch.width())
    corner = min(_CORNER, box.width() / 2, box.height() / 2)
    xs = (box.left(), box.left() + corner, box.right() - corner, box.right())
    ys = (box.top(), box.top() + corner, box.bottom() - corner, box.bottom())
    cuts = (0.0, float(_CORNER), size - _CORNER, size)
    for row in range(3):
        for column in range(3):
            if row == column == 1:
                continue  # the body lies over it
            x, y = xs[column], ys[row]
            target = QRectF(x, y, xs[column + 1] - x, ys[row + 1] - y)
            u, v = cuts[column], cuts[row]
            source = QRectF(u, v, cuts[column + 1] - u, cuts[row + 1] - v)
            painter.drawPixmap(target, patch, source)


@lru_cache(maxsize=8)
def _patch(colour: str, strength: float) -> QPixmap:
    """A soft rounded square, from how far each pixel is from a hard one."""
    size = 2 * _CORNER + 8
    image = QImage(size, size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    radius = 8.0
    low, high = _BLUR + radius, size - _BLUR - radius
    for y in range(size):
        for x in range(size):
            dx = max(low - x - 0.5, x + 0.5 - high, 0.0)
            dy = max(low - y - 0.5, y + 0.5 - high, 0.0)
            far = (dx * dx + dy * dy) ** 0.5 - radius
            share = min(1.0, max(0.0, 0.5 - far / (2 * _BLUR)))
            soft = share * share * (3 - 2 * share)
            tint = QColor(colour)
            tint.setAlphaF(soft * strength)
            image.setPixelColor(x, y, tint)
    return QPixmap.fromImage(image)
