"""The pictures of a batch side by side, to pick one."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QScrollArea, QWidget

from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.viewer.background import Background
from app.viewer.develop import Development
from app.viewer.layer import small_picture
from app.viewer.marks import checkers
from app.viewer.picture import Picture
from app.words import tr

HEIGHT = 72
_CELL, _GAP, _SIDE = 64, 8, 56


class _Cells(QWidget):
    """The row of small pictures; paints those that are seen."""

    spoken_role = QAccessible.Role.List

    picked = Signal(int)

    def __init__(self, theme: Theme, background: Background) -> None:
        super().__init__()
        self._theme, self._background = theme, background
        self._pictures: tuple[Picture, ...] = ()
        self._images: dict[int, QImage | None] = {}
        self._round = 0
        self.current = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Pictures of the batch"))
        theme.changed.connect(self.update)

    def set_pictures(self, pictures: tuple[Picture, ...]) -> None:
        self._pictures, self._images = pictures, {}
        self._round += 1
        self.setFixedSize(_GAP + len(pictures) * (_CELL + _GAP), HEIGHT)
        self.update()

    def place(self, number: int) -> QRectF:
        return QRectF(_GAP + number * (_CELL + _GAP), 8, _CELL, _SIDE)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        first = max(0, event.rect().left() // (_CELL + _GAP) - 1)
        last = min(len(self._pictures), event.rect().right() // (_CELL + _GAP) + 1)
        for number in range(first, last):
            self._paint_cell(painter, number)

    def _paint_cell(self, painter: QPainter, number: int) -> None:
        colours = self._theme.colours
        place = self.place(number)
        image = self._image(number)
        if image is not None:
            wide, high = (
                image.width() / self.devicePixelRatioF(),
                image.height() / self.devicePixelRatioF(),
            )
            inner = QRectF(0, 0, wide, high)
            inner.moveCenter(place.center())
            if self._pictures[number].has_alpha:
                painter.setBrushOrigin(inner.topLeft())
                painter.fillRect(inner, checkers(colours, 0.5))
            painter.drawImage(inner, image)
            if number == self.current:
                painter.setPen(QPen(QColor(colours.accent), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(inner.adjusted(-2, -2, 2, 2), 3, 3)
        self._paint_number(painter, place, number)

    def _paint_number(self, painter: QPainter, place: QRectF, number: int) -> None:
        painter.setFont(font(Role.CAPTION))
        words = str(number + 1)
        wide = painter.fontMetrics().horizontalAdvance(words) + 8
        tag = QRectF(place.left(), place.bottom() - 16, wide, 16)
        ground = QColor("#101113")
        ground.setAlphaF(0.86)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(tag, 3, 3)
        painter.setPen(QColor("#F3F4F6"))
        painter.drawText(tag, int(Qt.AlignmentFlag.AlignCenter), words)

    def _image(self, number: int) -> QImage | None:
        if number not in self._images:
            self._images[number] = None
            picture, turn, ratio = self._pictures[number], self._round, self.devicePixelRatioF()
            room = QSize(round(_CELL * ratio), round(_SIDE * ratio))
            self._background.ask(
                lambda: small_picture(picture, Development(), room),
                lambda image: self._take(turn, number, image),
            )
        return self._images[number]

    def _take(self, turn: int, number: int, image: QImage) -> None:
        if turn == self._round:
            self._images[number] = image
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        number = int((event.position().x() - _GAP / 2) // (_CELL + _GAP))
        if 0 <= number < len(self._pictures):
            self.picked.emit(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self._pictures) - 1
        steps: dict[int, int] = {
            Qt.Key.Key_Left: self.current - 1, Qt.Key.Key_Right: self.current + 1,
            Qt.Key.Key_Home: 0, Qt.Key.Key_End: last,
        }  # fmt: skip
        to = steps.get(event.key())
        if to is None:
            super().keyPressEvent(event)
        elif 0 <= to <= last:
            self.picked.emit(to)


class BatchStrip(QScrollArea):
    """A row of small pictures with their numbers; the one that is looked at has a ring."""

    picked = Signal(int)

    def __init__(self, theme: Theme, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cells = _Cells(theme, background)
        self._cells.picked.connect(self.picked)
        self.setWidget(self._cells)
        self.setFixedHeight(HEIGHT)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def set_pictures(self, pictures: tuple[Picture, ...]) -> None:
        """Show these; nothing at all where there is only one."""
        self._cells.set_pictures(pictures)
        self.setVisible(len(pictures) > 1)
        self._make_room()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave room for the bar below where the row is longer than its place."""
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        scrolls = self._cells.width() > self.width()
        self.setFixedHeight(HEIGHT + (10 if scrolls else 0))

    def set_current(self, number: int) -> None:
        """Ring one, and bring it into view."""
        self._cells.current = number
        middle = self._cells.place(number).center()
        self.ensureVisible(round(middle.x()), round(middle.y()), _CELL, 0)
        self._cells.setAccessibleDescription(tr("Picture {n}", n=number + 1))
        self._cells.update()

    def cell(self, number: int) -> QPointF:
        """The middle of a small picture, in the row."""
        return self._cells.place(number).center()

    @property
    def row(self) -> QWidget:
        """The row itself, which takes keys and clicks."""
        return self._cells
