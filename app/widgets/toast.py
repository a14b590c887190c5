"""Toasts: a sentence that comes up in a corner of the canvas, with at most one act."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QEnterEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.theme.theme import Theme
from app.words import tr

Kind = Literal["note", "success", "warning", "error"]
WIDTH, STAY, MARGIN = 320, 6000, 12
"""Logical pixels, milliseconds, logical pixels."""
_LOOKS = {
    "note": ("info", "accent"), "success": ("circle-check", "success"),
    "warning": ("triangle-alert", "warning"), "error": ("circle-alert", "danger"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Toast:
    """A sentence, how it stands, and what may be done at once."""

    sentence: str
    kind: Kind = "note"
    button: str = ""
    act: Callable[[], object] | None = None


class Toasts(QObject):
    """Shows toasts one at a time above the bottom right corner of a widget.

    Each stays six seconds, longer while the pointer or the keyboard is on it; errors stay until
    they are closed, but after that time what else is said is shown first, and they come back. One
    that is said again while it is shown or waits is not said twice.
    """

    shown = Signal(object)

    def __init__(self, theme: Theme, over: QWidget, lift: int = 0) -> None:
        """``lift`` is how far above the corner, in logical pixels: above the minimap."""
        super().__init__(over)
        self._theme, self._over, self._lift = theme, over, lift
        self._waiting: deque[Toast] = deque()
        self._view: _View | None = None
        self._was_read = False
        """Whether the error that is shown has been there long enough to be read."""
        self._timer = QTimer(self, singleShot=True, interval=STAY)
        self._timer.timeout.connect(self._time_is_over)
        over.installEventFilter(self)

    @property
    def current(self) -> Toast | None:
        """What is shown now."""
        return self._view.toast if self._view is not None else None

    @property
    def view(self) -> QWidget | None:
        """The widget that is shown now."""
        return self._view

    def say(
        self, sentence: str, kind: Kind = "note", button: str = "",
        act: Callable[[], object] | None = None,
    ) -> None:  # fmt: skip
        """Say something. A note or a success that is shown makes way for what comes."""
        toast = Toast(sentence, kind, button, act)
        known = (self.current, *self._waiting)
        if any(each is not None and each.sentence == sentence for each in known):
            return
        self._waiting.append(toast)
        if self._view is None:
            self._next()
        elif self._view.toast.kind in ("note", "success") and not self._view.held:
            self.dismiss()
        elif self._was_read and not self._view.held:
            self._show_first(toast)

    def dismiss(self) -> None:
        """Close what is shown; the next comes."""
        view, self._view = self._view, None
        self._timer.stop()
        if view is not None:
            view.hide()
            view.deleteLater()
        self._next()

    def set_lift(self, lift: int) -> None:
        """Change how far above the corner they stand."""
        self._lift = lift
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner."""
        if event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _next(self) -> None:
        if not self._waiting or self._view is not None:
            return
        toast = self._waiting.popleft()
        self._was_read = False
        self._view = view = _View(self._theme, toast, self._over)
        view.closed.connect(self.dismiss)
        view.held_changed.connect(self._hold)
        self._place()
        view.show()
        view.raise_()
        self._hold(False)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(view, toast.sentence))
        self.shown.emit(toast)

    def _time_is_over(self) -> None:
        """A note is gone; an error stays, behind what is no error and waits."""
        if self._view is None or self._view.toast.kind != "error":
            self.dismiss()
            return
        self._was_read = True
        passing = next((each for each in self._waiting if each.kind != "error"), None)
        if passing is not None:
            self._show_first(passing)

    def _show_first(self, toast: Toast) -> None:
        """Show what waits in place of the error that is shown, which comes back after it."""
        if self._view is not None:
            self._waiting.remove(toast)
            self._waiting.extendleft((self._view.toast, toast))
            self.dismiss()

    def _hold(self, held: bool) -> None:
        if held or self._view is None:
            self._timer.stop()
        else:
            self._timer.start()

    def _place(self) -> None:
        if self._view is None:
            return
        self._view.setFixedWidth(min(WIDTH, self._over.width() - 2 * MARGIN))
        self._view.setFixedHeight(self._view.heightForWidth(self._view.width()))
        corner = QPoint(self._over.width(), self._over.height() - self._lift)
        size = self._view.size()
        self._view.move(
            corner.x() - MARGIN - size.width(), max(0, corner.y() - MARGIN - size.height())
        )


class _View(QFrame):
    """One toast."""

    closed = Signal()
    held_changed = Signal(bool)

    def __init__(self, theme: Theme, toast: Toast, over: QWidget) -> None:
        super().__init__(over)
        self.toast = toast
        self._theme = theme
        self.setProperty("role", "overlay")
        self.setAccessibleName(toast.sentence)
        self._glyph = QLabel()
        words = QLabel(toast.sentence)
        words.setWordWrap(True)
        words.setTextFormat(Qt.TextFormat.PlainText)
        self._close = QPushButton(flat=True)
        self._close.setProperty("kind", "ghost")
        self._close.setAccessibleName(tr("Close"))
        self._close.setFixedSize(24, 24)
        self._close.setStyleSheet("padding: 0;")
        self._close.clicked.connect(self.closed)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._glyph, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(words, 1)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 8, 12)
        column.setSpacing(8)
        column.addLayout(row)
        self.button: QPushButton | None = None
        if toast.button:
            self.button = QPushButton(toast.button)
            self.button.clicked.connect(self._act)
            column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignRight)
        for child in self.findChildren(QPushButton):
            child.installEventFilter(self)
        theme.changed.connect(self._dress)
        self._dress()

    @property
    def held(self) -> bool:
        """Whether the pointer or the keyboard is on it."""
        return self.underMouse() or self.isAncestorOf(self._focused())

    def enterEvent(self, event: QEnterEvent) -> None:
        """Read at leisure."""
        self.held_changed.emit(True)
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """The time begins anew."""
        self.held_changed.emit(False)
        super().leaveEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The keyboard on a button holds it, too."""
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.held_changed.emit(event.type() == QEvent.Type.FocusIn)
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes."""
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def _focused(self) -> QWidget:
        return self.window().focusWidget() or self.window()

    def _act(self) -> None:
        act = self.toast.act
        self.closed.emit()
        if act is not None:
            act()

    def _dress(self) -> None:
        icon, token = _LOOKS[self.toast.kind]
        ratio = self.devicePixelRatioF()
        self._glyph.setPixmap(self._theme.pixmap(icon, 16, token, ratio))
        self._close.setIcon(self._theme.qicon("x", 16, "weak"))
