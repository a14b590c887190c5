"""Small pictures that the engine sends while it computes."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage

from backend.values import Image


def picture_of_jpeg(jpeg: bytes) -> Image | None:
    """A preview as a value; ``None`` where its bytes are no picture.

    The bytes are the engine's own, not a stranger's, so they are decoded in this process.
    """
    image = QImage.fromData(jpeg)
    if image.isNull():
        return None
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    codes = rows[:, : image.width() * 3].reshape(1, image.height(), image.width(), 3)
    return Image(codes.astype(np.float32) / np.float32(255))
