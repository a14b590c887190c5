"""What moves on the canvas while something runs: spinners, beads on links, and the hovered bead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, QObject, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPen, QRegion

from app.canvas.index import Box
from app.canvas.look import Look
from app.canvas.measure import BLOCKS, FULL
from app.canvas.paint_link import paint_bead
from app.document.level import Link
from app.labels import label
from app.theme.icons import icon

if TYPE_CHECKING:
    from app.canvas.surface import Surface

_SPEED = 48.0
_APART = 14.0


class Live(QObject):
    """Paints over the kept picture, thirty times a second while a node of it runs, else never."""

    def __init__(self, canvas: Surface) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._running: set[str] = set()
        self._bead: tuple[Link, QPointF] | None = None
        self._clock = QElapsedTimer()
        self._clock.start()
        self.still = False
        self._timer = QTimer(self)
        self._timer.setInterval(33)
        self._timer.timeout.connect(self._on_tick)

    def watch(self, path: str, runs: bool) -> None:
        """A node runs now, or does not any more."""
        (self._running.add if runs else self._running.discard)(path)
        if self._running and not self.still:
            if not self._timer.isActive():
                self._timer.start()
        else:
            self._timer.stop()
            self._canvas.update()

    def show_bead(self, link: Link | None, at: QPointF) -> None:
        """Show what a link carries, beside the pointer."""
        if link is None and self._bead is None:
            return
        self._bead = (link, at) if link is not None else None
        self._canvas.update()

    def _on_tick(self) -> None:
        if not self._canvas.isVisible():
            return
        board, camera = self._canvas.board, self._canvas.camera
        for path in self._running & board.nodes.keys():
            view = board.nodes[path]
            self._canvas.update(camera.rect_to_screen(view.rect).toAlignedRect())
            for link in board.links_at(path):
                if link.target == path and link in board.links:
                    left, top, right, bottom = board.links[link].box
                    rect = QRectF(left, top, right - left, bottom - top)
                    self._canvas.update(camera.rect_to_screen(rect).toAlignedRect())

    def paint(self, painter: QPainter, look: Look) -> None:
        """Paint what moves."""
        board = self._canvas.board
        seconds = 0.0 if self.still else self._clock.elapsed() / 1000
        if look.scale >= BLOCKS:
            for path in self._running & board.nodes.keys():
                self._beads(painter, path, seconds)
                if look.scale >= FULL and not board.nodes[path].zone:
                    self._spinner(painter, path, look, seconds)
        self._paint_bead(painter, look)

    def _beads(self, painter: QPainter, path: str, seconds: float) -> None:
        board = self._canvas.board
        pen = QPen(QColor("#FFFFFF"), 1.8, Qt.PenStyle.CustomDashLine, Qt.PenCapStyle.RoundCap)
        pen.setDashPattern([0.1, _APART / 1.8])
        pen.setDashOffset(-seconds * _SPEED / 1.8)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for link in board.links_at(path):
            view = board.links.get(link)
            if link.target == path and view is not None and not view.name:
                painter.save()
                painter.setClipRegion(self._free(view.box), Qt.ClipOperation.IntersectClip)
                painter.drawPath(view.path)
                painter.restore()

    def _free(self, box: Box) -> QRegion:
        """What no node covers of a box: links lie under nodes, and so do their beads."""
        rect = QRectF(box[0], box[1], box[2] - box[0], box[3] - box[1])
        region = QRegion(rect.toAlignedRect())
        for view in self._canvas.board.nodes_in(rect):
            if not view.zone:
                region -= QRegion(view.rect.toAlignedRect())
        return region

    def _spinner(self, painter: QPainter, path: str, look: Look, seconds: float) -> None:
        """Over the still icon in the header: its ground first."""
        view, colours = self._canvas.board.nodes[path], look.colours
        from app.canvas.states import marks_of

        right = view.shape.width - 9 - (6 if view.shape.collapsed else 0)
        rect = QRectF(view.x + right - 14, view.y + 7, 14, 14)
        painter.fillRect(rect.adjusted(-1, -1, 1, 1), QColor(marks_of(view, colours).header))
        glyph = icon("loader", 14, colours.accent, look.icon_ratio)
        painter.save()
        painter.translate(rect.center())
        painter.rotate(360 * (seconds % 1.0))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(QRectF(-7, -7, 14, 14), glyph, QRectF(glyph.rect()))
        painter.restore()

    def _paint_bead(self, painter: QPainter, look: Look) -> None:
        if self._bead is None:
            return
        link, at = self._bead
        view = self._canvas.board.links.get(link)
        if view is None:
            return
        source = self._canvas.board.nodes.get(link.source)
        fact = source.shown.facts.get(link.output, "") if source is not None else ""
        words = " ".join(part for part in (label(view.type.lstrip("*") or "any"), fact) if part)
        painter.save()
        painter.translate(at)
        painter.scale(1 / self._canvas.camera.zoom, 1 / self._canvas.camera.zoom)
        paint_bead(painter, QPointF(0, 0), view.type, words, look.colours)
        painter.restore()
