"""The grid of thumbnails: what is in it, and how a cell is painted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QUrl,
)
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.panels.gallery.outputs import Kept, Output
from app.panels.gallery.thumbnails import Thumbnails
from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.viewer.marks import checkers
from app.words import tr

Index = QModelIndex | QPersistentModelIndex
_HERE = QModelIndex()

PICTURE = QSize(136, 102)
CELL = QSize(152, 140)
OUTPUT = Qt.ItemDataRole.UserRole


class Cells(QAbstractListModel):
    """Outputs as a model; each can be dragged out as a file."""

    def __init__(self, kept: Kept, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept = kept
        self.outputs: tuple[Output, ...] = ()

    def show(self, outputs: Sequence[Output]) -> None:
        """Show these; where they are as they were, nothing is touched."""
        if tuple(outputs) != self.outputs:
            self.beginResetModel()
            self.outputs = tuple(outputs)
            self.endResetModel()

    def rowCount(self, parent: Index = _HERE) -> int:
        """How many."""
        return 0 if parent.isValid() else len(self.outputs)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Its name, words for screen readers, or the output itself."""
        output = self.outputs[index.row()]
        if role == OUTPUT:
            return output
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return output.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return (
                tr("{name}, kept", name=output.name) if output.name in self._kept else output.name
            )
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """All can be picked and dragged."""
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeTypes(self) -> list[str]:
        """Dragged as files."""
        return ["text/uri-list"]

    def mimeData(self, indexes: Sequence[Index]) -> QMimeData:
        """The files that are dragged."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(self.outputs[index.row()].path)) for index in indexes])
        return data

    def row_of(self, name: str) -> int:
        """The row of an output, -1 where it is not shown."""
        return next((at for at, each in enumerate(self.outputs) if each.name == name), -1)


class CellPainter(QStyledItemDelegate):
    """Paints a picture with its name below, and a star where it is kept."""

    def __init__(self, theme: Theme, thumbnails: Thumbnails, kept: Kept, view: QListView) -> None:
        super().__init__(view)
        self._theme, self._thumbnails, self._kept, self._view = theme, thumbnails, kept, view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All are alike."""
        return CELL

    def paint(self, painter: QPainter, option: Any, index: Index) -> None:
        """Draw one."""
        colours = self._theme.colours
        output: Output = index.data(OUTPUT)
        place = QRectF(option.rect).adjusted(2, 2, -2, -2)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if chosen or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.selection if chosen else colours.hover))
            painter.drawRoundedRect(place, 8, 8)
        if option.state & QStyle.StateFlag.State_HasFocus and self._view.hasFocus():
            painter.setPen(QPen(QColor(colours.focus), colours.ring))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(place.adjusted(1, 1, -1, -1), 8, 8)
        room = QRectF(place.left() + 6, place.top() + 6, PICTURE.width(), PICTURE.height())
        self._paint_picture(painter, room, output)
        if output.name in self._kept:
            self._paint_star(painter, room)
        painter.setFont(font(Role.CAPTION))
        painter.setPen(QColor(colours.strong if chosen else colours.text))
        words = QRectF(room.left(), room.bottom() + 5, room.width(), 18)
        name = QFontMetricsF(painter.font()).elidedText(
            output.path.name, Qt.TextElideMode.ElideMiddle, words.width()
        )
        painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), name)
        painter.restore()

    def _paint_picture(self, painter: QPainter, room: QRectF, output: Output) -> None:
        colours = self._theme.colours
        ratio = self._view.devicePixelRatioF()
        image = self._thumbnails.get(output)
        if image is None:
            painter.setPen(QPen(QColor(colours.line), 1))
            painter.setBrush(QColor(colours.well))
            painter.drawRoundedRect(room.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
            broken = self._thumbnails.failed(output)
            name = "triangle-alert" if broken else "image" if output.is_picture else "file"
            glyph = self._theme.pixmap(name, 20, "warning" if broken else "weak", ratio)
            painter.drawPixmap(room.center() - QPointF(10, 10), glyph)
            return
        # Thumbnails have twice the pixels that are needed at 100 %.
        wide, high = image.width(), image.height()
        share = min(room.width() / wide, room.height() / high, 1.0)
        inner = QRectF(0, 0, round(wide * share), round(high * share))
        inner.moveCenter(room.center())
        if image.hasAlphaChannel():
            painter.setBrushOrigin(inner.topLeft())
            painter.fillRect(inner, checkers(colours, 0.75))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(inner, image)

    def _paint_star(self, painter: QPainter, room: QRectF) -> None:
        ground = QColor("#101113")
        ground.setAlphaF(0.86)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(room.right() - 22, room.top(), 22, 22), 4, 4)
        star = self._theme.pixmap("star", 14, "warning", self._view.devicePixelRatioF())
        painter.drawPixmap(QPointF(room.right() - 18, room.top() + 4), star)
