"""A row of the inspector: a name, the outline of a socket, the field, and words under it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QMimeData, QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QDrag,
    QEnterEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.carried import carry_parameter
from app.labels import label
from app.theme.fonts import Role, write_in
from app.theme.outlines import paint_socket
from app.theme.theme import Theme
from app.theme.types import look_of
from app.widgets.editor import ParamEditor, Well
from app.words import tr
from backend.graph.spec import Param

MARGIN, LABEL, OUTLINE, FIELD = 16, 112, 128, 146
"""Where the parts begin; the outline by its middle."""

_FAR = 6


class Outline(QWidget):
    """The hollow outline of the socket that a parameter can become. Drag it out to link it."""

    pressed = Signal()

    def __init__(self, theme: Theme, kind: str, name: str, dragged: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._kind, self._dragged = theme, kind, dragged
        self.joined = False
        self._at: QPointF | None = None
        self._hovered = False
        self.setFixedSize(24, 24)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName(tr("Link of {name}", name=name))
        self.setToolTip(tr("Drag this onto an output to link {name} to it.", name=name))

    def paintEvent(self, event: QPaintEvent) -> None:
        """The outline of its type; a little larger under the pointer."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_socket(
            painter, QPointF(12, 12), look_of(self._kind), self._theme.colours,
            ground=self._theme.colours.panel, joined=self.joined,
            scale=0.9 if self._hovered else 0.72,
        )  # fmt: skip
        painter.end()

    def enterEvent(self, event: QEnterEvent) -> None:
        """It comes forward."""
        self._hovered = True
        self.update()

    def leaveEvent(self, event: object) -> None:
        """It goes back."""
        self._hovered = False
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A drag may begin."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._at = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Carry it to the canvas."""
        if self._at is None or (event.position() - self._at).manhattanLength() < _FAR:
            return
        self._at = None
        drag = QDrag(self)
        drag.setMimeData(self.mime())
        drag.exec(Qt.DropAction.LinkAction)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click."""
        if self._at is not None:
            self._at = None
            self.pressed.emit()

    def mime(self) -> QMimeData:
        """What is carried."""
        path, _, name = self._dragged.partition("\n")
        return carry_parameter(path, name)


class LinkedField(Well):
    """Stands where a link feeds the parameter: from where, and what is known of the value."""

    spoken_role = QAccessible.Role.Link

    went = Signal()
    unlinked = Signal()

    def build(self) -> None:
        """It is pressed like a button."""
        super().build()
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(tr("Click to go to where the link begins. Delete takes the link off."))

    def refresh(self) -> None:
        """Paint anew, and tell a screen reader."""
        self.setAccessibleDescription(self.words())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """No well: the value is not edited here."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = self.colours()
        if self.hovered or self.ringed:
            painter.setPen(QPen(QColor(colours.focus if self.ringed else colours.line),
                                colours.ring if self.ringed else 1))  # fmt: skip
            painter.drawRoundedRect(self.well().adjusted(1, 1, -1, -1), 4, 4)
        self.paint_icon(painter, "link-2", QPointF(12, self.height() / 2), 14)
        used = self.font_of(Role.BODY)
        painter.setFont(used)
        painter.setPen(QColor(colours.weak))
        box = self.well().adjusted(26, 0, -8, 0)
        said = QFontMetrics(used).elidedText(
            self.words(), Qt.TextElideMode.ElideRight, int(box.width())
        )
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, said)
        painter.end()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Go there."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.went.emit()

    def wants(self, event: QKeyEvent) -> bool:
        """Enter goes there, Delete unlinks."""
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
        return event.key() in keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter goes there, Delete unlinks."""
        if not self.wants(event):
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.unlinked.emit()
        else:
            self.went.emit()


class ParamRow(QWidget):
    """One parameter: its name, its outline, its editor, a note under it, and what is wrong."""

    def __init__(
        self,
        theme: Theme,
        param: Param,
        editor: ParamEditor,
        parent: QWidget,
        dragged: str = "",
        menu: Callable[[QPointF], None] | None = None,
    ) -> None:
        """``dragged`` is what the outline carries; without it there is no outline."""
        super().__init__(parent)
        self._theme, self.param, self.editor = theme, param, editor
        self._note, self._problem, self._wrong = "", "", False
        self._menu = menu
        self.outline: Outline | None = None
        if dragged and param.link_type is not None:
            self.outline = Outline(theme, param.link_type, label(param.name), dragged, self)
            self.outline.pressed.connect(lambda: self._open_menu(QPointF(OUTLINE, self._field)))
        self.name = QLabel(label(param.name), self)
        write_in(self.name, Role.BODY)
        self.name.setToolTip(label(param.name))
        self.name.setBuddy(editor)
        self.words = QLabel(self)
        write_in(self.words, Role.CAPTION)
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.hide()
        editor.setParent(self)
        editor.noted.connect(self._on_note)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_problem(self, sentence: str) -> None:
        """Say what is wrong with the value, or nothing."""
        if sentence != self._problem:
            self._problem = sentence
            if isinstance(self.editor, Well):
                self.editor.wrong = bool(sentence) or self._wrong
                self.editor.update()
            self._show_words()

    def _on_note(self, words: str, wrong: bool) -> None:
        if (words, wrong) != (self._note, self._wrong):
            self._note, self._wrong = words, wrong
            self._show_words()

    def _show_words(self) -> None:
        # What is being typed comes before what the checks said of the value as it was.
        said = self._note if self._wrong or not self._problem else self._problem
        bad = self._bad
        self.words.setText(said)
        self.words.setProperty("role", "danger" if bad else "weak")
        self.words.style().unpolish(self.words)
        self.words.style().polish(self.words)
        counts = self.param.kind == "multiline" and not bad
        side = Qt.AlignmentFlag.AlignRight if counts else Qt.AlignmentFlag.AlignLeft
        self.words.setAlignment(side | Qt.AlignmentFlag.AlignTop)
        self.words.setVisible(bool(said))
        self.editor.setAccessibleDescription(said or self.editor.accessibleDescription())
        self.updateGeometry()
        self._place()

    @property
    def _bad(self) -> bool:
        return self._wrong or bool(self._problem)

    @property
    def _field(self) -> int:
        return self._theme.measures.field

    @property
    def _gap(self) -> int:
        return self._theme.measures.row - self._field

    def _field_width(self) -> int:
        return max(48, self.width() - FIELD - MARGIN)

    def _words_height(self) -> int:
        if self.words.isHidden():
            return 0
        return self.words.heightForWidth(self._field_width() - self._indent()) + 4

    def _indent(self) -> int:
        return 18 if self._bad else 0

    def sizeHint(self) -> QSize:
        """The field, the words under it, and the gap to the next row."""
        return QSize(
            FIELD + MARGIN + 160, self.editor.sizeHint().height() + self._words_height() + self._gap
        )

    def minimumSizeHint(self) -> QSize:
        """It gets narrower, never lower."""
        return QSize(FIELD + MARGIN + 48, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the parts in their places."""
        self._place()
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def event(self, event: QEvent) -> bool:
        """An editor that grows makes the row grow."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
            self._place()
        return super().event(event)

    def _place(self) -> None:
        top = self._gap // 2
        self.name.setGeometry(MARGIN, top, LABEL - 12, self._field)
        if self.outline is not None:
            self.outline.move(OUTLINE - 12, top + (self._field - 24) // 2)
        height = self.editor.sizeHint().height()
        self.editor.setGeometry(FIELD, top, self._field_width(), height)
        indent, tall = self._indent(), max(0, self._words_height() - 2)
        self.words.setGeometry(
            FIELD + indent, top + height + 2, self._field_width() - indent, tall
        )  # fmt: skip
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The sign beside words that say what is wrong."""
        if self._bad and not self.words.isHidden():
            painter = QPainter(self)
            sign = self._theme.pixmap("circle-alert", 12, "danger", self.devicePixelRatioF())
            painter.drawPixmap(QPointF(FIELD, self.words.y() + 1), sign)
            painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The right button opens the menu."""
        if event.button() is Qt.MouseButton.RightButton:
            self._open_menu(event.position())

    def _open_menu(self, place: QPointF) -> None:
        if self._menu is not None:
            self._menu(QPointF(self.mapToGlobal(place.toPoint())))
