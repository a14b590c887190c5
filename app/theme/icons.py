"""Icons of one set (Lucide), tinted by a token and rendered for each pixel ratio once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "icons"
STROKE = 1.5
"""Logical pixels at every size."""


@lru_cache(maxsize=2048)
def icon(name: str, size: int, colour: str, ratio: float = 1.0) -> QPixmap:
    """The icon as a pixmap of ``size`` logical pixels.

    Args:
        name: Of a file in ``resources/icons``.
        size: 12 in pills, 14 in nodes, 16 in bars, 20 in empty states.
        colour: ``#RRGGBB``.
        ratio: Device pixels in a logical one.

    Raises:
        KeyError: there is no such icon.
    """
    try:
        text = (FOLDER / f"{name}.svg").read_text("utf-8")
    except OSError:
        raise KeyError(name) from None
    text = text.replace("currentColor", colour)
    text = text.replace('stroke-width="2"', f'stroke-width="{STROKE * 24 / size:.4f}"', 1)
    pixels = max(1, round(size * ratio))
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(text.encode())).render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def names() -> frozenset[str]:
    """All icons that are there."""
    return frozenset(path.stem for path in FOLDER.glob("*.svg"))
