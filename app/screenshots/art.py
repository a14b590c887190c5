"""Example pictures for screenshots: three shapes on woven ground, clean or under noise."""

from __future__ import annotations

import math
import random
from pathlib import Path
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
    from backend.values import Audio, Image, Video

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


def film(path: Path) -> Video:
    """Two seconds in which noise comes and goes; the frames lie in a file at ``path``."""
    import numpy as np

    from backend.values import FrameFile, Video

    codes = []
    for number in range(48):
        image = picture(0.5 + 0.5 * math.cos(number / 24 * math.pi))
        flat = np.frombuffer(image.constBits(), np.uint8).reshape(HEIGHT, image.bytesPerLine())
        codes.append(flat[:, : WIDTH * 3].tobytes())
    path.write_bytes(b"".join(codes))
    return Video(FrameFile("blake3:art", len(codes), HEIGHT, WIDTH, 3, "8", str(path)), 24)


def sound() -> Audio:
    """Two seconds of strokes that fade, on two channels."""
    import numpy as np

    from backend.values import Audio

    at = np.arange(88_200) / 44_100
    strokes = np.exp(-6 * (at % 0.5)) * np.sin(at * 2 * np.pi * 110)
    steady = 0.3 * np.sin(at * 2 * np.pi * 220) * np.sin(at * np.pi / 2) ** 2
    return Audio(np.stack([strokes, steady]).astype(np.float32), 44_100)
