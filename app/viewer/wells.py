"""Fields of the viewer's bar: what is looked at, the zoom, the exposure."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QSizePolicy, QWidget

from app.theme.fonts import Role, font
from app.theme.outlines import paint_socket
from app.theme.theme import Theme
from app.theme.types import look_of
from app.words import tr

HEIGHT = 24
MOST_STOPS = 10.0


class Well(QAbstractButton):
    """A sunk field with words: before them the outline of a type, behind them an arrow."""

    def __init__(self, theme: Theme, arrow: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._arrow = theme, arrow
        self._type = ""
        self._hovered = self._by_keyboard = False
        self.setFixedHeight(HEIGHT)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.changed.connect(self.update)

    def say(self, words: str, type_name: str = "") -> None:
        """Change the words, and the type whose outline stands before them."""
        if (words, type_name) != (self.text(), self._type):
            self._type = type_name
            self.setText(words)
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """As wide as its words."""
        words = QFontMetrics(font(Role.BODY)).horizontalAdvance(self.text())
        return QSize(words + self._before() + (26 if self._arrow else 12), HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Words may be cut, but not the outline and the first of them."""
        return QSize(self._before() + 48, HEIGHT)

    def _before(self) -> int:
        return 26 if self._type else 10

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        colours = self._theme.colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = self.hasFocus() and self._by_keyboard
        line = colours.focus if focused else colours.linestrong if self._hovered else colours.line
        width = 2 if focused else 1
        painter.setPen(QPen(QColor(line), width))
        painter.setBrush(QColor(colours.well))
        inset = width / 2
        box = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(box, 6, 6)
        if self._type:
            paint_socket(painter, QPointF(13, HEIGHT / 2), look_of(self._type), colours,
                         ground=colours.well, joined=True, scale=0.8)  # fmt: skip
        painter.setFont(font(Role.BODY))
        painter.setPen(QColor(colours.strong))
        room = QRect(
            self._before(), 0, self.width() - self._before() - (24 if self._arrow else 8), HEIGHT
        )
        words = painter.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, room.width()
        )
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), words)
        if self._arrow:
            arrow = self._theme.pixmap("chevron-down", 12, "weak", self.devicePixelRatioF())
            painter.drawPixmap(self.width() - 18, 6, arrow)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show that it can be pressed."""
        self._hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """As it was."""
        self._hovered = False
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring is for the keyboard only."""
        self._by_keyboard = event.reason() != Qt.FocusReason.MouseFocusReason
        super().focusInEvent(event)


class Stops(QLineEdit):
    """Exposure in stops: dragged, typed, by arrow keys, wheeled while it has the focus; a double
    click is 0."""

    value_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._from: tuple[float, float] | None = None
        self._stops = 0.0
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setAccessibleName(tr("Exposure in stops"))
        self.setToolTip(tr("Exposure in stops: drag, or double click for 0"))
        self.setStyleSheet(
            "QLineEdit { background: transparent; padding: 0 2px; min-height: 20px; }"
            "QLineEdit:!focus { border: 1px solid transparent; }"
        )
        self.editingFinished.connect(self._typed)
        self.show_stops(0.0)

    def sizeHint(self) -> QSize:
        """Room for the widest figure."""
        widest = QFontMetrics(self.font()).horizontalAdvance(f"EV -{MOST_STOPS:.1f}")
        return QSize(widest + 12, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """It is never cut."""
        return self.sizeHint()

    @property
    def stops(self) -> float:
        """What it shows."""
        return self._stops

    def show_stops(self, stops: float) -> None:
        """Show another exposure and tell nobody."""
        self._stops = min(max(round(stops, 1), -MOST_STOPS), MOST_STOPS) + 0.0
        self.setText(f"EV {self._stops:.1f}")

    def set_stops(self, stops: float) -> None:
        """Choose an exposure; it is told where it is another."""
        before = self._stops
        self.show_stops(stops)
        if self._stops != before:
            self.value_changed.emit(self._stops)

    def _typed(self) -> None:
        written = self.text().upper().replace("EV", "").replace(",", ".").strip()
        try:
            stops = float(written)
        except ValueError:
            stops = self._stops
        self.set_stops(stops if math.isfinite(stops) else self._stops)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Only where it was asked for."""
        if self.hasFocus():
            self.set_stops(self._stops + event.angleDelta().y() / 1200)
            event.accept()
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down by a tenth, page up and down by one stop; Escape takes words back."""
        steps = {
            Qt.Key.Key_Up: 0.1, Qt.Key.Key_Down: -0.1, Qt.Key.Key_PageUp: 1.0,
            Qt.Key.Key_PageDown: -1.0, Qt.Key.Key_Escape: 0.0,
        }  # fmt: skip
        if event.key() in steps:
            self.set_stops(self._stops + steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag."""
        self._from = (event.globalPosition().x(), self._stops)
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Twenty pixels are one stop; with Shift a hundred."""
        if self._from is not None:
            fine = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            moved = event.globalPosition().x() - self._from[0]
            self.set_stops(self._from[1] + moved / (100 if fine else 20))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End it."""
        self._from = None
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """As it is."""
        self.set_stops(0.0)
