"""The page of the history: every edit since the document was opened; a click goes there."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    QTimer,
)
from PySide6.QtGui import QColor, QPainter, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QListView,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.document.history import State
from app.open_document import OpenDocument
from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.widgets.empty import Empty
from app.words import tr

Index = QModelIndex | QPersistentModelIndex

ROW = 28
_AT = int(Qt.ItemDataRole.UserRole)
"""How a state stands to the one that is seen: -1 before it, 0 itself, 1 undone."""


class States(QAbstractListModel):
    """The states of a history, the first on top."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._states: tuple[State, ...] = ()
        self.at = 0

    def show_states(self, states: tuple[State, ...], at: int) -> None:
        """Show other states."""
        self.beginResetModel()
        self._states, self.at = states, at
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        """How many there are."""
        return 0 if parent.isValid() else len(self._states)

    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> object:
        """The label of a state; for a screen reader, with how it stands."""
        if not index.isValid():
            return None
        label, side = self._states[index.row()].label, _side(index.row(), self.at)
        if role == Qt.ItemDataRole.DisplayRole:
            return label
        if role == _AT:
            return side
        if role == Qt.ItemDataRole.AccessibleTextRole:
            words = {-1: "{label}", 0: tr("{label}, seen now"), 1: tr("{label}, undone")}
            return words[side].replace("{label}", label)
        return None


class _Rows(QStyledItemDelegate):
    """A dot on a line for every state; filled for the one that is seen, pale for what is undone."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(80, self._theme.measures.item)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colours, side = self._theme.colours, index.data(_AT)
        box: QRect = option.rect
        state = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inner = box.adjusted(8, 0, -8, 0)
        painter.setPen(Qt.PenStyle.NoPen)
        if side == 0 or state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(QColor(colours.selection if side == 0 else colours.hover))
            painter.drawRoundedRect(inner.adjusted(0, 1, 0, -1), 4, 4)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(colours.focus))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(inner.adjusted(1, 2, -1, -2), 4, 4)
        painter.setPen(QColor(colours.strong if side == 0 else
                              colours.text if side < 0 else colours.weak))  # fmt: skip
        painter.setFont(font(Role.VALUE if side == 0 else Role.BODY))
        sign = {-1: "", 0: "check", 1: "redo-2"}[side]
        if sign:
            ratio = painter.device().devicePixelRatioF()
            glyph = self._theme.pixmap(sign, 12, "accent" if side == 0 else "weak", ratio)
            painter.drawPixmap(inner.left() + 8, inner.center().y() - 5, glyph)
        words = inner.adjusted(28, 0, -8, 0)
        said = painter.fontMetrics().elidedText(
            str(index.data()), Qt.TextElideMode.ElideRight, words.width()
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, said)
        painter.restore()


class HistoryPage(QWidget):
    """Shows the history of an open document. A click or Enter on a state goes to it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document: OpenDocument | None = None
        self.states = States(self)
        self.view = QListView()
        self.view.setModel(self.states)
        self.view.setItemDelegate(_Rows(theme, self))
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setAccessibleName(tr("History"))
        self.view.clicked.connect(self._go)
        self.view.activated.connect(self._go)
        theme.changed.connect(self.view.viewport().update)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(Empty(theme, "history", tr("No document is open.")))
        self._stack.addWidget(self.view)
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.update_now)

    def show_document(self, document: OpenDocument | None) -> None:
        """Show another document; ``None`` where none is open."""
        if self._document is not None:
            self._document.changed.disconnect(self._on_change)
        self._document = document
        if document is not None:
            document.changed.connect(self._on_change)
        self.update_now()

    def _on_change(self, before: object, after: object) -> None:
        self._later()

    def _later(self) -> None:
        if self.isVisible():
            self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        """What changed while it was hidden is shown now."""
        self.update_now()

    def update_now(self) -> None:
        """Show the states as they are."""
        self._soon.stop()
        document = self._document
        self._stack.setCurrentIndex(0 if document is None else 1)
        if document is None:
            self.states.show_states((), 0)
            return
        history = document.session.history
        self.states.show_states(history.states, history.at)
        seen = self.states.index(history.at, 0)
        self.view.setCurrentIndex(seen)
        self.view.scrollTo(seen)

    def _go(self, index: QModelIndex) -> None:
        if self._document is not None and index.row() != self._document.session.history.at:
            self._document.session.go(index.row())


def _side(row: int, at: int) -> int:
    return (row > at) - (row < at)
