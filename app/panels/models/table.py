"""The table of models, and what is let through by kind, family and words."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QSortFilterProxyModel,
    Qt,
)

from app.panels.tools import bytes_words
from app.theme.theme import Theme
from app.widgets.card import Index
from app.words import tr
from backend.catalog.identity import KINDS
from backend.catalog.index import Entry

BROKEN = "broken"
"""The kind, for the filter, of what cannot be used."""
_SORT = Qt.ItemDataRole.UserRole


class ModelTable(QAbstractTableModel):
    """A row per model: name, kind, family, precision, size."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._entries: tuple[Entry, ...] = ()
        self._heads = (tr("Name"), tr("Kind"), tr("Family"), tr("Precision"), tr("Size"))

    def put(self, entries: Sequence[Entry]) -> None:
        """Show these models."""
        if tuple(entries) != self._entries:
            self.beginResetModel()
            self._entries = tuple(entries)
            self.endResetModel()

    def entry(self, row: int) -> Entry:
        """The model of a row."""
        return self._entries[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        """Qt asks how many rows there are."""
        return 0 if parent.isValid() else len(self._entries)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        """Qt asks how many columns there are."""
        return len(self._heads)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        """Qt asks what stands above a column."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._heads[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and section == 4:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Qt asks for a cell."""
        entry, column = self._entries[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return cells(entry)[column]
        if role == _SORT:
            return entry.size if column == 4 else cells(entry)[column].casefold()
        if role == Qt.ItemDataRole.TextAlignmentRole and column == 4:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DecorationRole and column == 0 and entry.problem:
            return self._theme.qicon("triangle-alert", 14, "warning")
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.problem or str(entry.path)
        return None


class Sieve(QSortFilterProxyModel):
    """Lets models through by kind, family and words; sorts sizes as numbers."""

    def __init__(self, table: ModelTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = table
        self._kind = self._family = ""
        self._words: list[str] = []
        self.setSourceModel(table)
        self.setSortRole(_SORT)

    def let_through(self, kind: str, family: str, words: str) -> None:
        """Let through only this kind and family (empty: all), and what holds all words."""
        self._kind, self._family, self._words = kind, family, words.casefold().split()
        self.invalidate()

    def entry(self, row: int) -> Entry:
        """The model of a row that is seen."""
        return self._table.entry(self.mapToSource(self.index(row, 0)).row())

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        """Qt asks whether a row is let through."""
        entry = self._table.entry(row)
        if self._kind and kind_of(entry) != self._kind:
            return False
        if self._family and self._family not in families_of(entry):
            return False
        text = " ".join((*cells(entry), str(entry.path))).casefold()
        return all(word in text for word in self._words)


def kind_of(entry: Entry) -> str:
    """The kind of a model, for the filter."""
    if entry.problem or entry.identity is None:
        return BROKEN
    return entry.identity.kind


def families_of(entry: Entry) -> tuple[str, ...]:
    """All families that a model may serve."""
    if entry.identity is None:
        return ()
    return tuple(dict.fromkeys(f for f in (entry.identity.family, *entry.identity.families) if f))


def kind_words(kind: str) -> str:
    """A kind as people read it, with a capital."""
    said = tr("unusable") if kind == BROKEN else KINDS.get(kind, kind)
    return said[:1].upper() + said[1:]


def cells(entry: Entry) -> tuple[str, str, str, str, str]:
    """The cells of a row."""
    found = entry.identity
    families = families_of(entry)
    family = families[0] if families else ""
    if len(families) > 1 and (found is None or not found.family):
        family = f"{family} + {len(families) - 1}"
    precision = found.precision if found is not None else ""
    return entry.name, kind_words(kind_of(entry)), family, precision, bytes_words(entry.size)


def facts_of(entry: Entry) -> tuple[tuple[str, str], ...]:
    """What is known of a model: labels and values, for the details."""
    rows = [(tr("What"), entry.problem or (entry.identity.sentence if entry.identity else ""))]
    if entry.identity is not None:
        rows.append((tr("Parameters"), f"{entry.identity.parameters / 1e9:.2f} B"))
        rows += [(tr("{space} space", space=space.capitalize()), value)
                 for space, value in entry.identity.spaces.items()]  # fmt: skip
    rows.append((tr("Lies in"), str(entry.path)))
    checked = entry.content or tr("not verified yet")
    rows.append((tr("Hash"), checked))
    return tuple((label, value) for label, value in rows if value)
