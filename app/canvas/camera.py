"""From the canvas to the screen and back."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSizeF

LEAST, MOST = 0.04, 4.0
"""Zoom at least and at most."""


@dataclass(frozen=True, slots=True)
class Camera:
    """``screen = (canvas - (x, y)) * zoom``: what lies in the corner, and how large."""

    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0

    def to_screen(self, point: QPointF) -> QPointF:
        """A place of the canvas in widget pixels."""
        return QPointF((point.x() - self.x) * self.zoom, (point.y() - self.y) * self.zoom)

    def to_canvas(self, point: QPointF) -> QPointF:
        """A place of the widget on the canvas."""
        return QPointF(point.x() / self.zoom + self.x, point.y() / self.zoom + self.y)

    def rect_to_screen(self, rect: QRectF) -> QRectF:
        """A rectangle of the canvas in widget pixels."""
        zoom = self.zoom
        return QRectF(
            (rect.x() - self.x) * zoom, (rect.y() - self.y) * zoom,
            rect.width() * zoom, rect.height() * zoom,
        )  # fmt: skip

    def rect_to_canvas(self, rect: QRectF) -> QRectF:
        """A rectangle of the widget on the canvas."""
        zoom = self.zoom
        return QRectF(
            rect.x() / zoom + self.x, rect.y() / zoom + self.y,
            rect.width() / zoom, rect.height() / zoom,
        )  # fmt: skip

    def moved(self, dx: float, dy: float) -> Camera:
        """After the content was pulled by so many widget pixels."""
        return Camera(self.x - dx / self.zoom, self.y - dy / self.zoom, self.zoom)

    def zoomed(self, factor: float, at: QPointF) -> Camera:
        """Larger by a factor, with what lies at a place of the widget staying there."""
        zoom = min(MOST, max(LEAST, self.zoom * factor))
        fixed = self.to_canvas(at)
        return Camera(fixed.x() - at.x() / zoom, fixed.y() - at.y() / zoom, zoom)

    @staticmethod
    def showing(
        rect: QRectF,
        size: QSizeF,
        margin: float = 32.0,
        most: float = 1.0,
        at: QPointF | None = None,
    ) -> Camera:
        """All of ``rect`` in the middle of an area of ``size``, no larger than ``most``; the corner
        of the area lies ``at`` a place of the widget."""
        width = max(1.0, size.width() - 2 * margin)
        height = max(1.0, size.height() - 2 * margin)
        zoom = min(most, width / max(rect.width(), 1.0), height / max(rect.height(), 1.0))
        zoom = min(MOST, max(LEAST, zoom))
        centre = rect.center()
        corner = at if at is not None else QPointF()
        x, y = corner.x() + size.width() / 2, corner.y() + size.height() / 2
        return Camera(centre.x() - x / zoom, centre.y() - y / zoom, zoom)

    def between(self, other: Camera, share: float) -> Camera:
        """On the way to another view, ``share`` from 0 to 1; the zoom goes by ratio."""
        zoom = self.zoom * (other.zoom / self.zoom) ** share
        if abs(other.zoom - self.zoom) < 1e-9:
            along = share
        else:  # so that the point that both views share stays where it is
            along = (1 / zoom - 1 / self.zoom) / (1 / other.zoom - 1 / self.zoom)
        x = self.x + (other.x - self.x) * along
        y = self.y + (other.y - self.y) * along
        return Camera(x, y, zoom)
