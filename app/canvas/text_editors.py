"""Editors of words that lie on the canvas: a title in one line, and the Markdown of a note."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget


class Line(QLineEdit):
    """One line that is kept by Enter and by leaving it, and taken back by Escape."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self._before = text
        self.kept = _Said()
        self.editingFinished.connect(self._finish)

    def _finish(self) -> None:
        if self.text() != self._before:
            self._before = self.text()
            self.kept.emit(self.text())

    def keyPressEvent(self, event: Any) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setText(self._before)
            self.clearFocus()
            return
        super().keyPressEvent(event)
        event.accept()  # what it does not use, such as Enter and Up, is not for the canvas below


class _Said:
    """Who listens to a line; a plain list, as the line is short-lived."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[str], None]] = []

    def connect(self, listener: Callable[[str], None]) -> None:
        self._listeners.append(listener)

    def emit(self, text: str) -> None:
        for listener in self._listeners:
            listener(text)


class Page(QPlainTextEdit):
    """Markdown that is kept when it is left, and taken back by Escape."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self._before = text
        self.done: Callable[[], None] = lambda: None
        self.left: Callable[[], None] = lambda: None

    def finish(self) -> None:
        """Keep what was typed, if it is another text."""
        if self.toPlainText() != self._before:
            self._before = self.toPlainText()
            self.done()

    def focusOutEvent(self, event: Any) -> None:
        super().focusOutEvent(event)
        self.finish()

    def keyPressEvent(self, event: Any) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setPlainText(self._before)
            self.left()
            return
        super().keyPressEvent(event)
        event.accept()
