"""Numbers: dragged, stepped by keys and wheel, typed as a formula."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import (
    QAccessible,
    QAccessibleValueChangeEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
    QWheelEvent,
)

from app.labels import value_words
from app.theme.fonts import Role
from app.widgets.editor import Well
from app.widgets.figures import (
    COARSE,
    FINE,
    bounded,
    dragged,
    share,
    stepped,
    typed,
    written,
)
from app.widgets.line import Line
from app.words import tr

REST = 400
"""Milliseconds after which steps by keys or the wheel are one edit."""

_AWAY = 3
"""Pixels from which a press is a drag."""

_STEPS = {
    Qt.Key.Key_Up: 1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_Left: -1,
    Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10,
}  # fmt: skip
_BEGIN = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2)
_ENDS = (Qt.Key.Key_Home, Qt.Key.Key_End)


class NumberEditor(Well):
    """A number or whole number. A drag moves it, Shift finely and Ctrl coarsely; a click types."""

    spoken_role = QAccessible.Role.SpinBox

    def build(self) -> None:
        """The line is made when something is typed."""
        super().build()
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self._pressed: QPointF | None = None
        self._from: float | int = 0
        self._dragging = False
        self._stepped = False
        self._line: Line | None = None
        self._rest = QTimer(self, singleShot=True, interval=REST)
        self._rest.timeout.connect(self._settle)

    @property
    def number(self) -> float | int:
        """The value, or the nearest to it that can be dragged."""
        value = self._value
        if isinstance(value, bool) or not isinstance(value, int | float):
            value = self.param.default if isinstance(self.param.default, int | float) else 0
        return value

    @property
    def line(self) -> Line | None:
        """Where something is typed, while it is."""
        return self._line

    def words(self) -> str:
        """The number, as short as it can be read."""
        return value_words(self._value, self.param.kind)

    def text_role(self) -> Role:
        """Figures are a little stronger."""
        return Role.VALUE

    def filled(self) -> float | None:
        """A slider is filled up to its value."""
        return None if self.mixed else share(self.param, self.number)

    def refresh(self) -> None:
        """Paint anew, and tell a screen reader."""
        said = tr("Several values") if self.mixed else self.words()
        self.setAccessibleDescription(said)
        if self.hasFocus():
            QAccessible.updateAccessibility(QAccessibleValueChangeEvent(self, said))
        self.update()

    def paint_words(self, painter: QPainter) -> None:
        """Nothing below what is typed."""
        if self._line is None:
            super().paint_words(painter)

    # By mouse.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A drag or a click begins."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._settle()
            self._pressed, self._from, self._dragging = event.position(), self.number, False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The number goes with the hand."""
        if self._pressed is None:
            return
        pixels = event.position().x() - self._pressed.x()
        if not self._dragging and abs(pixels) < _AWAY:
            return
        self._dragging = True
        scale = _scale(event.modifiers())
        moved = dragged(self.param, self._from, pixels, self.width(), scale)
        if moved != self._value or self.mixed:
            self.give(moved, False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A drag is final; a click types."""
        if self._pressed is None or event.button() is not Qt.MouseButton.LeftButton:
            return
        dragging, self._pressed, self._dragging = self._dragging, None, False
        if dragging:
            self.edited.emit(self._value, True)
        elif self.rect().contains(event.position().toPoint()):
            self.begin()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The wheel scrolls the page, unless the number has the focus."""
        turns = (event.angleDelta().y() or event.angleDelta().x()) / 120
        if not self.hasFocus() or self._line is not None or not turns:
            event.ignore()
            return
        self._step(turns if abs(turns) >= 1 else (1 if turns > 0 else -1), event.modifiers())
        event.accept()

    # By keyboard.

    def wants(self, event: QKeyEvent) -> bool:
        """Arrows, limits, figures, Enter, and Esc while something can be taken back."""
        key = event.key()
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            return False
        if key == Qt.Key.Key_Escape:
            return self._dragging
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key in _STEPS:
            return True
        return not control and (key in _BEGIN or key in _ENDS or _starts(event.text()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step, go to a limit, or begin to type."""
        key = Qt.Key(event.key())
        if not self.wants(event):
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_Escape:
            self._pressed, self._dragging = None, False
            self._value = self._from
            self.refresh()
            self.reverted.emit()
        elif key in _STEPS:
            self._step(_STEPS[key], event.modifiers())
        elif key in _BEGIN:
            self.begin()
        elif key in _ENDS:
            limit = self.param.minimum if key == Qt.Key.Key_Home else self.param.maximum
            if limit is not None:
                self.give(bounded(self.param, limit))
        else:
            self.begin(event.text())

    def _step(self, steps: float, modifiers: Qt.KeyboardModifier) -> None:
        self._stepped = True
        self.give(stepped(self.param, self.number, steps, _scale(modifiers)), False)
        self._rest.start()

    def _settle(self) -> None:
        self._rest.stop()
        if self._stepped:
            self._stepped = False
            self.edited.emit(self._value, True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Steps are final when the focus goes."""
        self._settle()
        super().focusOutEvent(event)

    # By typing.

    def begin(self, text: str = "") -> None:
        """Type the number, with all of it selected, or beginning with ``text``."""
        if self._line is not None:
            return
        self._settle()
        line = Line(self.font_of(Role.VALUE), self)
        line.setAccessibleName(self.accessibleName())
        line.setAlignment(Qt.AlignmentFlag.AlignRight)
        line.setText(text or ("" if self.mixed else written(self.number)))
        line.setGeometry(self.rect())
        line.textEdited.connect(self._look)
        line.kept.connect(self._keep)
        line.dropped.connect(self._drop)
        self._line = line
        self.setFocusProxy(line)
        line.show()
        line.setFocus(Qt.FocusReason.OtherFocusReason)
        if text:
            line.end(False)
        else:
            line.selectAll()
        self.ringed = True
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The line fills the field."""
        if self._line is not None:
            self._line.setGeometry(self.rect())

    def _look(self, text: str) -> None:
        try:
            found = typed(self.param, text, self.number)
        except ValueError as error:
            self._say(str(error), True)
        else:
            self._say("" if text.strip() == written(found) else f"= {written(found)}", False)

    def _say(self, words: str, wrong: bool) -> None:
        self.wrong = wrong
        self.noted.emit(words, wrong)
        self.update()

    def _keep(self) -> None:
        if self._line is None:
            return
        text = self._line.text()
        try:
            found = typed(self.param, text, self.number)
        except ValueError as error:
            if self._line.hasFocus():
                self._say(str(error), True)
                self._line.selectAll()
            else:
                self._drop()
            return
        changed = self.mixed or found != self._value or type(found) is not type(self._value)
        self._close(True)
        if changed:
            self.give(found)

    def _drop(self) -> None:
        self._close(False)

    def _close(self, kept: bool) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        had = line.hasFocus()
        self.setFocusProxy(None)  # type: ignore[arg-type]  # None takes the proxy away
        line.hide()
        line.deleteLater()
        if had:
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.ringed = False
        self._say("", False)
        self.ended.emit(kept)


def _scale(modifiers: Qt.KeyboardModifier) -> float:
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return FINE
    return COARSE if modifiers & Qt.KeyboardModifier.ControlModifier else 1.0


def _starts(text: str) -> bool:
    return bool(text) and text in "0123456789.-+("
