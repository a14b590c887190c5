"""What stands where there is nothing: an icon, a line, a sentence, at most one button."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from app.theme.fonts import Role, write_in
from app.theme.theme import Theme


class Empty(QWidget):
    """An empty state. ``pressed`` tells that its button was."""

    pressed = Signal()

    def __init__(
        self, theme: Theme, icon: str, line: str, sentence: str = "", button: str = "",
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._theme, self._icon = theme, icon
        self._glyph = QLabel()
        self._line = QLabel(line)
        write_in(self._line, Role.EMPTY)
        self._line.setProperty("role", "strong")
        self._sentence = QLabel(sentence)
        self._sentence.setProperty("role", "weak")
        self._button = QPushButton(button)
        self._button.clicked.connect(self.pressed)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addStretch(1)
        for part in (self._glyph, self._line, self._sentence):
            part.setAlignment(Qt.AlignmentFlag.AlignCenter)
            part.setWordWrap(part is not self._glyph)
            column.addWidget(part)
        column.addSpacing(4)
        column.addWidget(self._button, 0, Qt.AlignmentFlag.AlignCenter)
        column.addStretch(1)
        self.say(line, sentence, button)
        theme.changed.connect(self._dress)
        self._dress()

    def say(self, line: str, sentence: str = "", button: str = "") -> None:
        """Change the words."""
        self._line.setText(line)
        self._sentence.setText(sentence)
        self._sentence.setVisible(bool(sentence))
        self._button.setText(button)
        self._button.setVisible(bool(button))
        self.setAccessibleName(f"{line} {sentence}".strip())

    def _dress(self) -> None:
        self._glyph.setPixmap(self._theme.pixmap(self._icon, 20, "weak", self.devicePixelRatioF()))
