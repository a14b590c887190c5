"""Cards: a picture or an icon, a bold line, a sentence, at most one act; and the list of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

HEIGHT, GAP = 62, 8
"""Logical pixels of a card, and between two."""

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Act:
    """What a card offers: words on a button, or an icon whose words are read out."""

    words: str
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One card, as it is to be shown.

    ``picture`` (JPEG or PNG) stands in a frame of 64 x 48; without one, and ``framed``, the icon
    does. ``token`` is the icon's colour. ``progress`` is 0 to 1, or less than 0 for no bar.
    ``sentence_token`` is
    the colour of the sentence. ``mark`` is a state icon at the right where there is no act.
    ``spoken`` is what a screen reader says, where that is more than title and sentence.
    """

    key: str
    title: str
    sentence: str
    icon: str = ""
    token: str = "weak"
    sentence_token: str = "weak"
    picture: bytes = b""
    framed: bool = False
    progress: float = -1.0
    outlined: bool = False
    movable: bool = False
    act: Act | None = None
    mark: str = ""
    mark_token: str = "weak"
    tip: str = ""
    spoken: str = ""


class CardModel(QAbstractListModel):
    """The cards of a list. New ones are put as a whole; only what differs is changed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cards: list[Card] = []

    @property
    def cards(self) -> Sequence[Card]:
        """What is shown, from the top."""
        return tuple(self._cards)

    def card(self, row: int) -> Card:
        """The card of a row."""
        return self._cards[row]

    def row_of(self, key: str) -> int:
        """The row of a card, -1 where there is none."""
        return next((row for row, card in enumerate(self._cards) if card.key == key), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        """Qt asks how many rows there are."""
        return 0 if parent.isValid() else len(self._cards)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Qt asks for words; what is painted is taken from ``card``."""
        if not index.isValid() or index.row() >= len(self._cards):
            return None
        card = self._cards[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return card.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return card.tip or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return card.spoken or f"{card.title}. {card.sentence}"
        return None

    def put(self, cards: Sequence[Card]) -> None:
        """Show these cards; the rows of those that stay keep what is selected and scrolled to.

        Raises:
            ValueError: two have the same key.
        """
        wanted = {card.key for card in cards}
        if len(wanted) != len(cards):
            raise ValueError("two cards have the same key")
        self._drop(wanted)
        there = {card.key for card in self._cards}
        row = 0
        while row < len(cards):
            if cards[row].key not in there:
                row = self._insert(cards, row, there)
                continue
            if self._cards[row].key != cards[row].key:
                self._pull(self.row_of(cards[row].key), row)
            if self._cards[row] != cards[row]:
                self._cards[row] = cards[row]
                place = self.index(row)
                self.dataChanged.emit(place, place)
            row += 1

    def _drop(self, wanted: set[str]) -> None:
        row = len(self._cards)
        while row:
            last = row
            while row and self._cards[row - 1].key not in wanted:
                row -= 1
            if row < last:
                self.beginRemoveRows(QModelIndex(), row, last - 1)
                del self._cards[row:last]
                self.endRemoveRows()
            row -= bool(row)

    def _insert(self, cards: Sequence[Card], row: int, there: set[str]) -> int:
        """Insert the run of new cards at a row; the row after it."""
        end = row
        while end < len(cards) and cards[end].key not in there:
            end += 1
        self.beginInsertRows(QModelIndex(), row, end - 1)
        self._cards[row:row] = cards[row:end]
        self.endInsertRows()
        return end

    def _pull(self, source: int, target: int) -> None:
        self.beginMoveRows(QModelIndex(), source, source, QModelIndex(), target)
        self._cards.insert(target, self._cards.pop(source))
        self.endMoveRows()
