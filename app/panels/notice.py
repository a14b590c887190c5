"""A line at the top of a panel that says how things are, with at most one button."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from app.theme.theme import Theme


class Notice(QFrame):
    """An icon, a sentence and a button, on the ground of its kind: ``warn`` or ``danger``, or on
    the panel's own for anything else."""

    pressed = Signal()

    def __init__(
        self, theme: Theme, icon: str, sentence: str, button: str = "", kind: str = "",
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._theme, self._icon, self._kind = theme, icon, kind
        self.setObjectName("notice")
        self._glyph = QLabel()
        self._sentence = QLabel(sentence)
        self._sentence.setWordWrap(True)
        self._sentence.setTextFormat(Qt.TextFormat.PlainText)
        self._sentence.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._button = QPushButton(button)
        self._button.clicked.connect(self.pressed)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 12, 4)
        row.setSpacing(8)
        row.addWidget(self._glyph)
        row.addWidget(self._sentence, 1)
        row.addWidget(self._button)
        self._button.setVisible(bool(button))
        theme.changed.connect(self._dress)
        self._dress()

    def say(self, sentence: str, button: str = "", kind: str | None = None) -> None:
        """Change the words, and the kind where one is given."""
        self._sentence.setText(sentence)
        self._button.setText(button)
        self._button.setVisible(bool(button))
        if kind is not None and kind != self._kind:
            self._kind = kind
            self._dress()

    @property
    def sentence(self) -> str:
        """What it says."""
        return self._sentence.text()

    @property
    def button(self) -> QPushButton:
        """Its button, hidden where it has no words."""
        return self._button

    def _dress(self) -> None:
        colours = self._theme.colours
        grounds = {"warn": colours.warnfill, "danger": colours.dangerfill}
        tokens = {"warn": "warning", "danger": "danger"}
        ground = grounds.get(self._kind, "transparent")
        self.setStyleSheet(f"#notice {{ background: {ground}; border-radius: 6px; }}")
        token = tokens.get(self._kind, "weak")
        self._glyph.setPixmap(self._theme.pixmap(self._icon, 16, token, self.devicePixelRatioF()))
