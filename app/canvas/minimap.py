"""The whole graph in a corner: 176 by 124, with the part that is seen; click or drag to go."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.canvas.camera import Camera
from app.canvas.canvas import Canvas
from app.theme.colours import mix
from app.theme.types import category_look
from app.words import tr


class Minimap(QWidget):
    """Lies over its canvas."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.resize(176, 124)
        self.setAccessibleName(tr("Map of the graph"))
        self.setCursor(Qt.CursorShape.ArrowCursor)
        canvas.viewed.connect(self.update)
        canvas.document.changed.connect(lambda *_: self.update())

    def _world(self) -> QRectF:
        bounds = self._canvas.board.bounds() or QRectF(0, 0, 1, 1)
        return bounds.united(self._canvas.visible()).adjusted(-40, -40, 40, 40)

    def _camera(self) -> Camera:
        world = self._world()
        zoom = min((self.width() - 12) / world.width(), (self.height() - 12) / world.height())
        centre = world.center()
        return Camera(
            centre.x() - self.width() / 2 / zoom, centre.y() - self.height() / 2 / zoom, zoom
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        colours, camera = self._canvas.theme.colours, self._camera()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(colours.overlay)
        ground.setAlphaF(0.9)
        painter.setPen(QPen(QColor(colours.linestrong), 1))
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.setPen(Qt.PenStyle.NoPen)
        for view in self._canvas.board.nodes.values():
            if view.zone:
                continue
            hue = category_look(view.hue_type).hue(colours)
            failed = view.run.status == "failed"
            painter.setBrush(QColor(colours.danger if failed else mix(colours.overlay, hue, 0.62)))
            painter.drawRect(camera.rect_to_screen(view.rect))
        seen = camera.rect_to_screen(self._canvas.visible())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours.accent), 1.5))
        painter.drawRoundedRect(seen.intersected(QRectF(self.rect()).adjusted(3, 3, -3, -3)), 3, 3)

    def _go(self, at: QPointF) -> None:
        there = self._camera().to_canvas(at)
        zoom = self._canvas.camera.zoom
        x = there.x() - self._canvas.width() / 2 / zoom
        self._canvas.set_camera(Camera(x, there.y() - self._canvas.height() / 2 / zoom, zoom))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position())
