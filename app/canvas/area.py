"""A part of the canvas that is to be painted: rectangles, and what lies in them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QRegion

from app.canvas.index import Box


class Area:
    """Rectangles of the canvas, in its own units."""

    def __init__(self, rects: Sequence[QRectF]) -> None:
        self.rects = tuple(rects)
        self.bounds = QRectF()
        for rect in self.rects:
            self.bounds = self.bounds.united(rect)
        self._region: QRegion | None = None
        if len(self.rects) > 1:
            self._region = QRegion()
            for rect in self.rects:
                self._region += rect.toAlignedRect()

    def touches(self, rect: QRect) -> bool:
        """Whether anything in ``rect`` may lie in it."""
        if self._region is None:
            return self.bounds.intersects(QRectF(rect))
        return self._region.intersects(rect)


def whole(box: Box) -> QRect:
    """The least rectangle of whole units that holds a box."""
    left, top = floor(box[0]), floor(box[1])
    return QRect(left, top, ceil(box[2]) - left, ceil(box[3]) - top)
