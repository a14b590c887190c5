"""A few words of which one is chosen, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from app.theme.fonts import Role, font
from app.theme.theme import Theme

_TIGHT = 10
"""Logical pixels between two words where there is little room."""


class Segments(QWidget):
    """Segments; ``pressed`` tells which. Some are choices, some only do something."""

    spoken_role = QAccessible.Role.Grouping

    pressed = Signal(int)

    def __init__(self, theme: Theme, words: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self.words = theme, tuple(words)
        self.chosen = 0
        self._at: int | None = None
        self._hover: int | None = None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        theme.changed.connect(self.update)

    def choose(self, chosen: int) -> None:
        """Show which is chosen; -1 for none."""
        self.chosen = chosen
        self.setAccessibleDescription(self.words[chosen] if chosen >= 0 else "")
        self.update()

    def sizeHint(self) -> QSize:
        """Room for every word."""
        metrics = QFontMetrics(font(Role.CAPTION))
        widest = max(metrics.horizontalAdvance(word) for word in self.words)
        return QSize((widest + 20) * len(self.words) + 4, self._theme.measures.field)

    def minimumSizeHint(self) -> QSize:
        """As ``sizeHint``."""
        return self.sizeHint()

    def box(self, index: int) -> QRectF:
        """Where a segment is: all alike where there is room, else each as wide as its word asks."""
        room, count = self.width() - 4, len(self.words)
        if self.width() >= self.sizeHint().width():
            return QRectF(2 + index * room / count, 2, room / count, self.height() - 4)
        metrics = QFontMetrics(font(Role.CAPTION))
        wide = [metrics.horizontalAdvance(word) + _TIGHT for word in self.words]
        share = room / sum(wide)
        return QRectF(2 + sum(wide[:index]) * share, 2, wide[index] * share, self.height() - 4)

    def least_width(self) -> int:
        """Below this the words run into each other."""
        metrics = QFontMetrics(font(Role.CAPTION))
        return sum(metrics.horizontalAdvance(word) + _TIGHT for word in self.words) + 4

    def paintEvent(self, event: QPaintEvent) -> None:
        """A well, and the chosen one raised in it."""
        colours = self._theme.colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colours.line), 1))
        painter.setBrush(QColor(colours.well))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        for index, word in enumerate(self.words):
            on, over = index == self.chosen, index == self._hover
            painter.setPen(Qt.PenStyle.NoPen)
            if on:
                painter.setBrush(QColor(colours.hover if colours.dark else colours.selection))
                painter.drawRoundedRect(self.box(index), 4, 4)
            painter.setFont(font(Role.CAPTION))
            painter.setPen(QColor(colours.strong if on or over else colours.weak))
            painter.drawText(self.box(index), Qt.AlignmentFlag.AlignCenter, word)
        if self._at is not None:
            painter.setPen(QPen(QColor(colours.focus), colours.ring))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.box(self._at), 4, 4)
        painter.end()

    def index_at(self, place: QPointF) -> int | None:
        """Which segment is at a place."""
        return next((i for i in range(len(self.words)) if self.box(i).contains(place)), None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The word under the pointer comes forward."""
        self._hover = self.index_at(event.position())
        self.update()

    def leaveEvent(self, event: object) -> None:
        """It goes back."""
        self._hover = None
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Press one."""
        found = self.index_at(event.position())
        if found is not None and event.button() is Qt.MouseButton.LeftButton:
            self.pressed.emit(found)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring is on the chosen one."""
        self._at = max(0, self.chosen)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The ring goes."""
        self._at = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the ring, Space and Enter press."""
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._at is not None:
            step = 1 if event.key() == Qt.Key.Key_Right else -1
            self._at = (self._at + step) % len(self.words)
            self.update()
        elif event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return) and self._at is not None:
            self.pressed.emit(self._at)
        else:
            super().keyPressEvent(event)
