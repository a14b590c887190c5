"""What of the canvas is to be painted anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QRect
from PySide6.QtGui import QRegion

from app.canvas.area import rects_of
from app.canvas.index import Box
from app.canvas.parts import FrameView, LinkView, NodeView, NoteView

_FEW = 8
"""Beyond so many boxes and links a link is not taken piece by piece any more."""


class Spoiled:
    """Boxes of the canvas since the last time they were asked for; or all of it."""

    def __init__(self) -> None:
        self._boxes: list[Box] | None = None
        self._links: list[LinkView] = []

    def take(self, afar: bool, over: Callable[[QRect], Iterable[QRect]]) -> list[Box] | None:
        """The boxes, as they are seen from ``afar`` or not; ``None`` is everything.

        Links lie below nodes: ``over`` tells what of a rectangle shows nothing of them. Nodes that
        were elsewhere have told their boxes themselves.
        """
        boxes, self._boxes = self._boxes, []
        links, self._links = self._links, []
        if boxes is None or not links:
            return boxes
        region = QRegion()
        for view in links:
            for piece in view.pieces(afar):
                region += piece
        for rect in over(region.boundingRect()):
            region -= rect
        boxes += [
            (rect.x(), rect.y(), rect.x() + rect.width(), rect.y() + rect.height())
            for rect in rects_of(region)
        ]
        return boxes

    def all(self) -> None:
        """Everything is to be painted."""
        self._boxes = None

    def box(self, box: Box) -> None:
        """A box is."""
        if self._boxes is not None:
            self._boxes.append(box)

    def rows(self, view: NodeView, rows: Iterable[Box]) -> None:
        """Rows of a node are, told from its corner."""
        for left, top, right, bottom in rows:
            self.box((view.x + left, view.y + top, view.x + right, view.y + bottom))

    def link(self, view: LinkView) -> None:
        """A link is: along its curve where few boxes are, else all in its box."""
        if self._boxes is None:
            return
        if len(self._boxes) + len(self._links) > _FEW:
            self._boxes.append(view.box)
        else:
            self._links.append(view)

    def furniture(self, views: Iterable[FrameView | NoteView]) -> None:
        """Frames and notes are."""
        for view in views:
            rect = view.rect.adjusted(-8, -8, 8, 8)
            self.box((rect.left(), rect.top(), rect.right(), rect.bottom()))
