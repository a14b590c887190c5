"""The first jobs of a batch in a table, before anything is queued."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from app.panels.batch.outlook import Line
from app.theme.theme import Theme
from app.widgets.card import Index
from app.words import tr

_LEAST = 88
"""Logical pixels to which long columns are cut so that all are seen."""


class Jobs(QAbstractTableModel):
    """Jobs by number, name and values; where some are left out, a row says how many."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.heads: tuple[str, ...] = ()
        self.rows: tuple[tuple[str, ...], ...] = ()

    def put(self, heads: Sequence[str], lines: Sequence[Line]) -> None:
        """Show other jobs."""
        named = any(line.name for line in lines)
        heads = ("#", *((tr("Name"),) if named else ()), *heads)
        rows: list[tuple[str, ...]] = []
        for at, line in enumerate(lines):
            left_out = line.index - lines[at - 1].index - 1 if at else 0
            if left_out:
                rows.append(("…", tr("{n} more jobs", n=left_out), *[""] * (len(heads) - 2)))
            name = (line.name,) if named else ()
            rows.append((str(line.index), *name, *line.values))
        if (heads, tuple(rows)) != (self.heads, self.rows):
            self.beginResetModel()
            self.heads, self.rows = heads, tuple(rows)
            self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        """Qt asks how many rows there are."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        """Qt asks how many columns there are."""
        return 0 if parent.isValid() else len(self.heads)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        """Qt asks what stands above a column."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.heads[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Qt asks for a cell."""
        if role == Qt.ItemDataRole.DisplayRole:
            return self.rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:  # as plain words, whatever stands in a table
            return f"<p>{escape(self.rows[index.row()][index.column()])}</p>"
        return None


class Preview(QTableView):
    """As high as its rows; it scrolls sideways alone."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.jobs = Jobs(self)
        self.setModel(self.jobs)
        self.setAccessibleName(tr("The first jobs of the batch"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setStretchLastSection(True)
        theme.changed.connect(self._fit)

    def put(self, heads: Sequence[str], lines: Sequence[Line]) -> None:
        """Show other jobs."""
        before = self.jobs.rows
        self.jobs.put(heads, lines)
        if self.jobs.rows != before:
            self._share()
        self._fit()

    def _share(self) -> None:
        """Columns as wide as what is in them, where that fits; else long ones are cut."""
        self.resizeColumnsToContents()
        widths = [self.columnWidth(column) + 4 for column in range(self.jobs.columnCount())]
        most, room = max(widths, default=0), self.viewport().width()
        while most > _LEAST and sum(min(width, most) for width in widths) > room:
            most -= 4
        for column, width in enumerate(widths):
            self.setColumnWidth(column, min(width, most))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """More or less room for columns."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._share()

    def _fit(self) -> None:
        self.verticalHeader().setDefaultSectionSize(self._row)
        self.setFixedHeight(self.sizeHint().height())

    @property
    def _row(self) -> int:
        return self._theme.measures.field

    def sizeHint(self) -> QSize:
        """Its head, its rows, and room to scroll sideways."""
        head = self.horizontalHeader().sizeHint().height()
        rows = self.jobs.rowCount() * self._row
        return QSize(240, head + rows + 12)
