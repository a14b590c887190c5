"""The surface of the canvas: which part of the board is seen, how large, and how it is painted."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QElapsedTimer, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.canvas.area import Area
from app.canvas.board import Board
from app.canvas.camera import Camera
from app.canvas.fitting import fitted, free_areas
from app.canvas.frame_store import FrameStore
from app.canvas.glide import Glide
from app.canvas.index import Box
from app.canvas.live import Live
from app.canvas.look import Look
from app.canvas.measure import BLOCKS, rows_of
from app.canvas.node_pictures import NodePictures
from app.canvas.paint_scene import Chosen, paint_far, paint_scene
from app.canvas.text import paint_text
from app.document.edits.common import SpecOf
from app.theme.fonts import Role
from app.theme.theme import Theme
from app.words import tr

_SETTLED = 70
"""Milliseconds without a change of zoom until all is painted as it is."""
_PREVIEW = 250
"""Milliseconds for which a stretched picture may stand in while the zoom changes."""


class Surface(QWidget):
    """A board on screen. ``look`` and ``paint_over`` say what its heirs add to the painting."""

    viewed = Signal()
    """Another part is seen, or at another zoom."""

    def __init__(self, theme: Theme, spec_of: SpecOf, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.board = Board(spec_of, rows_of(theme.measures.density))
        self.camera = Camera()
        self._store = FrameStore()
        self._painted = QElapsedTimer()
        self._was_empty = False
        self._zooming = QTimer(self, singleShot=True, interval=_SETTLED)
        self._zooming.timeout.connect(self._on_settled)
        self._pictures = NodePictures()
        self._glide = Glide(self)
        self._live = Live(self)
        self._chosen = Chosen()
        self._whole: Camera | None = None
        """The view in which everything was fitted at once."""
        self.covers: tuple[QWidget, ...] = ()
        """What floats over it: nothing is put below these where all is to be seen."""
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(240, 160)
        theme.changed.connect(self._on_theme)

    def look(self) -> Look:
        """How things are painted now."""
        ratio = self.devicePixelRatioF()
        return Look(self.theme.colours, self.camera.zoom * ratio, self.camera.zoom)

    def paint_over(self, painter: QPainter) -> None:
        """Paint over everything else, in the canvas's own pixels."""

    # -- the view -------------------------------------------------------------------------------

    def set_camera(self, camera: Camera) -> None:
        """See another part; the corner falls on a device pixel, so that panning can shift."""
        step = camera.zoom * self.devicePixelRatioF()
        snapped = Camera(round(camera.x * step) / step, round(camera.y * step) / step, camera.zoom)
        if snapped != self.camera:
            if snapped.zoom != self.camera.zoom:
                self._zooming.start()
            self.camera = snapped
            self.viewed.emit()
            self.update()

    def visible(self) -> QRectF:
        """What is seen, on the canvas."""
        return self.camera.rect_to_canvas(QRectF(self.rect()))

    def fit(self, paths: Collection[str] | None = None, animated: bool = True) -> None:
        """Show these nodes, or everything."""
        bounds = self.board.bounds(paths)
        if bounds is None:
            self._glide.to(Camera(-self.width() / 2, -self.height() / 2), animated)
            return
        covers = [self._place_over(each) for each in self.covers if each.isVisible()]

        def hides(camera: Camera) -> bool:
            return any(self._holds(camera.rect_to_canvas(cover), paths) for cover in covers)

        areas = free_areas(QRectF(self.rect()), covers)
        self._glide.to(fitted(bounds, areas, hides), animated)
        self._whole = self.camera if paths is None and not animated else None

    def _place_over(self, widget: QWidget) -> QRectF:
        corner = self.mapFromGlobal(widget.mapToGlobal(QPoint(0, 0)))
        return QRectF(QRect(corner, widget.size()))

    def _holds(self, spot: QRectF, paths: Collection[str] | None) -> bool:
        """Whether one of these nodes, or anything, lies in a rectangle of the canvas."""
        found = [view for view in self.board.nodes_in(spot) if view.rect.intersects(spot)]
        if paths is not None:
            return any(view.path in paths for view in found)
        notes = any(note.rect.intersects(spot) for note in self.board.notes)
        return notes or any(not view.zone for view in found)

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Larger or smaller around a place of the widget, or its middle."""
        self._glide.stop()
        middle = QPointF(self.width() / 2, self.height() / 2)
        self.set_camera(self.camera.zoomed(factor, at if at is not None else middle))

    def zoom_to(self, zoom: float) -> None:
        """A zoom, such as 1.0 for 100 %."""
        middle = QPointF(self.width() / 2, self.height() / 2)
        self._glide.to(self.camera.zoomed(zoom / self.camera.zoom, middle), True)

    def set_reduced_motion(self, on: bool) -> None:
        """Nothing moves by itself."""
        self._glide.still = on
        self._live.still = on

    # -- painting -------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Paint what has changed on the board."""
        if self._was_empty != self.board.is_empty:
            self._was_empty = not self._was_empty
            self.update()
        boxes = self.board.take_dirty(self.look().scale < BLOCKS)
        if boxes is None:
            self.repaint_all()
        elif boxes:
            self.update(self._store.spoil_boxes(boxes, self.camera))

    def spoil(self, *boxes: Box) -> None:
        """Paint these boxes of the canvas anew."""
        self.update(self._store.spoil_boxes(boxes, self.camera))

    def _on_theme(self) -> None:
        self.board.set_rows(rows_of(self.theme.measures.density))
        self.repaint_all()

    def repaint_all(self) -> None:
        """Paint everything anew."""
        self.board.take_dirty()
        self._store.spoil()
        self.update()

    def _is_moving(self) -> bool:
        """Whether the zoom is under way, so that a preview must do; now and then it is painted."""
        fresh = self._painted.isValid() and self._painted.elapsed() < _PREVIEW
        other = self._store.zoom != self.camera.zoom  # else what is kept can be shifted
        return self._zooming.isActive() and fresh and other and self._store.is_painted

    def _on_settled(self) -> None:
        self.update()

    def _paint_preview(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), self.look()

        def rest(painter: QPainter, area: Area, _: Camera) -> None:
            paint_far(painter, self.board, look, area.bounds)

        self._store.preview(painter, self.camera, rest)
        painter.end()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._is_moving():
            self._paint_preview(event)
            return
        self._store.show(self.camera, self.size(), self.devicePixelRatioF())
        look = self.look()
        self._painted.start()

        def paint(painter: QPainter, area: Area, camera: Camera) -> None:
            paint_scene(painter, self.board, camera, look, area, self._chosen, self._pictures)

        self._store.refresh(paint)
        painter = QPainter(self)
        self._store.draw(painter, event.rect())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.board.is_empty:
            self._paint_empty(painter)
        painter.scale(self.camera.zoom, self.camera.zoom)
        painter.translate(-self.camera.x, -self.camera.y)
        self._live.paint(painter, look)
        self.paint_over(painter)
        painter.end()

    def _paint_empty(self, painter: QPainter) -> None:
        """What to do where there is nothing."""
        colours, middle = self.theme.colours, QRectF(self.rect()).center()
        x, y = middle.x(), middle.y()
        paint_text(painter, x, y - 14, tr("Nothing here yet."), Role.EMPTY, colours.text,
                   align="middle")  # fmt: skip
        said = tr("Press Tab to add a node, or drop a picture.")
        paint_text(painter, x, y + 14, said, Role.BODY, colours.weak, align="middle")

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.viewed.emit()
        super().resizeEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(960, 640)

    def node_rect(self, path: str) -> QRect:
        """Where a node is painted, in the pixels of the widget."""
        return self.camera.rect_to_screen(self.board.nodes[path].rect).toAlignedRect()
