"""The names of a subgraph's inputs and outputs, on the two cards inside it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF

from app.canvas.measure import INSET
from app.canvas.parts import NodeView
from app.canvas.shape import Socket
from app.document.edits.ports import remove_output, remove_port, rename_output, rename_port
from app.document.level import GIVEN, TAKEN
from app.document.session import Change


def port_at(view: NodeView, at: QPointF) -> Socket | None:
    """The input or output of the subgraph whose row lies under a place of the canvas."""
    if view.path not in (GIVEN, TAKEN) or view.shape.collapsed:
        return None
    for socket in view.shape.sockets:
        if not socket.free and abs(at.y() - view.y - socket.y) <= view.shape.rows.row / 2:
            return socket
    return None


def row_of(view: NodeView, name: str) -> QRectF | None:
    """Where the name of an input or output stands on its card."""
    for socket in view.shape.sockets:
        if socket.name == name and not socket.free:
            width = view.shape.width - 2 * INSET
            return QRectF(
                view.x + INSET,
                view.y + socket.y - view.shape.rows.row / 2 + 1,
                width,
                view.shape.rows.row - 2,
            )
    return None


def renamed(path: str, level: str, old: str, new: str) -> Change:
    """The edit that calls an input or output something else."""
    rename = rename_port if path == GIVEN else rename_output
    return lambda workflow: rename(workflow, level, old, new)


def removed(path: str, level: str, name: str) -> Change:
    """The edit that takes an input or output out, with its links."""
    remove = remove_port if path == GIVEN else remove_output
    return lambda workflow: remove(workflow, level, name)
