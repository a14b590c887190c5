"""Painted nodes, kept: a node is painted once for each look of it, then only put in place."""

from __future__ import annotations

from collections import OrderedDict
from math import ceil
from typing import Any

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPixmap

from app.canvas.camera import Camera
from app.canvas.measure import MARGIN
from app.canvas.paint_node import Look, paint_node
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


def _painted(view: NodeView, look: Look) -> QPixmap:
    ratio = look.scale / look.zoom
    width = ceil((view.shape.width + 2 * MARGIN) * look.scale)
    height = ceil((view.shape.height + 2 * MARGIN) * look.scale)
    pixmap = QPixmap(max(width, 1), max(height, 1))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.scale(look.zoom, look.zoom)
    painter.translate(MARGIN - view.x, MARGIN - view.y)
    paint_node(painter, view, look)
    painter.end()
    return pixmap


def _size(pixmap: QPixmap) -> int:
    return pixmap.width() * pixmap.height() * 4
