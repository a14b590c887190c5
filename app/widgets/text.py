"""Words: one line, or many with the count of their tokens."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import (
    QAccessible,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
    QTextCursor,
)
from PySide6.QtWidgets import QPlainTextEdit
from shiboken6 import isValid

from app.theme.fonts import Role
from app.widgets.editor import Well
from app.widgets.line import Line, clean
from app.widgets.weights import weighed
from app.words import tr

PAUSE = 300
"""Milliseconds without a key after which tokens are counted."""


class TextEditor(Well):
    """One line of text, in the field itself."""

    spoken_role = QAccessible.Role.EditableText

    def build(self) -> None:
        """The line is always there: a click sets its cursor."""
        super().build()
        self.line = Line(self.font_of(self.text_role()), self)
        self.line.setAccessibleName(self.accessibleName())
        self.line.textEdited.connect(self.look)
        self.line.kept.connect(self._keep)
        self.line.dropped.connect(self._drop)
        self.line.entered.connect(self._enter)
        self.setFocusProxy(self.line)

    def paint_words(self, painter: QPainter) -> None:
        """The line shows them."""

    def refresh(self) -> None:
        """Show the value, unless it is what stands there."""
        text = "" if self.mixed or self._value is None else str(self._value)
        self.line.setPlaceholderText(tr("Several values") if self.mixed else self.hint())
        if self.line.text() != text and not (self.line.hasFocus() and self.line.isModified()):
            self.line.setText(text)
            self.line.setCursorPosition(0)
        self.update()

    def hint(self) -> str:
        """Weak words in an empty field."""
        return ""

    def look(self, text: str) -> None:
        """While it is typed: tell what is wrong with it, or what it comes to."""

    def accepts(self, text: str) -> bool:
        """Whether it can be kept."""
        return True

    def begin(self, text: str = "") -> None:
        """Type, with all of it selected."""
        self.line.setFocus(Qt.FocusReason.OtherFocusReason)
        if text:
            self.line.setText(text)
            self.line.setModified(True)
        else:
            self.line.selectAll()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The line fills the field."""
        self.line.setGeometry(self.well().toRect().adjusted(0, 0, -max(0, self.right() - 8), 0))

    def say(self, words: str, wrong: bool = False) -> None:
        """Words under the field."""
        self.wrong = wrong
        self.noted.emit(words, wrong)
        self.update()

    def _enter(self) -> None:
        self.ringed = True
        self.look(self.line.text())
        self.update()

    def _keep(self) -> None:
        text = clean(self.line.text())
        self.ringed = self.line.hasFocus()
        if self.line.isModified():
            if not self.accepts(text):
                if not self.line.hasFocus():
                    self._drop()
                return
            self.line.setModified(False)
            if text != self._value or self.mixed:
                self.give(text)
        self.say("")
        self.ended.emit(True)

    def _drop(self) -> None:
        self.line.setModified(False)
        self.refresh()
        self.say("")
        self.line.selectAll()
        self.ended.emit(False)


class _Words(QPlainTextEdit):
    """The box of a text of many lines."""

    def __init__(self, parent: WordsEditor) -> None:
        super().__init__(parent)
        self._editor = parent
        self.setTabChangesFocus(True)
        self.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self.document().setDocumentMargin(4)
        self.setStyleSheet(
            "QPlainTextEdit, QPlainTextEdit:hover, QPlainTextEdit:focus "
            "{ background: transparent; border: 0; padding: 0 2px; }"
        )
        self.viewport().setAutoFillBackground(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl + Up and Down weigh the words that are selected; Esc ends it."""
        control = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        if event.key() == Qt.Key.Key_Escape:
            self._editor.drop()
        elif control and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.weigh(0.1 if event.key() == Qt.Key.Key_Up else -0.1)
        else:
            super().keyPressEvent(event)

    def weigh(self, by: float) -> None:
        """Let the selected words, or the word at the cursor, count more or less."""
        cursor = self.textCursor()
        text = self.toPlainText()
        # Qt counts in halves of UTF-16; Python in characters.
        begin, end = (
            _characters(text, at) for at in (cursor.selectionStart(), cursor.selectionEnd())
        )
        said, begin, end = weighed(text, begin, end, by)
        if said == text:
            return
        cursor.beginEditBlock()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(said)
        cursor.endEditBlock()
        cursor.setPosition(_halves(said, begin))
        cursor.setPosition(_halves(said, end), QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)


class WordsEditor(Well):
    """Text of many lines; it grows with them. Every key is told, and is final when it is left."""

    spoken_role = QAccessible.Role.EditableText

    LEAST, MOST = 3, 12
    """Lines that are seen."""

    def build(self) -> None:
        """The box, and the clock of the counting."""
        super().build()
        self.box = _Words(self)
        self.box.setAccessibleName(self.accessibleName())
        self.box.setFont(self.font_of(Role.BODY))
        self.box.textChanged.connect(self._typed)
        self.box.installEventFilter(self)
        self.setFocusProxy(self.box)
        self._filling = False
        self._pending = False
        self._count = QTimer(self, singleShot=True, interval=PAUSE)
        self._count.timeout.connect(self.count)

    def paint_words(self, painter: QPainter) -> None:
        """The box shows them."""

    def refresh(self) -> None:
        """Show the value, unless it is what stands there."""
        text = "" if self.mixed or self._value is None else str(self._value)
        self.box.setPlaceholderText(tr("Several values") if self.mixed else "")
        if self.box.toPlainText() != text:
            self._filling = True
            self.box.setPlainText(text)
            self._filling = False
            self.updateGeometry()
        self._count.start()
        self.update()

    def begin(self, text: str = "") -> None:
        """Type at the end of it."""
        self.box.setFocus(Qt.FocusReason.OtherFocusReason)
        self.box.moveCursor(QTextCursor.MoveOperation.End)

    def drop(self) -> None:
        """Take back what was typed since the box was entered."""
        if self._pending:
            self._pending = False
            self.reverted.emit()
        self.ended.emit(False)

    def count(self) -> None:
        """Tell how many tokens it has."""
        self._count.stop()
        if not self.context.compact:
            text = self.box.toPlainText()
            self.context.tokens(text, partial(self._counted, text))

    def _counted(self, text: str, words: str) -> None:
        # The answer may come when another text stands there, or when the editor is gone.
        if isValid(self) and text == self.box.toPlainText():
            self.noted.emit(words, False)

    def sizeHint(self) -> QSize:
        """As many lines as there are."""
        height = QFontMetricsF(self.box.font()).lineSpacing()
        lines = min(self.MOST, max(self.LEAST, self._lines()))
        return QSize(200, round(lines * height) + 10)

    def minimumSizeHint(self) -> QSize:
        """A line at least; in a panel all that it asks for."""
        return QSize(80, 24) if self.context.compact else self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The box fills the well; narrower, it has more lines."""
        self.box.setGeometry(QRectF(self.rect()).toRect().adjusted(1, 1, -1, -1))
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The ring while it is typed in; what was typed is final when it is left."""
        if event.type() is QEvent.Type.FocusIn:
            self.ringed = True
            self.update()
        elif event.type() is QEvent.Type.FocusOut:
            self.ringed = False
            if self._pending:
                self._pending = False
                self.edited.emit(self._value, True)
            self.update()
            menu = Qt.FocusReason.PopupFocusReason
            if isinstance(event, QFocusEvent) and event.reason() != menu:
                self.ended.emit(True)
        return super().eventFilter(watched, event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A press at the edge is one in the box."""
        self.begin()

    def _typed(self) -> None:
        if self._filling:
            return
        self.updateGeometry()
        self._count.start()
        text = clean(self.box.toPlainText())
        if text != self._value or self.mixed:
            self._value, self.mixed, self._pending = text, False, True
            self.edited.emit(text, False)

    def _lines(self) -> int:
        """Lines as they are wrapped, counted no further than are seen."""
        block, found = self.box.document().begin(), 0
        width = max(40.0, self.width() - 20.0)
        metrics = QFontMetricsF(self.box.font())
        while block.isValid() and found < self.MOST:
            wide = metrics.horizontalAdvance(block.text()[:4000])
            found += max(1, -(-int(wide) // int(width)))
            block = block.next()
        return found


def _characters(text: str, halves: int) -> int:
    data = text.encode("utf-16-le", "surrogatepass")[: halves * 2]
    return len(data.decode("utf-16-le", "replace"))


def _halves(text: str, characters: int) -> int:
    return len(text[:characters].encode("utf-16-le", "surrogatepass")) // 2
