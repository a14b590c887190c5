"""Moving and sizing frames and notes, and drawing new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.canvas.hands.drag import DragHand
from app.canvas.hands.hand import EditHand, Modifiers
from app.canvas.measure import snapped
from app.document.edits.frames import Box, move_frame
from app.document.edits.place import move_to
from app.document.edits.ways import Dot, move_reroute
from app.words import tr

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas


class FrameHand(DragHand):
    """Moves a frame with the nodes, notes and frames in it; with Shift it moves alone."""

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers, number: int) -> None:
        rect = canvas.board.frames[number].rect
        inside = [v.path for v in canvas.board.nodes_in(rect) if rect.contains(v.rect)]
        self._alone = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        canvas.document.select([])
        super().__init__(canvas, at, modifiers, () if self._alone else inside)
        self._number, self._rect = number, rect

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        step = at - self.begin
        by = QPointF(snapped(step.x()), snapped(step.y()))
        if by == self._by:
            return
        moved = by - self._by
        self._by, self.moved = by, True
        self.canvas.board.move(self._paths, moved.x(), moved.y())
        self.canvas.refresh()

    def release(self, at: QPointF, modifiers: Modifiers) -> None:
        level, number, by = self.canvas.document.level, self._number, self._by
        if by.isNull():
            return
        boxes = None
        if not self._alone:
            views = self.canvas.board.nodes
            boxes = {
                path: Box(x, y, views[path].shape.width, views[path].shape.height)
                for path, (x, y) in self._starts.items()
            }
        starts = self._starts
        self.edit(
            tr("Move a frame"),
            lambda w: move_frame(move_to(w, level, starts), level, number, by.x(), by.y(), boxes),
        )

    def paint(self, painter: QPainter) -> None:
        if not self._by.isNull():
            pen = QPen(QColor(self.canvas.theme.colours.accent), 1)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self._rect.translated(self._by), 12, 12)


class CornerHand(EditHand):
    """Sizes a frame or a note by its lower right corner."""

    cursor = Qt.CursorShape.SizeFDiagCursor

    def __init__(
        self, canvas: Canvas, at: QPointF, modifiers: Modifiers, kind: str, number: int
    ) -> None:
        super().__init__(canvas, at, modifiers)
        self._kind, self._number = kind, number
        parts = canvas.board.frames if kind == "frame" else canvas.board.notes
        self._rect = parts[number].rect

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        step = at - self.begin
        rect = QRectF(self._rect)
        rect.setWidth(max(96.0, snapped(rect.width() + step.x())))
        rect.setHeight(max(64.0, snapped(rect.height() + step.y())))
        self.canvas.place_part(self._kind, self._number, rect, tr("Resize"))


class NoteHand(EditHand):
    """Moves a note."""

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers, number: int) -> None:
        super().__init__(canvas, at, modifiers)
        self._number = number
        self._rect = canvas.board.notes[number].rect

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        step = at - self.begin
        rect = self._rect.translated(step.x(), step.y())
        rect.moveTo(snapped(rect.x()), snapped(rect.y()))
        self.canvas.place_part("note", self._number, rect, tr("Move a note"))


class PointHand(EditHand):
    """Moves a reroute, for all links that go through it."""

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers, dot: Dot) -> None:
        super().__init__(canvas, at, modifiers)
        self._dot = dot

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        place = snapped(at.x()), snapped(at.y())
        if place == (self._dot.x, self._dot.y):
            return
        level, dot = self.canvas.document.level, self._dot
        self._dot = Dot(dot.source, *place)
        self.edit(
            tr("Move a reroute"), lambda w: move_reroute(w, level, dot, place), merge="reroute"
        )
