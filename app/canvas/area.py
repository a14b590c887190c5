"""A part of the canvas that is to be painted: rectangles, and what lies in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QRegion

from app.canvas.index import Box


class Area:
    """Rectangles of the canvas, in its own units."""

    def __init__(self, rects: Sequence[QRectF]) -> None:
        self.rects = tuple(rects)
        self.bounds, region = QRectF(), QRegion()
        for rect in self.rects:
            self.bounds |= rect
            region += rect.toAlignedRect()
        self.touches: Callable[[QRect], bool] = region.intersects
        """Whether anything in a rectangle may lie in it."""

    def holds(self, box: Box) -> bool:
        """Whether it is one rectangle that holds a whole box."""
        if len(self.rects) != 1:
            return False
        left, top, right, bottom = box
        held = self.bounds
        return (
            held.left() <= left and held.top() <= top
            and right <= held.right() and bottom <= held.bottom()
        )  # fmt: skip


def whole(box: Box) -> QRect:
    """The least rectangle of whole units that holds a box."""
    left, top = floor(box[0]), floor(box[1])
    return QRect(left, top, ceil(box[2]) - left, ceil(box[3]) - top)


def rects_of(region: QRegion) -> list[QRect]:
    """The rectangles of a region."""
    found: list[QRect] = list(region)  # type: ignore[call-overload]  # PySide's stubs lack __iter__
    return found
