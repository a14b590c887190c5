"""A picture to look into: zoomed to its pixels, panned, compared and probed."""

from __future__ import annotations

import time
from dataclasses import replace
from enum import Enum

from PySide6.QtCore import QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QFocusEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme.icons import icon
from app.theme.theme import Theme
from app.viewer.background import Background
from app.viewer.develop import Development
from app.viewer.frame import Frame
from app.viewer.layer import Layer
from app.viewer.marks import (
    checkers,
    paint_cross,
    paint_divider,
    paint_pill,
    paint_sentence,
)
from app.viewer.picture import Picture
from app.viewer.tiles import Tiles
from app.words import tr

MARGIN = 16
_PAINT_SECONDS = 0.008
"""For how long one painting makes tiles; the rest follow in the next."""


class Compare(Enum):
    """How a picture is held against the one that is pinned."""

    OFF = "off"
    WIPE = "wipe"
    DIFFERENCE = "difference"


class PictureView(QWidget):
    """Shows one picture, beside another where one is pinned.

    It knows nothing of runs and files; ``app.viewer.hands`` adds mouse and keys.
    """

    spoken_role = QAccessible.Role.Graphic

    probed = Signal(object)
    """The pixel under the probe as ``(x, y)``, or ``None`` where there is none."""
    framed = Signal()
    """The zoom or the place has changed."""

    def __init__(self, theme: Theme, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._background = background
        self._tiles = Tiles()
        self._a: Layer | None = None
        self._b: Layer | None = None
        self._frame = Frame(1, 1, 1, 1)
        self._complete = True
        self.is_fitted = True
        self.development = Development()
        self.wipe: float | None = None
        self.pin: tuple[int, int] | None = None
        self.probing = False
        self.pill = ""
        self.sides = ("", "")
        self.sentence = ""
        self._again = QTimer(self, singleShot=True, interval=0)
        self._again.timeout.connect(self.update)
        self._by_keyboard = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 90)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(tr("Picture"))
        theme.changed.connect(self.update)

    # What is shown

    @property
    def picture(self) -> Picture | None:
        """The picture that is shown."""
        return self._a.picture if self._a else None

    @property
    def is_complete(self) -> bool:
        """Whether what is shown now has been drawn with every pixel as it is."""
        return self._complete

    @property
    def frame(self) -> Frame:
        """Where the picture lies."""
        return self._frame

    @property
    def ratio(self) -> float:
        """Device pixels in a logical one."""
        return self.devicePixelRatioF()

    def set_picture(self, picture: Picture | None) -> None:
        """Show a picture; one of the size of the old one takes its place and zoom."""
        before = self.picture
        if picture is before:
            return
        if self._a is not None:
            self._a.drop()
        self._a = self._layer(picture)
        self._tiles.clear()
        if picture is not None:
            same = before is not None and before.pixels.shape[:2] == picture.pixels.shape[:2]
            self._frame = replace(self._frame, width=picture.width, height=picture.height)
            if self.is_fitted or not same:
                self.fit()
            if not same:
                self.pin = None
        self._redraw()

    def set_other(self, picture: Picture | None) -> None:
        """The picture that lies right of the wipe, drawn as large as the first."""
        if self._b is not None and self._b.picture is picture:
            return
        if self._b is not None:
            self._b.drop()
        self._b = self._layer(picture)
        self._redraw()

    def set_development(self, development: Development) -> None:
        """Show it otherwise exposed, or another channel."""
        if development != self.development:
            self.development = development
            self._redraw()

    def _layer(self, picture: Picture | None) -> Layer | None:
        return Layer(picture, self._background, self._redraw) if picture is not None else None

    # Where it lies

    def fit(self) -> None:
        """Show the whole picture; it stays whole when the view changes its size."""
        self.is_fitted = True
        self._put(self._frame.fitted(round(MARGIN * self.ratio)))

    def zoom_to(self, scale: float, at: QPointF | None = None) -> None:
        """Device pixels per pixel, with the point ``at`` of the view (its middle) held."""
        left, top = self.device(at)
        self.is_fitted = False
        self._put(self._frame.zoomed(scale, left, top))

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Nearer or further by a factor."""
        left, top = self.device(at)
        self.is_fitted = False
        self._put(self._frame.turned(factor, left, top))

    def pan(self, moved: QPointF) -> None:
        """Move the picture by logical pixels."""
        self.is_fitted = False
        self._put(self._frame.panned(moved.x() * self.ratio, moved.y() * self.ratio))

    def device(self, at: QPointF | None) -> tuple[float, float]:
        """A logical point of the view in device pixels; the middle where there is none."""
        if at is None:
            return self._frame.across / 2, self._frame.down / 2
        return at.x() * self.ratio, at.y() * self.ratio

    def pixel_at(self, at: QPointF) -> tuple[int, int] | None:
        """Column and row of the pixel under a point of the view, or ``None`` beside the picture."""
        if self._a is None:
            return None
        x, y = (int(each // 1) for each in self._frame.to_picture(*self.device(at)))
        inside = 0 <= x < self._frame.width and 0 <= y < self._frame.height
        return (x, y) if inside else None

    def divider(self) -> float | None:
        """Where the wipe stands, in logical pixels from the left; ``None`` without one."""
        if self.wipe is None or self._a is None or self._b is None:
            return None
        left = self._frame.corner[0]
        return (left + self.wipe * self._frame.drawn[0]) / self.ratio

    def set_wipe(self, share: float | None) -> None:
        """Where the wipe stands, as a share of the picture's width; ``None`` takes it away."""
        self.wipe = None if share is None else min(max(share, 0.0), 1.0)
        self._redraw()

    def set_pin(self, pixel: tuple[int, int] | None) -> None:
        """Where the probe is held; ``None`` lets it follow the pointer."""
        if pixel is not None and self._a is not None:
            x = min(max(pixel[0], 0), self._frame.width - 1)
            y = min(max(pixel[1], 0), self._frame.height - 1)
            pixel = x, y
        self.pin = pixel
        self.probed.emit(pixel)
        self._redraw()

    def _put(self, frame: Frame) -> None:
        if frame != self._frame:
            self._frame = frame
            self.framed.emit()
            self._redraw()

    def _redraw(self) -> None:
        self._complete = False
        self.update()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.colours.viewer))
        if self._a is None:
            self._complete = True
            words = self.sentence or tr("Nothing to look at yet. Run the graph, or pick a node.")
            paint_sentence(painter, self.rect(), words, self._theme.colours)
        else:
            painter.save()
            painter.scale(1 / self.ratio, 1 / self.ratio)
            self._paint_pixels(painter)
            painter.restore()
            self._paint_marks(painter)
        if self.hasFocus() and self._by_keyboard:
            painter.setPen(QPen(QColor(self._theme.colours.focus), self._theme.colours.ring))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()
        if not self._complete:
            self._again.start()

    def _paint_pixels(self, painter: QPainter) -> None:
        assert self._a is not None
        size, corner = self._frame.drawn, self._frame.corner
        room = QRect(0, 0, self._frame.across, self._frame.down)
        pictures = [each.picture for each in (self._a, self._b) if each is not None]
        if any(picture.has_alpha for picture in pictures):
            painter.setBrushOrigin(*corner)
            painter.fillRect(
                QRect(*corner, *size) & room, checkers(self._theme.colours, self.ratio)
            )
        until = time.perf_counter() + _PAINT_SECONDS
        at = self.divider()
        if at is None or self._b is None:
            self._complete = self._a.paint(
                painter, size, corner, room, self.development, self._tiles, until
            )
            return
        left, right = QRect(room), QRect(room)
        left.setRight(round(at * self.ratio) - 1)
        right.setLeft(round(at * self.ratio))
        parts = [
            layer.paint(painter, size, corner, part, self.development, self._tiles, until)
            for layer, part in ((self._a, left), (self._b, right))
        ]
        self._complete = all(parts)

    def _paint_marks(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        at = self.divider()
        if at is not None:
            paint_divider(painter, at, self.height(), self._theme.colours)
        if self.probing and self.pin is not None:
            x, y = self._frame.to_view(self.pin[0] + 0.5, self.pin[1] + 0.5)
            paint_cross(painter, QPointF(x, y) / self.ratio)
        left, top = self._frame.corner
        inset = QPointF(max(12.0, left / self.ratio + 12), max(12.0, top / self.ratio + 12))
        if self.pill:
            paint_pill(painter, inset, self.pill, self._history())
            inset += QPointF(0, 28)
        if at is not None:
            paint_pill(painter, inset, self.sides[0])
            begin = max(at + 12, inset.x())
            paint_pill(painter, QPointF(begin, inset.y()), self.sides[1])

    def _history(self) -> QPixmap:
        return icon("history", 12, "#C9CCD1", self.ratio)

    # What Qt tells

    def sizeHint(self) -> QSize:
        """As in the designed window."""
        return QSize(480, 368)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the whole picture in view, or the point in the middle."""
        across, down = round(self.width() * self.ratio), round(self.height() * self.ratio)
        self._put(self._frame.seen_by(across, down))
        if self.is_fitted and self._a is not None:
            self.fit()

    def leaveEvent(self, event: object) -> None:
        """The probe has nothing under it any more."""
        if self.pin is None:
            self.probed.emit(None)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the ring where the keyboard brought the focus."""
        keys = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason,
                Qt.FocusReason.ShortcutFocusReason)  # fmt: skip
        self._by_keyboard = event.reason() in keys
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the ring away."""
        super().focusOutEvent(event)
        self.update()
