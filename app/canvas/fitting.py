"""Fitting what is to be seen into a view of which floating bars cover a part."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QRectF

from app.canvas.camera import Camera

GAP = 8.0
"""Pixels between what floats over the canvas and what is fitted beside it."""


def free_areas(view: QRectF, covers: Iterable[QRectF]) -> list[QRectF]:
    """Rectangles of a view that no cover touches, and the view itself: the largest come first."""
    free = [view]
    for cover in covers:
        c = cover.adjusted(-GAP, -GAP, GAP, GAP)
        for area in list(free):
            if area.intersects(c):
                free += [
                    QRectF(area.left(), area.top(), area.width(), c.top() - area.top()),
                    QRectF(area.left(), area.top(), c.left() - area.left(), area.height()),
                    QRectF(c.right(), area.top(), area.right() - c.right(), area.height()),
                    QRectF(area.left(), c.bottom(), area.width(), area.bottom() - c.bottom()),
                ]
    free = [area for area in free if area.width() > 120 and area.height() > 80]
    return sorted(free, key=lambda area: -area.width() * area.height()) or [view]


def fitted(bounds: QRectF, areas: Iterable[QRectF], hides: Callable[[Camera], bool]) -> Camera:
    """The view that shows ``bounds`` as large as it can be, at most at 100 %, of those where
    nothing is hidden; in the first area where all hide something."""
    views = [Camera.showing(bounds, area.size(), at=area.topLeft()) for area in areas]
    ranked = sorted(views, key=lambda view: -view.zoom)
    return next((view for view in ranked if not hides(view)), views[0])
