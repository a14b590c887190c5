"""A picture with a mask over it, and the tools that paint the mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPen

from app.theme.theme import Theme
from app.widgets.paint.mask import Brush, MaskPainting
from app.widgets.paint.view import PictureView

LEAST_BRUSH, MOST_BRUSH = 1.0, 1024.0
_TINT = QColor(255, 64, 64)


class Tool(Enum):
    """What the hand does."""

    BRUSH = "brush"
    LASSO = "lasso"
    FILL = "fill"


class MaskView(PictureView):
    """Paints a mask. Shift (or the right button) erases, [ and ] change the brush, Esc takes a
    stroke back, Ctrl + Z undoes."""

    painted = Signal()
    brush_changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.painting = MaskPainting(QSize(512, 512))
        self.tool = Tool.BRUSH
        self.brush = Brush()
        self.opacity = 0.55
        self._down = False
        self._line: list[QPointF] = []
        self._pointer: QPointF | None = None
        self._tinted: QImage | None = None
        self.setCursor(self.work_cursor())
        self.setAccessibleName("Mask")

    def show_mask(self, picture: QImage, mask: QImage | None = None) -> None:
        """Paint over a picture, beginning with a mask."""
        self.show_picture(picture)
        self.painting = MaskPainting(self.picture_size(), mask)
        self._tinted = None

    def set_brush(self, brush: Brush) -> None:
        """Go on with another brush."""
        size = min(MOST_BRUSH, max(LEAST_BRUSH, brush.size))
        self.brush = replace(brush, size=size, hardness=min(1.0, max(0.0, brush.hardness)))
        self.brush_changed.emit()
        self.update()

    def do(self, name: str) -> None:
        """One of ``undo``, ``redo``, ``clear``, ``invert``, ``all``."""
        acts: dict[str, Callable[[], QRect]] = {
            "undo": self.painting.undo, "redo": self.painting.redo,
            "clear": self.painting.clear, "invert": self.painting.invert,
            "all": lambda: self.painting.clear(True),
        }  # fmt: skip
        self._changed(acts[name]())

    def _changed(self, rect: QRect) -> None:
        if not rect.isEmpty():
            self._tint(rect)
            self.update_part(rect)
            self.painted.emit()

    # What is seen.

    def paint_over(self, painter: QPainter, box: QRectF) -> None:
        """The mask as a tint, the lasso, and the ring of the brush."""
        if self._tinted is None:
            self._tint(QRect(QPointF(0, 0).toPoint(), self.picture_size()))
        if self._tinted is not None:
            painter.setOpacity(self.opacity)
            painter.drawImage(box, self._tinted)
            painter.setOpacity(1.0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for width, colour in ((3.0, "#000000"), (1.4, "#FFFFFF")):
            painter.setPen(QPen(QColor(colour), width))
            if len(self._line) > 1:
                painter.drawPolyline([self.to_widget(point) for point in self._line])
            if self.tool is Tool.BRUSH and self._pointer is not None:
                radius = self.brush.size / 2 * self.zoom
                painter.drawEllipse(self._pointer, radius, radius)

    def _tint(self, rect: QRect) -> None:
        """Bring the tint of a part up to date with the mask."""
        size = self.picture_size()
        if self._tinted is None or self._tinted.size() != size:
            self._tinted = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
            rect = QRect(0, 0, size.width(), size.height())
        part = QImage(rect.size(), QImage.Format.Format_ARGB32)
        part.fill(_TINT)
        part.setAlphaChannel(self.painting.image.copy(rect))
        painter = QPainter(self._tinted)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(rect.topLeft(), part)
        painter.end()

    # What is done.

    def press(self, at: QPointF, event: QMouseEvent) -> None:
        """Begin a stroke or a lasso, or fill."""
        erase = self._erases(event)
        if self.tool is Tool.FILL:
            spot = QPointF(at.x() // 1, at.y() // 1).toPoint()
            self._changed(self.painting.fill(spot, erase))
            return
        self._down = True
        if self.tool is Tool.LASSO:
            self._line = [at]
        else:
            self._changed(self.painting.begin(at, replace(self.brush, erase=erase)))

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        """Go on with it."""
        old, self._pointer = self._pointer, event.position()
        if self._down and self.tool is Tool.LASSO:
            self._line.append(at)
            self.update()
        elif self._down:
            self._changed(self.painting.move(at))
        if self.tool is Tool.BRUSH:
            reach = self.brush.size / 2 * self.zoom + 3
            for place in filter(None, (old, self._pointer)):
                box = QRectF(place.x() - reach, place.y() - reach, 2 * reach, 2 * reach)
                self.update(box.toAlignedRect())

    def release(self, at: QPointF, event: QMouseEvent) -> None:
        """The stroke or the lasso is done."""
        if not self._down:
            return
        self._down = False
        if self.tool is Tool.LASSO:
            line, self._line = self._line, []
            self._changed(self.painting.lasso(line, self._erases(event)))
            self.update()
        else:
            self.painting.end()
            self.painted.emit()

    def _erases(self, event: QMouseEvent) -> bool:
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        return self.brush.erase != shift

    def leaveEvent(self, event: object) -> None:
        """The ring of the brush goes."""
        self._pointer = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Brush, tools, undo; Esc takes back what is under way."""
        tools = {"b": Tool.BRUSH, "l": Tool.LASSO, "f": Tool.FILL}
        if event.matches(QKeySequence.StandardKey.Undo):
            self.do("undo")
        elif event.matches(QKeySequence.StandardKey.Redo):
            self.do("redo")
        elif event.text() in ("[", "]"):
            self.set_brush(
                replace(self.brush, size=self.brush.size * (0.8 if event.text() == "[" else 1.25))
            )
        elif event.text() in tools:
            self.tool = tools[event.text()]
            self.brush_changed.emit()
            self.update()
        elif event.text() == "e":
            self.set_brush(replace(self.brush, erase=not self.brush.erase))
        elif event.key() == Qt.Key.Key_Escape and self._down:
            self._down, self._line = False, []
            self._changed(self.painting.cancel())
            self.update()
        else:
            super().keyPressEvent(event)
