"""Selecting by a box or a lasso."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from app.canvas.hands.hand import Hand, Modifiers

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas


class BoxHand(Hand):
    """Selects what a box touches; Shift adds, Ctrl takes away."""

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers) -> None:
        super().__init__(canvas, at, modifiers)
        self._end = at
        self._before = canvas.document.selection

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        self._end = at
        self._choose()
        self.canvas.update()

    def release(self, at: QPointF, modifiers: Modifiers) -> None:
        self._end = at
        self._choose()
        self.canvas.update()

    def cancel(self) -> None:
        self.canvas.document.select(self._before)
        self.canvas.update()

    def touched(self) -> frozenset[str]:
        """The nodes that are in it now."""
        box = QRectF(self.begin, self._end).normalized()
        found = self.canvas.board.nodes_in(box)
        return frozenset(
            view.path
            for view in found
            if (box.contains(view.rect) if view.zone else box.intersects(view.rect))
        )

    def _choose(self) -> None:
        touched = self.touched()
        if self.modifiers & Qt.KeyboardModifier.ControlModifier:
            touched = self._before - touched
        elif self.modifiers & Qt.KeyboardModifier.ShiftModifier:
            touched |= self._before
        self.canvas.document.select(touched)

    def paint(self, painter: QPainter) -> None:
        self._pen(painter)
        painter.drawRect(QRectF(self.begin, self._end).normalized())

    def _pen(self, painter: QPainter) -> None:
        colours = self.canvas.theme.colours
        fill = QColor(colours.accent)
        fill.setAlphaF(0.1)
        pen = QPen(QColor(colours.accent), 1)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setBrush(fill)


class LassoHand(BoxHand):
    """Selects the nodes whose middle is in a shape drawn by hand."""

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers) -> None:
        super().__init__(canvas, at, modifiers)
        self._points = [at]

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        self._points.append(at)
        super().move(at, modifiers)

    def touched(self) -> frozenset[str]:
        shape = QPolygonF(self._points)
        found = self.canvas.board.nodes_in(shape.boundingRect())
        fill = Qt.FillRule.OddEvenFill
        return frozenset(v.path for v in found if shape.containsPoint(v.rect.center(), fill))

    def paint(self, painter: QPainter) -> None:
        self._pen(painter)
        painter.drawPolygon(QPolygonF(self._points))
