"""The list of cards: everything by mouse and by keyboard, and only what is seen is painted."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QModelIndex, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QApplication,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from app.theme.theme import Theme
from app.widgets.card import GAP, HEIGHT, Card, CardModel, Index
from app.widgets.card_paint import act_rect, paint_card

_RING = 2
"""Logical pixels above a card, for the ring of the keyboard."""
_EDGE = 24
"""Logical pixels from the edge within which a dragged card scrolls the list."""


class CardList(QListView):
    """Cards, one chosen. Each signal gives the key of a card.

    ``opened``: a click, or Enter. ``acted``: the card's button, or Space. ``removed``: Delete.
    ``moved``: it was dragged, or Alt with an arrow, to stand before another (empty: at the end).
    ``menu_wanted``: the context menu, with a place on the screen.
    """

    opened = Signal(str)
    acted = Signal(str)
    removed = Signal(str)
    moved = Signal(str, str)
    menu_wanted = Signal(str, QPoint)

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        """``name`` is what a screen reader calls the list."""
        super().__init__(parent)
        self._theme = theme
        self.cards = CardModel(self)
        self._pointer = QPointF(-1, -1)
        self._pressed = ""
        self._dragged = ""
        self._began = QPointF()
        self._by_keyboard = False
        self.setModel(self.cards)
        self.setItemDelegate(_Delegate(self))
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.setStyleSheet("QListView { background: transparent; border: 0; }")
        theme.changed.connect(self.viewport().update)

    @property
    def theme(self) -> Theme:
        """What it is painted with."""
        return self._theme

    def put(self, cards: Sequence[Card]) -> None:
        """Show these cards (``CardModel.put``)."""
        self.cards.put(cards)

    def choose(self, key: str) -> None:
        """Make a card the chosen one and scroll to it."""
        row = self.cards.row_of(key)
        if row >= 0:
            self.setCurrentIndex(self.cards.index(row))

    @property
    def chosen(self) -> str:
        """The key of the chosen card, or empty."""
        index = self.currentIndex()
        return self.cards.card(index.row()).key if index.isValid() else ""

    @property
    def row_height(self) -> int:
        """A card and the gap under it."""
        return self._theme.measures.tall(HEIGHT) + GAP

    def card_rect(self, index: Index) -> QRectF:
        """Where a card lies in the viewport, without the gap."""
        rect = QRectF(self.visualRect(index))
        return rect.adjusted(12, _RING, -12, _RING - GAP)

    def button_rect(self, key: str) -> QRect:
        """Where the button of a card lies in the viewport; empty where it has none."""
        row = self.cards.row_of(key)
        if row < 0 or (act := self.cards.card(row).act) is None:
            return QRect()
        return act_rect(act, self.card_rect(self.cards.index(row))).toRect()

    def paint_one(self, painter: QPainter, index: Index) -> None:
        """Paint the card of a row."""
        card = self.cards.card(index.row())
        rect = self.card_rect(index)
        over = rect.contains(self._pointer) and not self._dragged
        held = None
        if over and card.act is not None and act_rect(card.act, rect).contains(self._pointer):
            held = self._pressed == card.key
        chosen = index == self.currentIndex()
        paint_card(
            painter, rect, card, self._theme.colours, self.devicePixelRatioF(),
            selected=chosen and (self.hasFocus() or self._dragged == card.key),
            focused=chosen and self.hasFocus() and self._by_keyboard,
            hovered=over, pressed=held,
        )  # fmt: skip

    def _at(self, place: QPointF) -> tuple[Card | None, bool]:
        """The card at a place, and whether it is its button."""
        index = self.indexAt(place.toPoint())
        if not index.isValid() or not self.card_rect(index).contains(place):
            return None, False
        card = self.cards.card(index.row())
        button = card.act is not None and act_rect(card.act, self.card_rect(index)).contains(place)
        return card, button

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a card, or press its button."""
        self._by_keyboard = False
        self._pointer = self._began = event.position()
        card, button = self._at(self._pointer)
        self._pressed = card.key if card is not None and button else ""
        if card is not None:
            self.choose(card.key)
        self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up what is under the pointer, or drag a card."""
        self._pointer = event.position()
        held = bool(event.buttons() & Qt.MouseButton.LeftButton) and not self._pressed
        far = (self._pointer - self._began).manhattanLength() >= QApplication.startDragDistance()
        if held and far and not self._dragged and self.currentIndex().isValid():
            card, _ = self._at(self._began)
            self._dragged = card.key if card is not None and card.movable else ""
        if self._dragged:
            self._scroll_at_edge()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        self.viewport().update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Act, open or put down."""
        self._pointer = event.position()
        dragged, self._dragged = self._dragged, ""
        pressed, self._pressed = self._pressed, ""
        self.unsetCursor()
        card, button = self._at(self._pointer)
        if dragged:
            self._put_down(dragged, self._gap_at(self._pointer.y()))
        elif card is not None and event.button() == Qt.MouseButton.LeftButton:
            if button and pressed == card.key:
                self.acted.emit(card.key)
            elif not pressed and not button:
                self.opened.emit(card.key)
        self.viewport().update()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self._pointer = QPointF(-1, -1)
        self.viewport().update()
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The keyboard comes: the first card is chosen where none is."""
        self._by_keyboard = event.reason() != Qt.FocusReason.MouseFocusReason
        if self._by_keyboard and not self.currentIndex().isValid() and self.cards.cards:
            self.setCurrentIndex(self.cards.index(0))
        super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Everything that the mouse can do."""
        self._by_keyboard = True
        key, chosen = event.key(), self.chosen
        alt = event.modifiers() == Qt.KeyboardModifier.AltModifier
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        self.viewport().update()
        if key == Qt.Key.Key_Escape and self._dragged:
            self._dragged = ""
            self.unsetCursor()
        elif chosen and plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit(chosen)
        elif chosen and plain and key == Qt.Key.Key_Space:
            if self.cards.card(self.currentIndex().row()).act is not None:
                self.acted.emit(chosen)
        elif chosen and plain and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit(chosen)
        elif chosen and alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            row = self.currentIndex().row()
            self._put_down(chosen, row - 1 if key == Qt.Key.Key_Up else row + 2)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """By the right button at the pointer, by the menu key at the chosen card."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            key, place = self.chosen, self.visualRect(self.currentIndex()).center()
        else:
            card, _ = self._at(QPointF(event.pos()))
            key, place = card.key if card is not None else "", event.pos()
        if key:
            self.choose(key)
            self.menu_wanted.emit(key, self.viewport().mapToGlobal(place))

    def paintEvent(self, event: QPaintEvent) -> None:
        """The cards, and where a dragged one would stand."""
        super().paintEvent(event)
        if self._dragged:
            painter = QPainter(self.viewport())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(self._theme.colours.accent), 2))
            y = (
                self._gap_at(self._pointer.y()) * self.row_height
                - self.verticalOffset()
                - GAP / 2
                + _RING
            )
            y = max(1.0, y)
            painter.drawLine(QPointF(12, y), QPointF(self.viewport().width() - 12, y))

    def _gap_at(self, y: float) -> int:
        """The gap nearest to a height: 0 before the first card."""
        row = round((y + self.verticalOffset() + GAP / 2) / self.row_height)
        return max(0, min(row, len(self.cards.cards)))

    def _put_down(self, key: str, gap: int) -> None:
        """Have a card stand in a gap, among those that can be moved."""
        cards, row = self.cards.cards, self.cards.row_of(key)
        free = [number for number, card in enumerate(cards) if card.movable]
        if row not in free:
            return
        gap = max(free[0], min(gap, free[-1] + 1))
        if gap not in (row, row + 1):
            before = cards[gap].key if gap <= free[-1] else ""
            self.moved.emit(key, before)

    def _scroll_at_edge(self) -> None:
        bar, y = self.verticalScrollBar(), self._pointer.y()
        if y < _EDGE:
            bar.setValue(bar.value() - 8)
        elif y > self.viewport().height() - _EDGE:
            bar.setValue(bar.value() + 8)


class _Delegate(QStyledItemDelegate):
    """Hands painting and sizes to the list."""

    def __init__(self, view: CardList) -> None:
        super().__init__(view)
        self._view = view

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._view.paint_one(painter, index)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, self._view.row_height)

    def helpEvent(
        self, event: QHelpEvent, view: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        """The words of an icon, else the card's own tip."""
        if not isinstance(index, QModelIndex) or not index.isValid():
            return False
        card = self._view.cards.card(index.row())
        rect = self._view.button_rect(card.key)
        words = card.tip
        if card.act is not None and card.act.icon and rect.contains(event.pos()):
            words = card.act.words
        QToolTip.showText(event.globalPos(), words, view)
        return bool(words)
