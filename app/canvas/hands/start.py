"""Which hand a press begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QMouseEvent

from app.canvas.hands.drag import CutHand, DragHand, WidthHand
from app.canvas.hands.furniture import CornerHand, FrameHand, NoteHand, PointHand
from app.canvas.hands.hand import Hand, Modifiers, PanHand
from app.canvas.hands.pull import PullHand
from app.canvas.hands.select import BoxHand, LassoHand
from app.canvas.measure import BLOCKS, HEADER, HIT
from app.canvas.parts import NodeView
from app.document.edits.ways import Dot, source_of

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas

Button, Modifier = Qt.MouseButton, Qt.KeyboardModifier


def hand_for(canvas: Canvas, event: QMouseEvent) -> Hand | None:
    """The hand for a press: the middle button pans, Ctrl and right cuts, and so on."""
    at, modifiers = canvas.camera.to_canvas(event.position()), event.modifiers()
    if event.button() == Button.MiddleButton:
        return PanHand(canvas, at, modifiers)
    if event.button() == Button.RightButton:
        if modifiers & Modifier.ControlModifier:
            return CutHand(canvas, at, modifiers)
        _select_for_menu(canvas, at)
        return PanHand(canvas, at, modifiers)
    if event.button() != Button.LeftButton:
        return None
    if canvas.tool == "cut":
        return CutHand(canvas, at, modifiers)
    if canvas.space_held:
        return PanHand(canvas, at, modifiers)
    return _left(canvas, at, modifiers)


def _left(canvas: Canvas, at: QPointF, modifiers: Modifiers) -> Hand | None:
    if canvas.camera.zoom >= BLOCKS * 0.6:
        socket = canvas.board.socket_at(at, HIT)
        if socket is not None and not _covered(canvas, at, socket[0].path):
            return PullHand(canvas, at, modifiers, socket[0])
    view = canvas.board.node_at(at)
    if view is not None:
        return _on_node(canvas, at, modifiers, view)
    found = _on_furniture(canvas, at, modifiers)
    if found is not None:
        return found
    if canvas.tool == "lasso" or modifiers & Modifier.AltModifier:
        return LassoHand(canvas, at, modifiers)
    if not modifiers & (Modifier.ShiftModifier | Modifier.ControlModifier):
        canvas.document.select([])
        canvas.choose()
    return BoxHand(canvas, at, modifiers)


def _covered(canvas: Canvas, at: QPointF, path: str) -> bool:
    """Whether another node lies over a socket."""
    top = canvas.board.node_at(at)
    return top is not None and not top.zone and top.path != path and path in canvas.board.nodes


def _on_node(canvas: Canvas, at: QPointF, modifiers: Modifiers, view: NodeView) -> Hand | None:
    document, chosen = canvas.document, canvas.document.selection
    canvas.choose()
    if modifiers & Modifier.ControlModifier:
        document.select(chosen ^ {view.path}, view.path)
        return None
    if modifiers & Modifier.ShiftModifier:
        document.select(chosen | {view.path}, view.path)
    elif view.path not in chosen:
        document.select([view.path], view.path)
    else:
        document.select(chosen, view.path)
    edge = view.x + view.shape.width - at.x()
    if not view.zone and 0 <= edge <= 5 and at.y() > view.y + HEADER:
        return WidthHand(canvas, at, modifiers, view.path)
    if canvas.editing.press(at, view):
        return canvas.editing.hand(at, modifiers, view)
    return DragHand(canvas, at, modifiers)


def _on_furniture(canvas: Canvas, at: QPointF, modifiers: Modifiers) -> Hand | None:
    """A note, a reroute, a link, or the title or corner of a frame."""
    board = canvas.board
    for note in reversed(board.notes):
        if note.rect.contains(at):
            canvas.document.select([])
            canvas.choose(note=note.number)
            if _corner(note.rect).contains(at):
                return CornerHand(canvas, at, modifiers, "note", note.number)
            return NoteHand(canvas, at, modifiers, note.number)
    reach = 12 / min(canvas.camera.zoom, 1.0)
    spot = QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)
    for view in board.links_in(spot):
        for point in view.via:
            if spot.contains(point):
                canvas.choose(link=view.link)
                dot = Dot(source_of(view.link), point.x(), point.y())
                return PointHand(canvas, at, modifiers, dot)
    link = canvas.link_at(at)
    if link is not None:
        if modifiers & Modifier.ShiftModifier:
            canvas.add_point(link, at)
        else:
            canvas.document.select([])
            canvas.choose(link=link)
        return Hand(canvas, at, modifiers)
    for frame in reversed(board.frames):
        if _corner(frame.rect).contains(at):
            canvas.choose(frame=frame.number)
            return CornerHand(canvas, at, modifiers, "frame", frame.number)
        if frame.rect.contains(at) and at.y() < frame.rect.top() + 32:
            canvas.choose(frame=frame.number)
            return FrameHand(canvas, at, modifiers, frame.number)
    return None


def _corner(rect: QRectF) -> QRectF:
    return QRectF(rect.right() - 16, rect.bottom() - 16, 18, 18)


def _select_for_menu(canvas: Canvas, at: QPointF) -> None:
    view = canvas.board.node_at(at)
    if view is not None and view.path not in canvas.document.selection:
        canvas.document.select([view.path])
    elif view is None:
        link = canvas.link_at(at)
        if link is not None:
            canvas.choose(link=link)
