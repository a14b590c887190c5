"""Lists of numbers: written side by side, and as a curve whose points are moved by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPen,
    QResizeEvent,
)

from app.labels import figure
from app.theme.fonts import Role
from app.widgets.editor import ParamEditor, Well
from app.widgets.figures import written
from app.widgets.text import TextEditor
from app.words import tr
from backend.graph.expressions import ExpressionError, evaluate

CURVE = 112
_BUTTON = 26


class ValuesEditor(ParamEditor):
    """Numbers with commas between them; the sign at the right shows them as a curve."""

    spoken_role = QAccessible.Role.Grouping

    def build(self) -> None:
        """The line and the curve; the curve is folded away."""
        self.line = _ValuesLine(self.param, self._value, self.context, self)
        self.curve = Curve(self.param, self._value, self.context, self)
        self.curve.hide()
        for part in (self.line, self.curve):
            part.edited.connect(self._take)
            part.reverted.connect(self._revert)
            part.noted.connect(self.noted)
        self.line.ended.connect(self.ended)
        self.line.unfold = self.unfold
        self.setFocusProxy(self.line)

    def refresh(self) -> None:
        """Both show the same."""
        self.line.show_value(self._value, self.mixed)
        self.curve.show_value(self._value, self.mixed)

    def begin(self, text: str = "") -> None:
        """Type the numbers."""
        self.line.begin(text)

    def unfold(self) -> None:
        """Show the curve, or fold it away."""
        if not self.context.compact:
            self.curve.setVisible(self.curve.isHidden())
            self.updateGeometry()
            self.resizeEvent(None)

    def sizeHint(self) -> QSize:
        """A field, and the curve under it."""
        hint = super().sizeHint()
        return hint if self.curve.isHidden() else QSize(hint.width(), hint.height() + 4 + CURVE)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """The curve takes what the field leaves."""
        field = self.height()
        if not self.curve.isHidden():
            field = max(self.context.theme.measures.field, field - CURVE - 4)
        self.line.setGeometry(0, 0, self.width(), field)
        self.curve.setGeometry(0, field + 4, self.width(), CURVE)

    def _take(self, value: Any, final: bool) -> None:
        self.give(value, final)

    def _revert(self) -> None:
        self.reverted.emit()


class _ValuesLine(TextEditor):
    """The numbers as text."""

    def build(self) -> None:
        """The sign at the right unfolds the curve."""
        super().build()
        self.unfold: Any = None

    def refresh(self) -> None:
        """Show the numbers, unless they are being typed."""
        text = "" if self.mixed else listed(self._value)
        self.line.setPlaceholderText(tr("Several values") if self.mixed else tr("None"))
        if self.line.text() != text and not (self.line.hasFocus() and self.line.isModified()):
            self.line.setText(text)
            self.line.setCursorPosition(0)
        self.update()

    def text_role(self) -> Role:
        """Figures."""
        return Role.VALUE

    def right(self) -> int:
        """Room for the sign."""
        return 8 if self.context.compact else _BUTTON

    def paint_more(self, painter: QPainter) -> None:
        """The sign of a curve."""
        if not self.context.compact:
            place = QPointF(self.width() - _BUTTON / 2, self.height() / 2)
            self.paint_icon(painter, "chart-line", place, 14)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The sign unfolds the curve."""
        if event.position().x() >= self.width() - _BUTTON and self.unfold is not None:
            self.unfold()

    def look(self, text: str) -> None:
        """How many there are, or what is wrong."""
        try:
            count = len(numbers(text))
        except ValueError as error:
            self.say(str(error), True)
        else:
            self.say(tr("{n} numbers", n=count) if count != 1 else tr("1 number"))

    def accepts(self, text: str) -> bool:
        """Only numbers are kept."""
        try:
            numbers(text)
        except ValueError:
            return False
        return True

    def give(self, value: Any, final: bool = True) -> None:
        """A list, as documents hold it."""
        super().give(numbers(value) if isinstance(value, str) else value, final)


class Curve(Well):
    """Numbers as points from left to right.

    A drag or Up and Down move a point, Left and Right choose one, a double click or Insert puts one
    in after it, Delete takes it out. It spans what the numbers span, and 0 to 1 at least.
    """

    spoken_role = QAccessible.Role.Graphic

    def build(self) -> None:
        """The first point is chosen."""
        super().build()
        self.chosen = 0
        self._held: tuple[float, list[float]] | None = None
        self._span = (0.0, 1.0)

    @property
    def points(self) -> list[float]:
        """The numbers."""
        given = self._value
        return [float(v) for v in given] if isinstance(given, list | tuple) else []

    def refresh(self) -> None:
        """Keep a point chosen, and the span while one is held."""
        points = self.points
        self.chosen = max(0, min(self.chosen, len(points) - 1))
        if self._held is None:
            self._span = (min(0.0, *points, 0.0), max(1.0, *points, 1.0)) if points else (0.0, 1.0)
        if points:
            said = tr("Point {at} of {all}: {value}", at=self.chosen + 1, all=len(points),
                      value=figure(points[self.chosen]))  # fmt: skip
            self.setAccessibleDescription(said)
        self.update()

    def area(self) -> QRectF:
        """Where points lie."""
        return QRectF(self.rect()).adjusted(12, 12, -12, -12)

    def place(self, index: int) -> QPointF:
        """Where a point lies."""
        area, points, (low, high) = self.area(), self.points, self._span
        x = area.left() + area.width() * (index / (len(points) - 1) if len(points) > 1 else 0.5)
        share = (points[index] - low) / (high - low)
        return QPointF(x, area.bottom() - share * area.height())

    def paint_words(self, painter: QPainter) -> None:
        """The curve, with a point for each number as long as they can be told apart."""
        points, colours = self.points, self.colours()
        painter.setPen(QPen(QColor(colours.line), 1))
        zero = self._y(0.0)
        painter.drawLine(QPointF(8, zero), QPointF(self.width() - 8, zero))
        if not points:
            painter.setPen(QColor(colours.weak))
            painter.setFont(self.font_of(Role.CAPTION))
            said = tr("No numbers yet. A double click puts one in.")
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, said)
            return
        path = QPainterPath(self.place(0))
        for index in range(1, len(points)):
            path.lineTo(self.place(index))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours.accent), 2))
        painter.drawPath(path)
        if len(points) * 8 <= self.width():
            for index in range(len(points)):
                mine = index == self.chosen
                painter.setBrush(QColor(colours.accent if mine else colours.well))
                painter.setPen(QPen(QColor(colours.accent), 1.5))
                painter.drawEllipse(self.place(index), 4 if mine else 3, 4 if mine else 3)
        painter.setFont(self.font_of(Role.CAPTION))
        painter.setPen(QColor(colours.text))
        box = QRectF(self.rect()).adjusted(8, 4, -8, -4)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
        painter.drawText(box, right, f"{self.chosen + 1}: {figure(points[self.chosen])}")

    def _y(self, value: float) -> float:
        low, high = self._span
        return self.area().bottom() - (value - low) / (high - low) * self.area().height()

    def _value_at(self, y: float) -> float:
        low, high = self._span
        area = self.area()
        share = (area.bottom() - min(max(y, area.top()), area.bottom())) / area.height()
        return round(low + share * (high - low), 3)

    def nearest(self, place: QPointF) -> int | None:
        """The point that a hand at a place means."""
        found = range(len(self.points))
        return min(found, key=lambda i: abs(self.place(i).x() - place.x()), default=None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the nearest point."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        found = self.nearest(event.position())
        if event.button() is Qt.MouseButton.LeftButton and found is not None:
            self.chosen = found
            self._held = (event.position().y(), self.points)
            self.refresh()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """It goes with the hand."""
        if self._held is not None and abs(event.position().y() - self._held[0]) > 2:
            self._put(self._value_at(event.position().y()), False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """That is it."""
        if self._held is not None:
            moved, self._held = self.points != self._held[1], None
            if moved:
                self.edited.emit(self._value, True)
            self.refresh()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Put a point in."""
        self._insert(self._value_at(event.position().y()))

    def wants(self, event: QKeyEvent) -> bool:
        """Arrows, Insert, Delete; Esc while a point is held."""
        if event.key() == Qt.Key.Key_Escape:
            return self._held is not None
        return event.key() in (
            Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Insert,
            Qt.Key.Key_Delete, Qt.Key.Key_Backspace,
        )  # fmt: skip

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """As the class says."""
        key, points = event.key(), self.points
        if not self.wants(event):
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_Escape and self._held is not None:
            self._value, self._held = self._held[1], None
            self.refresh()
            self.reverted.emit()
        elif key == Qt.Key.Key_Insert:
            self._insert(points[self.chosen] if points else 0.0)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.chosen += 1 if key == Qt.Key.Key_Right else -1
            self.refresh()
        elif points and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            del points[self.chosen]
            self.give(points)
        elif points:
            low, high = self._span
            step = (high - low) / 100 * (1 if key == Qt.Key.Key_Up else -1)
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                step *= 10
            self._put(round(points[self.chosen] + step, 4), True)

    def _put(self, value: float, final: bool) -> None:
        points = self.points
        points[self.chosen] = value
        self.give(points, final)

    def _insert(self, value: float) -> None:
        points = self.points
        at = self.chosen + 1 if points else 0
        points.insert(at, value)
        self.chosen = at
        self.give(points)


def listed(values: Any) -> str:
    """Numbers with commas between them."""
    if not isinstance(values, list | tuple):
        return str(values)
    return ", ".join(
        written(float(v)) if isinstance(v, int | float) else str(v) for v in values
    )  # fmt: skip


def numbers(text: str) -> list[float | int]:
    """The numbers of a text, with commas, semicolons or blanks between them; each may be a formula.

    Raises:
        ValueError: one is no number; the message is a sentence.
    """
    parts: Sequence[str] = [part.strip() for part in text.replace(";", ",").split(",")]
    if len(parts) == 1:
        parts = text.split()
    try:
        return [_tidy(float(evaluate(part, {}))) for part in parts if part]
    except ExpressionError as error:
        raise ValueError(str(error)) from None


def _tidy(value: float) -> float | int:
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
