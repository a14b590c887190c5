"""Values that are no pictures: words, single figures, colours, tables and curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    Qt,
)
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPen,
    QTextOption,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QPlainTextEdit,
    QTableView,
    QWidget,
)

from app.theme.fonts import Role, font, write_in
from app.theme.theme import Theme
from app.viewer.marks import checkers
from app.viewer.subject import Row
from app.words import tr
from backend.values import Color

Index = QModelIndex | QPersistentModelIndex
_HERE = QModelIndex()
_WORD = 2000
"""Letters of the longest word that there can be."""


class TextView(QPlainTextEdit):
    """A text to read, select and copy."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setAccessibleName(tr("Text"))
        write_in(self, Role.BODY)
        self.setTabChangesFocus(True)
        self.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self.document().setDocumentMargin(8)

    def set_text(self, text: str) -> None:
        """Show a text from its beginning. One with an endless word, such as a file in letters, is
        broken anywhere: looking for the ends of words in it takes Qt the square of its length."""
        endless = max(map(len, text.split()), default=0) > _WORD
        wrap = QTextOption.WrapMode
        self.clear()  # or what was there is broken anew before it goes
        self.setWordWrapMode(wrap.WrapAnywhere if endless else wrap.WrapAtWordBoundaryOrAnywhere)
        self.setPlainText(text)


class Rows(QAbstractTableModel):
    """Rows of words under headings."""

    def __init__(self, headings: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> None:
        super().__init__()
        self._headings, self._rows = tuple(headings), tuple(rows)

    def rowCount(self, parent: Index = _HERE) -> int:
        """How many rows."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _HERE) -> int:
        """How many columns."""
        return 0 if parent.isValid() else len(self._headings)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The words of a cell."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._rows[index.row()][index.column()]
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """The words over a column."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self._headings[section]
        return None


class TableView(QTableView):
    """Parts of a value with their shape and range, or numbers one under the other."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Table"))
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.set_rows(())

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show the parts of a value."""
        headings = (tr("Part"), tr("Shape"), tr("Value"))
        self._put(Rows(headings, [(row.name, row.shape, row.value) for row in rows]))

    def set_numbers(self, numbers: Sequence[float]) -> None:
        """Show numbers with their places."""
        rows = [(str(at), f"{number:.6g}") for at, number in enumerate(numbers, 1)]
        self._put(Rows((tr("Place"), tr("Number")), rows))

    def _put(self, rows: Rows) -> None:
        old = self.model()
        rows.setParent(self)
        self.setModel(rows)
        if old is not None:
            old.deleteLater()
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)


class FigureView(QWidget):
    """One number, answer or colour, large."""

    spoken_role = QAccessible.Role.StaticText

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._words = ""
        self._colour: Color | None = None
        theme.changed.connect(self.update)

    def say(self, words: str, colour: Color | None = None) -> None:
        """Show words, and a patch of a colour above them where there is one."""
        self._words, self._colour = words, colour
        self.setAccessibleName(words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        colours = self._theme.colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(colours.viewer))
        room = QRectF(self.rect())
        if self._colour is not None:
            patch = QRectF(0, 0, 96, 96)
            patch.moveCenter(room.center())
            patch.translate(0, -24)
            painter.fillRect(patch, checkers(colours, 1))
            one = self._colour
            limited = [
                min(max(each, 0.0), 1.0) for each in (one.red, one.green, one.blue, one.alpha)
            ]
            painter.fillRect(patch, QColor.fromRgbF(*limited))
            room = QRectF(0, patch.bottom() + 8, self.width(), 32)
        painter.setFont(font(Role.EMPTY))
        painter.setPen(QColor(colours.strong))
        painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), self._words)


class PlotView(QWidget):
    """Numbers in their order as a curve; the one under the pointer is read out."""

    spoken_role = QAccessible.Role.Chart

    _LEFT, _BOTTOM, _TOP, _RIGHT = 56, 28, 16, 16

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._numbers: tuple[float, ...] = ()
        self._at: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Plot"))
        theme.changed.connect(self.update)

    @property
    def at(self) -> int | None:
        """Which number is read out, from 0."""
        return self._at

    def set_numbers(self, numbers: Sequence[float]) -> None:
        """Show these; what is not finite leaves a gap."""
        self._numbers, self._at = tuple(numbers), None
        self.update()

    def mouseMoveEvent(self, event: Any) -> None:
        """Read out the nearest number."""
        wide = max(1.0, self._room().width())
        share = (event.position().x() - self._LEFT) / wide
        self._read(round(share * (len(self._numbers) - 1)))

    def keyPressEvent(self, event: Any) -> None:
        """Arrows go from number to number."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key())
        if step is None:
            super().keyPressEvent(event)
        else:
            self._read(step - (1 if step > 0 else 0) if self._at is None else self._at + step)

    def _read(self, at: int) -> None:
        if self._numbers:
            self._at = min(max(at, 0), len(self._numbers) - 1)
            self.setAccessibleDescription(f"{self._at + 1}: {self._numbers[self._at]:.6g}")
            self.update()

    def _room(self) -> QRectF:
        return QRectF(self.rect()).adjusted(self._LEFT, self._TOP, -self._RIGHT, -self._BOTTOM)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        from app.viewer.curve import Curve

        colours = self._theme.colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(colours.panel))
        painter.setFont(font(Role.CAPTION))
        curve = Curve(self._numbers, self._room())
        for value, y in curve.levels():
            painter.setPen(QPen(QColor(colours.line), 1))
            left, right = (QPointF(x, round(y)) for x in (curve.room.left(), curve.room.right()))
            painter.drawLine(left, right)
            painter.setPen(QColor(colours.weak))
            words = QRectF(0, y - 8, self._LEFT - 8, 16)
            flags = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            painter.drawText(words, flags, f"{value:.4g}")
        painter.setPen(QColor(colours.weak))
        under = QRectF(curve.room.left(), curve.room.bottom() + 8, curve.room.width(), 16)
        painter.drawText(under, int(Qt.AlignmentFlag.AlignLeft), "1")
        painter.drawText(under, int(Qt.AlignmentFlag.AlignRight), str(len(self._numbers)))
        painter.setPen(QPen(QColor(colours.accent), 2))
        for path in curve.paths():
            painter.drawPolyline(path)
        if self._at is not None:
            self._paint_reading(painter, curve.point(self._at))

    def _paint_reading(self, painter: QPainter, point: Any) -> None:
        assert self._at is not None
        colours = self._theme.colours
        painter.setPen(QPen(QColor(colours.strong), 1))
        painter.drawLine(
            round(point.x()), self._TOP, round(point.x()), self.height() - self._BOTTOM
        )
        painter.setBrush(QColor(colours.accent))
        painter.drawEllipse(point, 4, 4)
        words = f"{self._at + 1}: {self._numbers[self._at]:.6g}"
        wide = QFontMetricsF(painter.font()).horizontalAdvance(words) + 12
        left = min(point.x() + 8, self.width() - wide - 4)
        tag = QRectF(left, self._TOP, wide, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.overlay))
        painter.drawRoundedRect(tag, 4, 4)
        painter.setPen(QColor(colours.strong))
        painter.drawText(tag, int(Qt.AlignmentFlag.AlignCenter), words)
