"""The painted canvas, kept: panning shifts it, an edit paints only what it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil, floor

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize
from PySide6.QtGui import QPainter, QPixmap, QRegion

from app.canvas.area import Area, rects_of
from app.canvas.camera import Camera
from app.canvas.index import Box

Paint = Callable[[QPainter, Area, Camera], None]
_MANY = 96
"""More boxes than this are taken as one around them all."""
_PARTS = 64
"""More rectangles than this are painted as one around them all."""
MARGIN = 128
"""Logical pixels that are painted beyond each edge of the view."""


class FrameStore:
    """A picture of the view and of a margin around it, in device pixels, and what of it is stale.

    Inside the margin panning paints nothing; at its end the picture is shifted, and only what comes
    in is painted.
    """

    def __init__(self) -> None:
        self._pixmap = QPixmap()
        self._stale = QRegion()
        self._camera: Camera | None = None
        """What lies in the corner of the picture, not of the view."""
        self._ratio = 1.0
        self._size = QSize()
        self._offset = QPointF()

    def spoil(self) -> None:
        """Everything is stale."""
        self._camera = None

    def spoil_boxes(self, boxes: Iterable[Box], camera: Camera) -> QRegion:
        """These boxes of the canvas are stale; the region of the widget, in logical pixels."""
        found, seen, held = list(boxes), QRect(QPoint(0, 0), self._size), self._camera
        if held is None:
            return QRegion(seen)
        stale = _region(found, held, QRect(QPoint(0, 0), self._whole()))
        self._stale += stale
        if held.zoom != camera.zoom:
            return _region(found, camera, seen)
        dx, dy = (held.x - camera.x) * held.zoom, (held.y - camera.y) * held.zoom
        return stale.translated(round(dx), round(dy)) & seen

    def _whole(self) -> QSize:
        return QSize(self._size.width() + 2 * MARGIN, self._size.height() + 2 * MARGIN)

    def show(self, camera: Camera, size: QSize, ratio: float) -> None:
        """Be ready for a view: shift what can be kept, and mark the rest as stale."""
        self._size = QSize(size)
        whole = self._whole()
        pixels = QSize(ceil(whole.width() * ratio), ceil(whole.height() * ratio))
        if pixels != self._pixmap.size() or ratio != self._ratio:
            self._pixmap = QPixmap(pixels)
            self._pixmap.setDevicePixelRatio(ratio)
            self._ratio, self._camera = ratio, None
        old = self._camera
        step = MARGIN / camera.zoom
        fresh = Camera(camera.x - step, camera.y - step, camera.zoom)
        if old is None or old.zoom != camera.zoom:
            self._camera, self._stale = fresh, QRegion(QRect(QPoint(0, 0), whole))
        else:
            dx, dy = (camera.x - old.x) * camera.zoom, (camera.y - old.y) * camera.zoom
            if not (-0.01 <= dx <= 2 * MARGIN + 0.01 and -0.01 <= dy <= 2 * MARGIN + 0.01):
                self._shift(old, fresh, whole, ratio)
        held = self._camera
        assert held is not None
        self._offset = QPointF((camera.x - held.x) * camera.zoom, (camera.y - held.y) * camera.zoom)

    def _shift(self, old: Camera, fresh: Camera, whole: QSize, ratio: float) -> None:
        """Have another part in the picture, and keep what both have."""
        everything = QRect(QPoint(0, 0), whole)
        dx = (old.x - fresh.x) * fresh.zoom * ratio
        dy = (old.y - fresh.y) * fresh.zoom * ratio
        sx, sy = round(dx), round(dy)
        width, height = self._pixmap.width(), self._pixmap.height()
        near = abs(sx - dx) < 1e-3 and abs(sy - dy) < 1e-3
        self._camera = fresh
        if not near or abs(sx) >= width or abs(sy) >= height:
            self._stale = QRegion(everything)
            return
        self._stale.translate(round(sx / ratio), round(sy / ratio))
        if ratio != 1.0:  # shifted by whole device pixels, stale in whole logical ones
            self._stale = _grown(self._stale)
        self._pixmap.setDevicePixelRatio(1.0)
        self._pixmap.scroll(sx, sy, self._pixmap.rect())
        self._pixmap.setDevicePixelRatio(ratio)
        kept = QRect(
            ceil(max(sx, 0) / ratio), ceil(max(sy, 0) / ratio),
            floor((width - abs(sx)) / ratio), floor((height - abs(sy)) / ratio),
        )  # fmt: skip
        self._stale = (self._stale + (QRegion(everything) - QRegion(kept))) & QRegion(everything)

    def refresh(self, paint: Paint) -> None:
        """Paint what is stale; ``paint`` gets a painter in canvas pixels, an area there,
        and the camera of the picture."""
        camera = self._camera
        if camera is None or self._stale.isEmpty():
            return
        stale = self._stale
        if stale.rectCount() > _PARTS:
            stale = QRegion(stale.boundingRect())
        area = Area([camera.rect_to_canvas(QRectF(rect)) for rect in rects_of(stale)])
        painter = QPainter(self._pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        painter.setClipRegion(stale)
        painter.scale(camera.zoom, camera.zoom)
        painter.translate(-camera.x, -camera.y)
        paint(painter, area, camera)
        painter.end()
        self._stale = QRegion()

    def preview(self, painter: QPainter, camera: Camera, paint_rest: Paint) -> None:
        """Show another view before it is painted: what is kept, stretched, and the rest from afar.

        ``paint_rest`` gets a painter in canvas pixels, clipped to what is not kept.
        """
        old, size = self._camera, self._size
        if old is None:
            return
        share = camera.zoom / old.zoom
        left, top = (old.x - camera.x) * camera.zoom, (old.y - camera.y) * camera.zoom
        held = self._whole()
        kept = QRectF(left, top, held.width() * share, held.height() * share)
        whole = QRect(QPoint(0, 0), size)
        rest = QRegion(whole) - QRegion(kept.adjusted(1, 1, -1, -1).toRect())
        if not rest.isEmpty():
            painter.save()
            painter.setClipRegion(rest)
            painter.scale(camera.zoom, camera.zoom)
            painter.translate(-camera.x, -camera.y)
            paint_rest(painter, Area([camera.rect_to_canvas(QRectF(whole))]), camera)
            painter.restore()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawPixmap(kept, self._pixmap, QRectF(self._pixmap.rect()))

    @property
    def zoom(self) -> float | None:
        """At which zoom the picture was painted."""
        return self._camera.zoom if self._camera is not None else None

    @property
    def is_painted(self) -> bool:
        """Whether there is a picture that a preview can be made of."""
        return self._camera is not None and self._stale.isEmpty()

    def draw(self, painter: QPainter, rect: QRect) -> None:
        """Put a part of the picture on the widget."""
        ratio = self._ratio
        source = QRectF(
            (rect.x() + self._offset.x()) * ratio, (rect.y() + self._offset.y()) * ratio,
            rect.width() * ratio, rect.height() * ratio,
        )  # fmt: skip
        painter.drawPixmap(QRectF(rect), self._pixmap, source)


def _region(boxes: list[Box], camera: Camera, within: QRect) -> QRegion:
    """Where boxes of the canvas are painted; many are taken as one around them all."""
    if len(boxes) > _MANY:
        lefts, tops, rights, bottoms = zip(*boxes, strict=True)
        boxes = [(min(lefts), min(tops), max(rights), max(bottoms))]
    region = QRegion()
    for box in boxes:
        region += _screen(box, camera).intersected(within)
    return region


def _screen(box: Box, camera: Camera) -> QRect:
    left = floor((box[0] - camera.x) * camera.zoom) - 2
    top = floor((box[1] - camera.y) * camera.zoom) - 2
    right = ceil((box[2] - camera.x) * camera.zoom) + 2
    bottom = ceil((box[3] - camera.y) * camera.zoom) + 2
    limit = 1 << 20
    left, top = max(left, -limit), max(top, -limit)
    return QRect(left, top, min(right, limit) - left, min(bottom, limit) - top)


def _grown(region: QRegion) -> QRegion:
    grown = QRegion()
    for rect in rects_of(region):
        grown += rect.adjusted(-1, -1, 1, 1)
    return grown
