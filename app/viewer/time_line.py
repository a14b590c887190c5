"""The line of time below a video, or the whole view of a sound: its waves, and where one is."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.viewer.playhead import time_words
from app.viewer.waveform import Peaks
from app.widgets.spoken import tell_value
from app.words import tr

_PLAIN, _WAVES = 24, 56
"""Logical pixels of the line's height without waves, and with them."""
_SIDE = 12
_RULER = 20
_MARKS = 90
"""Logical pixels between two marks of the ruler at least."""
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


class TimeLine(QWidget):
    """``count`` places from left to right; one of them is the current one. It is dragged and moved
    by keys: arrows by one, page keys by a second, Home and End. A ``large`` one fills a view and
    has a ruler."""

    spoken_role = QAccessible.Role.Slider

    moved = Signal(int)
    """To a place, which may be outside."""
    held = Signal(bool)
    """A drag has begun, or ended."""

    def __init__(self, theme: Theme, large: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._large = theme, large
        self._count, self._rate, self._at = 1, 1.0, 0
        self._peaks: Peaks | None = None
        self._drawn: tuple[object, tuple[QPixmap, ...]] | None = None
        self._words = self._sentence = ""
        self._dragged = self._by_keyboard = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        tall = QSizePolicy.Policy.Expanding if large else QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, tall)
        self.setAccessibleName(tr("Sound") if large else tr("Time line"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("" if large else tr("Drag to move through it"))
        theme.changed.connect(self.update)

    # What is shown

    @property
    def at(self) -> int:
        """The current place, from 0."""
        return self._at

    @property
    def peaks(self) -> Peaks | None:
        """The waves that are shown."""
        return self._peaks

    @property
    def sentence(self) -> str:
        """What stands in place of the waves."""
        return self._sentence

    def set_scale(self, count: int, rate: float, has_waves: bool) -> None:
        """How many places there are, how many a second, and whether waves will come."""
        self._count, self._rate, self._at = count, rate, 0
        self._peaks, self._drawn = None, None
        self.say("")
        self._dragged = False
        if not self._large:
            self.setFixedHeight(_WAVES if has_waves else _PLAIN)
        self.update()

    def set_peaks(self, peaks: Peaks) -> None:
        """Waves to draw; those of a sound that is read yet grow from left to right."""
        self._peaks = peaks
        self.update()

    def say(self, sentence: str) -> None:
        """Why there are no waves."""
        self._sentence = sentence
        self.setAccessibleDescription(sentence)
        self.update()

    def set_at(self, at: int, words: str, *, told: bool = True) -> None:
        """The current place, and how it is called. Screen readers are not told of each while it
        plays."""
        self._at, self._words = at, words
        if told:
            tell_value(self)
        self.update()

    def spoken_value(self) -> str:
        """What a screen reader says."""
        return self._words

    def place_x(self, at: float) -> float:
        """Where a place lies, in logical pixels from the left."""
        room = self._room()
        return room.left() + (at + 0.5) / self._count * room.width()

    def _room(self) -> QRectF:
        below = _RULER if self._large else 0
        return QRectF(self.rect()).adjusted(_SIDE, 4, -_SIDE, -4 - below)

    # Hands

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go there, and begin to drag."""
        if event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        self._dragged = True
        self.held.emit(True)
        self._go(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go along."""
        if self._dragged:
            self._go(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End it."""
        if self._dragged and event.button() == Qt.MouseButton.LeftButton:
            self._dragged = False
            self.held.emit(False)

    def _go(self, x: float) -> None:
        room = self._room()
        share = (x - room.left()) / max(1.0, room.width())
        self.moved.emit(min(max(int(share * self._count), 0), self._count - 1))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """What the mouse can do, by keys."""
        second = max(1, round(self._rate))
        places = {
            Qt.Key.Key_Left: self._at - 1, Qt.Key.Key_Right: self._at + 1,
            Qt.Key.Key_Down: self._at - 1, Qt.Key.Key_Up: self._at + 1,
            Qt.Key.Key_PageUp: self._at - second, Qt.Key.Key_PageDown: self._at + second,
        }  # fmt: skip
        to = places.get(Qt.Key(event.key()))
        if to is None:
            super().keyPressEvent(event)
        else:
            self.moved.emit(to)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring is for the keyboard only."""
        self._by_keyboard = event.reason() != Qt.FocusReason.MouseFocusReason
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the ring away."""
        super().focusOutEvent(event)
        self.update()

    # Painting

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(320, 160 if self._large else _PLAIN)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        colours, room = self._theme.colours, self._room()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(colours.viewer if self._large else colours.panel))
        if self._large:
            self._paint_ruler(painter, room)
        if self._sentence:
            self._paint_sentence(painter, room)
        elif self._peaks is not None:
            self._paint_waves(painter, room, self._peaks)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._peaks is None and not self._large:
            self._paint_groove(painter, room)
        self._paint_place(painter, room)
        if self.hasFocus() and self._by_keyboard:
            inset = colours.ring / 2
            painter.setPen(QPen(QColor(colours.focus), colours.ring))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(
                QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 4, 4
            )

    def _paint_groove(self, painter: QPainter, room: QRectF) -> None:
        colours = self._theme.colours
        groove = QRectF(room.left(), room.center().y() - 2, room.width(), 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.linestrong))
        painter.drawRoundedRect(groove, 2, 2)
        groove.setRight(self.place_x(self._at))
        painter.setBrush(QColor(colours.accent))
        painter.drawRoundedRect(groove, 2, 2)

    def _paint_waves(self, painter: QPainter, room: QRectF, peaks: Peaks) -> None:
        """What was gone through is in the accent."""
        colours, ratio = self._theme.colours, self.devicePixelRatioF()
        key = (peaks, room.width(), room.height(), ratio, colours)
        if self._drawn is None or self._drawn[0] != key:
            share = peaks.seconds / (self._count / self._rate)
            self._drawn = (
                key,
                tuple(
                    drawn_waves(peaks, room.size(), share, ratio, colour, colours.linestrong)
                    for colour in (colours.accent, colours.weak)
                ),
            )
        begin, x = room.left(), self.place_x(self._at)
        for pixmap, left, right in zip(self._drawn[1], (begin, x), (x, room.right()), strict=True):
            painter.save()
            painter.setClipRect(QRectF(left, room.top(), right - left, room.height()))
            painter.drawPixmap(room.topLeft(), pixmap)
            painter.restore()

    def _paint_place(self, painter: QPainter, room: QRectF) -> None:
        colours, x = self._theme.colours, self.place_x(self._at)
        if self._peaks is None and not self._large:
            painter.setPen(QPen(QColor(colours.panel), 2))
            painter.setBrush(QColor(colours.accent))
            painter.drawEllipse(QPointF(x, room.center().y()), 7, 7)
            return
        painter.setPen(QPen(QColor(colours.strong), 1.5))
        painter.drawLine(QPointF(x, room.top()), QPointF(x, room.bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.strong))
        painter.drawEllipse(QPointF(x, room.top() + 2), 4, 4)

    def _paint_ruler(self, painter: QPainter, room: QRectF) -> None:
        colours, seconds = self._theme.colours, self._count / self._rate
        least = seconds * _MARKS / max(1.0, room.width())
        step = next((each for each in _STEPS if each >= least), _STEPS[-1])
        painter.setFont(font(Role.CAPTION))
        for number in range(int(seconds / step + 1e-6) + 1):
            x = room.left() + number * step / seconds * room.width()
            painter.setPen(QPen(QColor(colours.linestrong), 0))
            painter.drawLine(QPointF(x, room.top()), QPointF(x, room.bottom() + 4))
            words = time_words(number * step)
            words = words if step < 1 else words[:-4]
            wide = painter.fontMetrics().horizontalAdvance(words)
            left = min(max(x - wide / 2, 4.0), self.width() - wide - 4.0)
            painter.setPen(QColor(colours.text))
            painter.drawText(QPointF(left, room.bottom() + _RULER - 2), words)

    def _paint_sentence(self, painter: QPainter, room: QRectF) -> None:
        painter.setFont(font(Role.BODY if self._large else Role.CAPTION))
        painter.setPen(QColor(self._theme.colours.text))
        flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
        painter.drawText(room, flags, self._sentence)


def drawn_waves(
    peaks: Peaks, size: QSizeF, share: float, ratio: float, colour: str, axis: str
) -> QPixmap:
    """The peaks as columns of one device pixel, each lane around its own ``axis``.

    ``share`` is the sound's part of the whole width; a sound that is longer is cut there.
    """
    across = max(1, int(size.width() * ratio))
    made = QPixmap(across, max(1, int(size.height() * ratio)))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    tall = size.height() / peaks.lanes
    first = np.arange(across) * peaks.low.shape[1] / (across * max(share, 1e-9))
    places = first[first < peaks.done].astype(np.intp)
    for lane in range(peaks.lanes):
        middle, half = tall * (lane + 0.5), tall / 2 - 2
        painter.setPen(QPen(QColor(axis), 1 / ratio))
        painter.drawLine(QPointF(0, middle), QPointF(size.width(), middle))
        if not len(places):
            continue
        high = np.maximum.reduceat(peaks.high[lane, : peaks.done], places)
        low = np.minimum.reduceat(peaks.low[lane, : peaks.done], places)
        tops = middle - np.clip(high, 0, 1) * half
        bottoms = middle - np.clip(low, -1, 0) * half
        painter.setPen(QPen(QColor(colour), 1 / ratio))
        painter.drawLines([
            QLineF((n + 0.5) / ratio, top, (n + 0.5) / ratio, bottom)
            for n, (top, bottom) in enumerate(zip(tops.tolist(), bottoms.tolist(), strict=True))
        ])  # fmt: skip
    painter.end()
    return made
