"""What of the canvas is to be painted anew."""

from __future__ import annotations

from collections.abc import Iterable

from app.canvas.index import Box
from app.canvas.parts import FrameView, LinkView, NodeView, NoteView

_PIECES = 60
"""Beyond so many boxes a link is not taken piece by piece any more."""


class Spoiled:
    """Boxes of the canvas since the last time they were asked for; or all of it."""

    def __init__(self) -> None:
        self._boxes: list[Box] | None = None

    def take(self) -> list[Box] | None:
        """The boxes; ``None`` is everything."""
        boxes, self._boxes = self._boxes, []
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
        if len(self._boxes) > _PIECES:
            self._boxes.append(view.box)
            return
        for piece in view.pieces:
            self.box((piece.left(), piece.top(), piece.right() + 1, piece.bottom() + 1))

    def furniture(self, views: Iterable[FrameView | NoteView]) -> None:
        """Frames and notes are."""
        for view in views:
            rect = view.rect.adjusted(-8, -8, 8, 8)
            self.box((rect.left(), rect.top(), rect.right(), rect.bottom()))
