"""Painted nodes, kept: a node is painted once for each look of it, then only put in place."""

from __future__ import annotations

from collections import OrderedDict
from math import ceil
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPixmap, QRegion

from app.canvas.camera import Camera
from app.canvas.changes import changed_rows, same_but_links
from app.canvas.index import Box
from app.canvas.look import Look
from app.canvas.measure import MARGIN
from app.canvas.paint_node import paint_node
from app.canvas.parts import NodeView

MOST = 24 * 2**20
"""Bytes of pixels that are kept."""


class NodePictures:
    """Pictures of nodes by their path. One is made anew where anything that it shows is another."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[tuple[Any, ...], QPixmap]] = OrderedDict()
        self._bytes = 0

    def paint(self, painter: QPainter, view: NodeView, look: Look, camera: Camera) -> None:
        """Paint a node; the painter is in the pixels of the canvas."""
        marks = _marks(view, look)
        found = self._kept.get(view.path)
        if found is not None and _same(found[0], marks):
            self._kept.move_to_end(view.path)
            pixmap = found[1]
        elif found is not None and (rows := _rows(found[0], marks, look)) is not None:
            pixmap = found[1]
            if rows:
                _patch(pixmap, view, look, rows)
            self._keep(view.path, marks, pixmap)
        else:
            pixmap = _painted(view, look)
            self._keep(view.path, marks, pixmap)
        ratio = look.scale / look.zoom
        corner = camera.to_screen(QPointF(view.x - MARGIN, view.y - MARGIN))
        x, y = round(corner.x() * ratio) / ratio, round(corner.y() * ratio) / ratio
        painter.save()
        painter.resetTransform()
        painter.drawPixmap(QPointF(x, y), pixmap)
        painter.restore()

    def _keep(self, path: str, marks: tuple[Any, ...], pixmap: QPixmap) -> None:
        old = self._kept.pop(path, None)
        if old is not None:
            self._bytes -= _size(old[1])
        self._kept[path] = (marks, pixmap)
        self._bytes += _size(pixmap)
        while self._bytes > MOST and len(self._kept) > 1:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= _size(gone)


def _marks(view: NodeView, look: Look) -> tuple[Any, ...]:
    """All that decides how a node looks."""
    fits = None
    if look.fits is not None:
        sockets = view.shape.sockets
        fits = tuple((view.path, s.side, s.name) in look.fits for s in sockets)
    return (
        view.node, view.shape, view.run, view.picture, view.spec, view.title, view.selected,
        view.path == look.hover, view.path == look.active, view.path == look.focus, fits,
        look.scale, look.colours, look.known,
    )  # fmt: skip


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Documents share what did not change, so most are the very same object."""
    return all(a is b or (not hasattr(a, "__slots__") and a == b)
               for a, b in zip(one, other, strict=True))  # fmt: skip


def _rows(before: tuple[Any, ...], after: tuple[Any, ...], look: Look) -> list[Box] | None:
    """The rows of a picture to be painted anew; ``None`` where all of it is."""
    (node, shape), (new_node, new_shape) = before[:2], after[:2]
    ratio = look.scale / look.zoom
    if not ratio.is_integer() or not _same(before[2:], after[2:]):
        return None
    return changed_rows(shape, new_shape) if same_but_links(node, new_node) else None


def _patch(pixmap: QPixmap, view: NodeView, look: Look, rows: list[Box]) -> None:
    """Paint some rows of a picture anew."""
    zoom = look.zoom
    region = QRegion()
    for left, top, right, bottom in rows:
        rect = QRectF((left + MARGIN) * zoom, (top + MARGIN) * zoom,
                      (right - left) * zoom, (bottom - top) * zoom)  # fmt: skip
        region += rect.toAlignedRect()
    painter = QPainter(pixmap)
    painter.setClipRegion(region)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    painter.fillRect(region.boundingRect(), Qt.GlobalColor.transparent)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    _paint(painter, view, look, rows)
    painter.end()


def _painted(view: NodeView, look: Look) -> QPixmap:
    ratio = look.scale / look.zoom
    width = ceil((view.shape.width + 2 * MARGIN) * look.scale)
    height = ceil((view.shape.height + 2 * MARGIN) * look.scale)
    pixmap = QPixmap(max(width, 1), max(height, 1))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    _paint(painter, view, look, [])
    painter.end()
    return pixmap


def _paint(painter: QPainter, view: NodeView, look: Look, rows: list[Box]) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.scale(look.zoom, look.zoom)
    painter.translate(MARGIN - view.x, MARGIN - view.y)
    paint_node(painter, view, look, rows)


def _size(pixmap: QPixmap) -> int:
    return pixmap.width() * pixmap.height() * 4
