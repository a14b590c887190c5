"""A line of text inside a field: Enter keeps it, Esc takes it back, leaving it keeps it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

_SHEET = (
    "QLineEdit, QLineEdit:hover, QLineEdit:focus { background: transparent; border: 0;"
    " padding: 0 5px; min-height: 0; }"
)


class Line(QLineEdit):
    """A frameless line edit over a painted well."""

    kept = Signal()
    """Enter was struck, or the focus went elsewhere."""
    dropped = Signal()
    """Esc was struck."""
    entered = Signal()
    """It has the focus now."""

    def __init__(self, font: QFont, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrame(False)
        self.setFont(font)
        self.setStyleSheet(_SHEET)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter and Esc are not for the window behind."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not (
            event.modifiers() & Qt.KeyboardModifier.ControlModifier
        ):
            self.kept.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.dropped.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The field around it shows the ring."""
        super().focusInEvent(event)
        self.entered.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """What was typed is kept, except where a menu of its own opens."""
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.kept.emit()


def clean(text: str) -> str:
    """Text as a document can hold it: no halves of characters, and no line ends of other kinds."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\r\n", "\n").replace("\r", "\n")
