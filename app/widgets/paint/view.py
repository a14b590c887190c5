"""A picture that is worked on: shown whole or larger, moved and zoomed, in its own pixels."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from app.theme.theme import Theme

MOST = 32.0
_MARGIN = 16


class PictureView(QWidget):
    """Shows a picture. The wheel zooms to the pointer, the middle button and Space move it."""

    spoken_role = QAccessible.Role.Graphic

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.picture = QImage()
        self._size = QSize(1, 1)
        self._zoom = 0.0
        self._corner = QPointF()
        self._grabbed: QPointF | None = None
        self._space = False
        self._ringed = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(160, 120)
        theme.changed.connect(self.update)

    def show_picture(self, picture: QImage, size: QSize | None = None) -> None:
        """Show a picture whole; without one a ground of ``size`` pixels."""
        self.picture = picture
        self._size = picture.size() if not picture.isNull() else (size or QSize(512, 512))
        self.fit()

    def picture_size(self) -> QSize:
        """Its size in its own pixels."""
        return self._size

    @property
    def zoom(self) -> float:
        """Logical pixels of the widget in a pixel of the picture."""
        return self._zoom or self._fitting()

    def fit(self) -> None:
        """Show all of it."""
        self._zoom = 0.0
        self.update()

    def _fitting(self) -> float:
        wide = max(1, self.width() - 2 * _MARGIN) / self._size.width()
        tall = max(1, self.height() - 2 * _MARGIN) / self._size.height()
        return max(1e-3, min(wide, tall, 8.0))

    def corner(self) -> QPointF:
        """Where the picture's corner lies in the widget."""
        if self._zoom:
            return self._corner
        zoom = self._fitting()
        return QPointF(
            (self.width() - self._size.width() * zoom) / 2,
            (self.height() - self._size.height() * zoom) / 2,
        )

    def to_picture(self, place: QPointF) -> QPointF:
        """A place of the widget in pixels of the picture."""
        return (place - self.corner()) / self.zoom

    def to_widget(self, place: QPointF) -> QPointF:
        """A place of the picture in the widget."""
        return self.corner() + place * self.zoom

    def rect_to_widget(self, rect: QRectF) -> QRectF:
        """A rectangle of the picture in the widget."""
        return QRectF(self.to_widget(rect.topLeft()), rect.size() * self.zoom)

    def update_part(self, rect: QRect) -> None:
        """Paint a rectangle of the picture anew."""
        if not rect.isEmpty():
            self.update(self.rect_to_widget(QRectF(rect)).toAlignedRect().adjusted(-2, -2, 2, 2))

    def zoom_by(self, factor: float, at: QPointF) -> None:
        """Show it larger by a factor, with what lies at a place of the widget staying there."""
        held, zoom = self.to_picture(at), self.zoom
        self._zoom = min(MOST, max(min(0.02, self._fitting()), zoom * factor))
        self._corner = at - held * self._zoom
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The neutral ground, the picture, and what lies over it."""
        painter = QPainter(self)
        colours = self._theme.colours
        painter.fillRect(self.rect(), QColor(colours.viewer))
        box = self.rect_to_widget(QRectF(QPointF(0, 0), self._size))
        if self.picture.isNull():
            painter.fillRect(box, QColor("#808080"))
        else:
            painter.setRenderHint(
                QPainter.RenderHint.SmoothPixmapTransform, self.zoom < 2
            )  # fmt: skip
            painter.drawImage(box, self.picture)
        self.paint_over(painter, box)
        if self._ringed:
            painter.setPen(QPen(QColor(colours.focus), colours.ring))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def paint_over(self, painter: QPainter, box: QRectF) -> None:
        """What is worked on; ``box`` is the picture's place in the widget."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom to the pointer."""
        turns = event.angleDelta().y() / 120
        if turns:
            self.zoom_by(1.25**turns, event.position())
            event.accept()

    def moves_picture(self, event: QMouseEvent) -> bool:
        """Whether a press takes hold of the picture itself."""
        return event.button() is Qt.MouseButton.MiddleButton or (
            self._space and event.button() is Qt.MouseButton.LeftButton
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the picture, or begin to work."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if self.moves_picture(event):
            self._grabbed = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif event.button() is Qt.MouseButton.LeftButton:
            self.press(self.to_picture(event.position()), event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the picture, or work."""
        if self._grabbed is not None:
            by, self._grabbed = event.position() - self._grabbed, event.position()
            zoom, corner = self.zoom, self.corner()
            self._zoom, self._corner = zoom, corner + by
            self.update()
        else:
            self.drag(self.to_picture(event.position()), event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        if self._grabbed is not None:
            self._grabbed = None
            self.setCursor(self.work_cursor())
        elif event.button() is Qt.MouseButton.LeftButton:
            self.release(self.to_picture(event.position()), event)

    def press(self, at: QPointF, event: QMouseEvent) -> None:
        """The hand goes down at a place of the picture."""

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        """The hand moves, down or not."""

    def release(self, at: QPointF, event: QMouseEvent) -> None:
        """The hand goes up."""

    def work_cursor(self) -> Qt.CursorShape:
        """The pointer while it works."""
        return Qt.CursorShape.CrossCursor

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space moves, 0 shows all, + and - zoom."""
        middle = QPointF(self.rect().center())
        if event.key() == Qt.Key.Key_Space:
            self._space = True
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        elif event.text() == "0":
            self.fit()
        elif event.text() in ("+", "="):
            self.zoom_by(1.25, middle)
        elif event.text() == "-":
            self.zoom_by(0.8, middle)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Space is let go."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self.setCursor(self.work_cursor())
        else:
            super().keyReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring is for the keyboard."""
        tab = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._ringed = event.reason() in tab
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The ring goes, and Space is up."""
        self._ringed = self._space = False
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """What is shown whole stays whole."""
        self.update()
