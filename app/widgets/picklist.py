"""A list that opens under a field, to pick one of: with a search line where it is long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QColor, QFont, QFontMetrics, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.widgets.card import Index
from app.words import tr

SEARCHED = 9
"""From so many entries on there is a search line."""
_MOST = 12
"""Rows that are seen at once."""

_KEY = int(Qt.ItemDataRole.UserRole)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to pick: what is picked, its title, and weak words at the right.

    ``pale`` entries can be picked, but are not at hand. ``words`` is what a search also looks at.
    """

    key: str
    title: str
    note: str = ""
    words: str = ""
    pale: bool = False


class _Rows(QStyledItemDelegate):
    """Paints a row: a check before the present one, the title, and the note at the right."""

    def __init__(self, theme: Theme, present: str, parent: QObject) -> None:
        super().__init__(parent)
        self._theme, self._present = theme, present
        self._body, self._small = font(Role.BODY), font(Role.CAPTION)
        self._height = theme.measures.item - 2

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(80, self._height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: Entry = index.data(_KEY)
        colours = self._theme.colours
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box: QRect = option.rect
        state = option.state
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.selection))
            painter.drawRoundedRect(box.adjusted(0, 1, 0, -1), 4, 4)
        if entry.key == self._present:
            ratio = painter.device().devicePixelRatioF()
            check: QPixmap = self._theme.pixmap("check", 12, "accent", ratio)
            painter.drawPixmap(QPoint(box.left() + 6, box.center().y() - 5), check)
        inner = box.adjusted(24, 0, -8, 0)
        painter.setFont(self._small)
        painter.setPen(QColor(colours.text if chosen else colours.weak))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(inner, right, entry.note)
        used = QFontMetrics(self._small).horizontalAdvance(entry.note) + 12 if entry.note else 0
        painter.setFont(self._body)
        painter.setPen(QColor(colours.weak if entry.pale else colours.strong))
        room = inner.adjusted(0, 0, -used, 0)
        title = QFontMetrics(self._body).elidedText(
            entry.title, Qt.TextElideMode.ElideMiddle, room.width()
        )
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(room, left, title)
        painter.restore()


class PickList(QFrame):
    """The open list. ``picked`` gives the key; Esc or a click beside it closes it."""

    picked = Signal(str)
    closed = Signal()

    def __init__(
        self,
        theme: Theme,
        entries: Sequence[Entry],
        present: str,
        parent: QWidget,
        header: QWidget | None = None,
        keep: Callable[[Entry], bool] | None = None,
    ) -> None:
        """``header`` stands over the rows; ``keep`` says which entries are listed at all."""
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("role", "overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._entries, self._present, self._keep = tuple(entries), present, keep
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(tr("Search"))
        self.search.setAccessibleName(tr("Search"))
        self.search.setVisible(len(entries) >= SEARCHED)
        self.search.textEdited.connect(self.sift)
        self.search.installEventFilter(self)
        self.rows = QListWidget(self)
        self.rows.setAccessibleName(parent.accessibleName())
        self.rows.setFrameShape(QFrame.Shape.NoFrame)
        self.rows.viewport().setAutoFillBackground(False)
        self.rows.setStyleSheet("QListWidget { background: transparent; }")
        self.rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.setMouseTracking(True)
        self.rows.setItemDelegate(_Rows(theme, present, self))
        self.rows.itemClicked.connect(self._take)
        self.rows.itemEntered.connect(self.rows.setCurrentItem)
        self.rows.installEventFilter(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(5, 5, 5, 5)
        layout.setSpacing(4)
        layout.addWidget(self.search)
        if header is not None:
            layout.addWidget(header)
        layout.addWidget(self.rows)
        self._body: QFont = font(Role.BODY)
        self._height = theme.measures.item - 2
        self.sift()

    def sift(self, text: str = "") -> None:
        """List the entries that have all of these words in them."""
        wanted = (text or self.search.text()).casefold().split()
        self.rows.clear()
        for entry in self._entries:
            said = f"{entry.title} {entry.words} {entry.note}".casefold()
            if (self._keep is None or self._keep(entry)) and all(w in said for w in wanted):
                item = QListWidgetItem(entry.title, self.rows)
                item.setData(_KEY, entry)
                item.setToolTip(entry.words)
                if entry.key == self._present:
                    self.rows.setCurrentItem(item)
        if self.rows.currentRow() < 0 and self.rows.count():
            self.rows.setCurrentRow(0)

    def open_under(self, widget: QWidget) -> None:
        """Show it under a field, at least as wide, on the screen."""
        metrics = QFontMetrics(self._body)
        widest = max(
            (metrics.horizontalAdvance(e.title + e.note) for e in self._entries), default=0
        )
        seen = min(_MOST, max(1, len(self._entries)))
        self.rows.setFixedHeight(seen * self._height + 2)
        self.setFixedWidth(max(widget.width(), min(480, widest + 84), 120))
        self.adjustSize()
        place = widget.mapToGlobal(QPoint(0, widget.height() + 2))
        screen = widget.screen().availableGeometry()
        if place.y() + self.height() > screen.bottom():
            place.setY(max(screen.top(), widget.mapToGlobal(QPoint(0, 0)).y() - self.height() - 2))
        place.setX(max(screen.left(), min(place.x(), screen.right() - self.width())))
        self.move(place)
        self.show()
        first = self.search if self.search.isVisibleTo(self) else self.rows
        first.setFocus(Qt.FocusReason.PopupFocusReason)
        if self.rows.currentItem() is not None:
            self.rows.scrollToItem(self.rows.currentItem())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows and Enter in the search line are for the rows."""
        if event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            key = event.key()
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab):
                if self.rows.currentItem() is not None:
                    self._take(self.rows.currentItem())
                return True
            if key == Qt.Key.Key_Escape:
                self.close()
                return True
            if watched is self.search and key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                step = 1 if key == Qt.Key.Key_Down else -1
                row = self.rows.currentRow() + step
                self.rows.setCurrentRow(max(0, min(self.rows.count() - 1, row)))
                return True
        return super().eventFilter(watched, event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Whoever opened it goes on."""
        self.closed.emit()
        super().closeEvent(event)

    def _take(self, item: QListWidgetItem) -> None:
        entry: Entry = item.data(_KEY)
        self.picked.emit(entry.key)
        self.close()
