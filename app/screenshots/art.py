"""Example pictures for screenshots: three shapes on woven ground, clean or under noise."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QImage,
    QLinearGradient,
    QPainter,
    QPolygonF,
    QRadialGradient,
)

from app.shell.pictures import encoded

if TYPE_CHECKING:
    from backend.values import Image

WIDTH, HEIGHT = 512, 384


def picture(noise: float = 0.0) -> QImage:
    """The shapes; ``noise`` is 0 to 1."""
    image = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB888)
    image.fill(QColor("#d9cfb8"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for step in range(0, WIDTH, 6):
        painter.fillRect(step, 0, 2, HEIGHT, QColor(120, 100, 70, 26))
    for step in range(0, HEIGHT, 6):
        painter.fillRect(0, step, WIDTH, 2, QColor(255, 250, 235, 40))
    painter.setPen(Qt.PenStyle.NoPen)
    ball = QRadialGradient(QPointF(140, 130), 150)
    ball.setColorAt(0, QColor("#ef7060"))
    ball.setColorAt(1, QColor("#b8251c"))
    painter.setBrush(ball)
    painter.drawEllipse(QRectF(72, 80, 184, 184))
    square = QLinearGradient(300, 90, 300, 250)
    square.setColorAt(0, QColor("#5b8fe0"))
    square.setColorAt(1, QColor("#2c55a8"))
    painter.setBrush(square)
    painter.drawRoundedRect(QRectF(300, 92, 156, 156), 6, 6)
    roof = QLinearGradient(0, 200, 0, 350)
    roof.setColorAt(0, QColor("#f7d558"))
    roof.setColorAt(1, QColor("#d9a013"))
    painter.setBrush(roof)
    painter.drawPolygon(QPolygonF([QPointF(264, 200), QPointF(368, 350), QPointF(160, 350)]))
    drawn = random.Random(4127)
    for _ in range(int(9000 * noise)):
        x, y, grey = drawn.randrange(WIDTH), drawn.randrange(HEIGHT), drawn.randrange(60, 255)
        painter.fillRect(x, y, 3, 3, QColor(grey, grey, drawn.randrange(60, 255), 190))
    painter.end()
    return image


def jpeg(noise: float = 0.0) -> bytes:
    """The picture as a host sends previews."""
    return encoded(picture(noise), "JPEG", 90)


def value() -> Image:
    """The picture as a value of a graph."""
    import numpy as np

    from backend.values import Image

    image = picture()
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(HEIGHT, image.bytesPerLine())
    pixels = flat[:, : WIDTH * 3].reshape(1, HEIGHT, WIDTH, 3)
    return Image((pixels / 255).astype(np.float32))
