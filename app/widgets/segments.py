"""A few words of which one is chosen, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
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


class Segments(QWidget):
    """Segments; ``pressed`` tells which. Some are choices, some only do something."""

    pressed = Signal(int)

    def __init__(
        self, theme: Theme, words: Sequence[str], scale: float = 1.0, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme, self.words, self._scale = theme, tuple(words), scale
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
        metrics = QFontMetrics(font(Role.CAPTION, self._scale))
        widest = max(metrics.horizontalAdvance(word) for word in self.words)
        return QSize((widest + 20) * len(self.words) + 4, 24)

    def minimumSizeHint(self) -> QSize:
        """As ``sizeHint``."""
        return self.sizeHint()

    def box(self, index: int) -> QRectF:
        """Where a segment is."""
        width = (self.width() - 4) / len(self.words)
        return QRectF(2 + index * width, 2, width, self.height() - 4)

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
            painter.setFont(font(Role.CAPTION, self._scale))
            painter.setPen(QColor(colours.strong if on or over else colours.weak))
            painter.drawText(self.box(index), Qt.AlignmentFlag.AlignCenter, word)
        if self._at is not None:
            painter.setPen(QPen(QColor(colours.focus), 2))
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
