"""Where the names of named links lie: one at each end, or one between ends that are near."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF

from app.canvas.parts import LinkView
from app.canvas.text import advance
from app.theme.fonts import Role

HEIGHT = 22.0
STUB = 10.0
"""From a socket to its pill."""
LONGEST = 160.0
"""How wide a name may be."""


def pills_of(view: LinkView) -> tuple[QRectF, ...]:
    """The pills of a named link: that of its beginning and that of its end. Where these would lie
    on one another there is one in the middle, or none where not even that has room."""
    if not view.name:
        return ()
    width = min(advance(view.name, Role.CAPTION), LONGEST) + 34
    top = QPointF(0, HEIGHT / 2)
    first = QRectF(view.start + QPointF(STUB, 0) - top, view.start + QPointF(STUB + width, 0) + top)
    last = QRectF(view.end - QPointF(STUB + width, 0) - top, view.end - QPointF(STUB, 0) + top)
    across = view.end.x() - view.start.x()
    level = abs(view.end.y() - view.start.y()) < HEIGHT
    crossed = level and 0 <= across < 2 * (STUB + width)  # each would lie on the other's node
    if not crossed and not first.intersects(last):
        return first, last
    middle = (view.start + view.end) / 2
    if across < width + 2 * STUB:
        return ()
    return (QRectF(middle.x() - width / 2, middle.y() - HEIGHT / 2, width, HEIGHT),)
