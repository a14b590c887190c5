"""A parameter that is dragged from the inspector onto the canvas: it is pulled like a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QDragEnterEvent

from app.canvas.hands.pull import PullHand
from app.canvas.measure import HEADER
from app.canvas.parts import NodeView
from app.canvas.shape import Place
from app.carried import carried_parameter

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas


def hand_of_drag(canvas: Canvas, event: QDragEnterEvent) -> PullHand | None:
    """The hand for what comes in over the canvas; ``None`` where it is no parameter of a node of
    this level. A link that the parameter has is replaced, as by Shift and a pull."""
    carried = carried_parameter(event.mimeData())
    view = canvas.board.nodes.get(carried[0]) if carried is not None else None
    if carried is None or view is None or view.spec is None:
        return None
    param = view.spec.param(carried[1])
    if param is None or param.link_type is None:
        return None
    place = Place(view.path, "in", param.name)
    return PullHand(canvas, _begin(view, param.name), Qt.KeyboardModifier.ShiftModifier, place)


def _begin(view: NodeView, name: str) -> QPointF:
    """Where the link begins: at the parameter's row, or at the title where that is not shown."""
    row = next((f for f in view.shape.fields if f.param.name == name), None)
    y = row.y + row.height / 2 if row is not None and not view.shape.collapsed else HEADER / 2
    return QPointF(view.x, view.y + y)
