"""What single keys do on the canvas: going from node to node, and the palette.

Commands with a shortcut of their own (undo, copy, mute) are those of the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent

from app.canvas.parts import NodeView
from app.document.edits.place import move_to
from app.words import tr

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas

Key = Qt.Key
_ARROWS = {Key.Key_Left: (-1, 0), Key.Key_Right: (1, 0), Key.Key_Up: (0, -1), Key.Key_Down: (0, 1)}


def pressed(canvas: Canvas, event: QKeyEvent) -> bool:
    """Take a key; whether it was for the canvas."""
    key, modifiers = Key(event.key()), event.modifiers()
    plain = modifiers in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
    if key == Key.Key_Space and plain and not event.isAutoRepeat():
        canvas.hold_space()
        return True
    if key == Key.Key_Tab and plain:
        canvas.asked_palette.emit(canvas.pointer(), None)
        return True
    if key in _ARROWS and plain:
        _go(canvas, *_ARROWS[key])
        return True
    if key in _ARROWS and modifiers & Qt.KeyboardModifier.ShiftModifier:
        dx, dy = _ARROWS[key]
        _nudge(canvas, dx * 8, dy * 8)
        return True
    if key in (Key.Key_Return, Key.Key_Enter) and plain and canvas.document.active:
        canvas.opened.emit(canvas.document.active)
        return True
    if key == Key.Key_Menu or (key == Key.Key_F10 and modifiers):
        view = canvas.board.nodes.get(canvas.document.active)
        at = view.rect.center() if view is not None else canvas.pointer()
        spot = canvas.mapToGlobal(canvas.camera.to_screen(at).toPoint())
        canvas.asked_menu.emit(spot, at)
        return True
    if key == Key.Key_Escape:
        return _back(canvas)
    return False


def _back(canvas: Canvas) -> bool:
    """Escape goes one step back: the selection, then the level."""
    chosen = canvas.chosen
    if canvas.document.selection:
        canvas.document.select([])
    elif any(part is not None for part in (chosen.link, chosen.frame, chosen.note)):
        canvas.choose()
    elif canvas.document.level:
        canvas.document.enter("")
    else:
        return False
    return True


def _go(canvas: Canvas, dx: int, dy: int) -> None:
    """To the next node in a direction: along a link sideways, else the nearest there."""
    board, here = canvas.board, canvas.board.nodes.get(canvas.document.active)
    canvas.show_focus()
    if here is None:
        middle = canvas.visible().center()
        found = min(
            (v for v in board.nodes.values()),
            key=lambda v: (v.rect.center() - middle).manhattanLength(),
            default=None,
        )
    else:
        found = _along(canvas, here.path, dx) if dx else None
        found = found or _nearest(canvas, here.path, dx, dy)
    if found is not None:
        canvas.document.select([found.path], found.path)
        if not canvas.visible().contains(found.rect):
            seen = canvas.visible()
            step = found.rect.center() - seen.center()
            canvas.set_camera(
                canvas.camera.moved(-step.x() * canvas.camera.zoom, -step.y() * canvas.camera.zoom)
            )


def _along(canvas: Canvas, path: str, dx: int) -> NodeView | None:
    ends = [
        link.source if dx < 0 else link.target
        for link in canvas.board.links_at(path)
        if (link.target if dx < 0 else link.source) == path
    ]
    found = [canvas.board.nodes[end] for end in ends if end in canvas.board.nodes]
    here = canvas.board.nodes[path]
    return min(found, key=lambda v: abs(v.y - here.y), default=None)


def _nearest(canvas: Canvas, path: str, dx: int, dy: int) -> NodeView | None:
    here = canvas.board.nodes[path].rect.center()

    def far(at: QPointF) -> float:
        step = at - here
        ahead = step.x() * dx + step.y() * dy
        aside = abs(step.x() * dy) + abs(step.y() * dx)
        return ahead + 2 * aside if ahead > 0 else float("inf")

    others = [v for v in canvas.board.nodes.values() if v.path != path]
    found = min(others, key=lambda v: far(v.rect.center()), default=None)
    return found if found is not None and far(found.rect.center()) < float("inf") else None


def _nudge(canvas: Canvas, dx: float, dy: float) -> None:
    """Move the selected nodes by a step of the grid."""
    board, level = canvas.board, canvas.document.level
    places = {
        path: (board.nodes[path].x + dx, board.nodes[path].y + dy)
        for path in canvas.document.selection
    }
    if places:
        merge = f"nudge {' '.join(sorted(places))}"  # other nodes are another edit
        canvas.edit(tr("Move"), lambda w: move_to(w, level, places), merge)
