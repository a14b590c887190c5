"""Yes or no: a switch with its word beside it, so that it is not told by colour alone."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QAccessible, QColor, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPen

from app.labels import value_words
from app.theme.fonts import Role
from app.widgets.editor import PAD, Well
from app.words import tr

_WIDTH, _TALL = 28.0, 16.0


class SwitchEditor(Well):
    """A boolean. A click, Space or Enter turns it; Left is no, Right is yes."""

    spoken_role = QAccessible.Role.CheckBox

    def build(self) -> None:
        """It is pressed like a button."""
        super().build()
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def words(self) -> str:
        """Yes or no."""
        return value_words(self._value, "boolean")

    def refresh(self) -> None:
        """Paint anew, and tell a screen reader."""
        self.setAccessibleDescription(self.spoken_value())
        self.update()

    def spoken_checked(self) -> bool:
        """Whether it is on."""
        return bool(self._value) and not self.mixed

    def begin(self, text: str = "") -> None:
        """There is nothing to type: it turns."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.give(not self._value)
        self.ended.emit(True)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """It turns when the button is let go."""
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Turn it."""
        inside = self.rect().contains(event.position().toPoint())
        if event.button() is Qt.MouseButton.LeftButton and inside:
            self.begin()

    def wants(self, event: QKeyEvent) -> bool:
        """Space, Enter and the arrows that lead somewhere."""
        keys = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        plain = not event.modifiers() & Qt.KeyboardModifier.ControlModifier
        return plain and event.key() in (*keys, Qt.Key.Key_Left, Qt.Key.Key_Right)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Turn it, or say which it is to be."""
        if not self.wants(event):
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            wanted = event.key() == Qt.Key.Key_Right
            if wanted is not self._value or self.mixed:
                self.give(wanted)
        else:
            self.begin()

    def paint_words(self, painter: QPainter) -> None:
        """The switch at the left, its word right of it."""
        colours, on = self.colours(), bool(self._value) and not self.mixed
        tall = min(_TALL, self.height() - 6.0)
        track = QRectF(PAD - 2, (self.height() - tall) / 2, _WIDTH * tall / _TALL, tall)
        painter.setPen(QPen(QColor(colours.fill if on else colours.control), 1))
        painter.setBrush(QColor(colours.fill if on else colours.well))
        painter.drawRoundedRect(track.adjusted(0.5, 0.5, -0.5, -0.5), tall / 2, tall / 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.onfill if on else colours.control))
        middle = track.center().x() if self.mixed else (
            track.right() - tall / 2 if on else track.left() + tall / 2
        )  # fmt: skip
        painter.drawEllipse(QPointF(middle, track.center().y()), tall / 2 - 3, tall / 2 - 3)
        font = self.font_of(Role.BODY)
        painter.setFont(font)
        painter.setPen(QColor(colours.weak if self.mixed else colours.strong))
        said = tr("Several values") if self.mixed else self.words()
        box = QRectF(self.rect()).adjusted(track.right() + 8, 0, -PAD, 0)
        said = QFontMetrics(font).elidedText(said, Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, said)
