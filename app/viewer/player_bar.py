"""What a video or a sound is played with: its line of time, and buttons below it."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.viewer.time_line import TimeLine
from app.words import tr


class PlayerBar(QWidget):
    """Says what was chosen on it; the player does it."""

    played = Signal()
    stepped = Signal(int)
    jumped = Signal(int)
    """To the first place (0) or the last (-1)."""
    looped = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icons: list[tuple[QToolButton, str]] = []
        self._playing = False
        self.setAccessibleName(tr("Player"))
        self.line = TimeLine(theme, parent=self)
        self.first = self._button("skip-back", tr("To the beginning (Home)"))
        self.back = self._button("chevron-left", tr("One step back (,)"))
        self.play = self._button("play", tr("Play (Space)"))
        self.on = self._button("chevron-right", tr("One step on (.)"))
        self.last = self._button("skip-forward", tr("To the end (End)"))
        self.loop = self._button("repeat", tr("Begin anew at the end (L)"))
        self.loop.setCheckable(True)
        self.place, self.about = _Words(theme, "text", self), _Words(theme, "weak", self)
        self._lay_out()
        self.play.clicked.connect(self.played)
        self.back.clicked.connect(lambda: self.stepped.emit(-1))
        self.on.clicked.connect(lambda: self.stepped.emit(1))
        self.first.clicked.connect(lambda: self.jumped.emit(0))
        self.last.clicked.connect(lambda: self.jumped.emit(-1))
        self.loop.toggled.connect(self.looped)
        theme.changed.connect(self._dress)
        self._dress()

    def set_playing(self, on: bool) -> None:
        """Whether it moves on by itself."""
        if on != self._playing:
            self._playing = on
            words = tr("Pause (Space)") if on else tr("Play (Space)")
            self.play.setToolTip(words)
            self.play.setAccessibleName(words)
            self._dress()

    def set_loop(self, on: bool) -> None:
        """Whether it begins anew at its end, without saying it again."""
        self.loop.blockSignals(True)
        self.loop.setChecked(on)
        self.loop.blockSignals(False)

    def say(self, place: str, about: str, tip: str = "") -> None:
        """Where one is, and what is known of the whole, with more of it as a ``tip``."""
        self.place.setText(place)
        if about != self.about.text():
            self.about.setText(about)
            self.about.setToolTip(tip)
            self.about.setAccessibleDescription(tip)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line parts it from what is above."""
        colours = self._theme.colours
        painter = QPainter(self)
        painter.fillRect(QRectF(self.rect()), QColor(colours.panel))
        painter.setPen(QPen(QColor(colours.line), 0))
        painter.drawLine(0, 0, self.width(), 0)

    def _button(self, icon: str, words: str) -> QToolButton:
        button = QToolButton(self)
        button.setFixedSize(28, 28)
        button.setToolTip(words)
        button.setAccessibleName(words)
        self._icons.append((button, icon))
        return button

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(8, 2, 12, 4)
        row.setSpacing(2)
        for button, _ in self._icons:
            row.addWidget(button)
        row.addSpacing(8)
        self.about.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.place)
        row.addSpacing(8)
        row.addWidget(self.about, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 1, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.line)
        column.addLayout(row)

    def _dress(self) -> None:
        for button, icon in self._icons:
            name = "pause" if button is self.play and self._playing else icon
            button.setIcon(self._theme.qicon(name, 16))


class _Words(QLabel):
    """Words that are cut with dots where there is little room."""

    def __init__(self, theme: Theme, token: Literal["text", "weak"], parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._token = theme, token
        write_in(self, Role.CAPTION)

    def minimumSizeHint(self) -> QSize:
        """Some letters."""
        return QSize(24, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw them."""
        painter = QPainter(self)
        painter.setFont(self.font())
        painter.setPen(QColor(self._theme.colours.tokens[self._token]))
        words = painter.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, self.width()
        )
        painter.drawText(self.rect(), int(self.alignment()), words)
