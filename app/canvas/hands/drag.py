"""Dragging nodes, with all that goes along; dropping one on a link puts it in between."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.canvas.hands.hand import EditHand, Hand, Modifiers
from app.canvas.measure import GRID, snapped
from app.document.edits.common import EditError, added
from app.document.edits.copies import duplicate
from app.document.edits.insert import insert
from app.document.edits.place import move_to
from app.document.level import GIVEN, TAKEN, Link, is_inside
from app.words import tr
from backend.graph.document import Workflow

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas

_COPY = "copy by hand"
"""Taking copies and putting them down is one edit."""


class DragHand(Hand):
    """Moves the selected nodes on the grid; Ctrl lets go of the grid, Alt takes copies."""

    def __init__(
        self, canvas: Canvas, at: QPointF, modifiers: Modifiers, paths: Collection[str] = ()
    ) -> None:
        super().__init__(canvas, at, modifiers)
        self._paths = _going(canvas, frozenset(paths) or canvas.document.selection)
        self._starts = {p: (canvas.board.nodes[p].x, canvas.board.nodes[p].y) for p in self._paths}
        self._by = QPointF(0, 0)
        self._target: Link | None = None
        self._before: frozenset[str] | None = None
        """What was selected before copies were taken."""
        self.moved = False

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        wanted = at - self.begin
        far = self.canvas.camera.zoom * (abs(wanted.x()) + abs(wanted.y()))
        if not self.moved and far < 4:
            return
        if not self.moved and modifiers & Qt.KeyboardModifier.AltModifier:
            self._copy()
        self.moved = True
        if not modifiers & Qt.KeyboardModifier.ControlModifier and self._paths:
            x, y = self._starts[self._paths[0]]
            wanted = QPointF(snapped(x + wanted.x()) - x, snapped(y + wanted.y()) - y)
        step = wanted - self._by
        if step.isNull():
            return
        self._by = wanted
        self.canvas.board.move(self._paths, step.x(), step.y())
        self._look_for_link(at)
        self.canvas.refresh()

    def release(self, at: QPointF, modifiers: Modifiers) -> None:
        if not self.moved:
            if self.modifiers == Qt.KeyboardModifier.NoModifier:
                self.canvas.document.select([self.canvas.document.active])
            return
        self.canvas.hover_link(None)
        canvas, level = self.canvas, self.canvas.document.level
        places = {p: (x + self._by.x(), y + self._by.y()) for p, (x, y) in self._starts.items()}
        target = self._target

        def change(workflow: Workflow) -> Workflow:
            moved = move_to(workflow, level, places)
            if target is None:
                return moved
            path = next(iter(canvas.document.selection))
            return insert(moved, level, target, path, canvas.spec_of)

        count = len(self._starts)
        label = tr("Move a node") if count == 1 else tr("Move {n} nodes", n=count)
        merge = ""
        if self._before is not None:
            label, merge = tr("Duplicate"), _COPY
        try:
            canvas.edit(tr("Insert a node") if target is not None else label, change, merge)
        except EditError as error:
            canvas.said.emit(str(error))
            canvas.edit(label, lambda w: move_to(w, level, places), merge)
        canvas.document.session.seal()

    def cancel(self) -> None:
        if self._before is not None:
            self.canvas.document.undo()
            self.canvas.document.select(self._before)
            return
        self.canvas.board.move(self._paths, -self._by.x(), -self._by.y())
        self.canvas.hover_link(None)
        self.canvas.refresh()

    def key(self, key: int) -> bool:
        return False

    def _copy(self) -> None:
        canvas, level = self.canvas, self.canvas.document.level
        before = canvas.document.workflow
        chosen = canvas.document.selection - {GIVEN, TAKEN}
        if not chosen:
            return
        self._before = canvas.document.selection
        self.edit(tr("Duplicate"), lambda w: duplicate(w, level, chosen, 0, 0), _COPY)
        canvas.document.select(added(before, canvas.document.workflow, level))
        self._paths = _going(canvas, canvas.document.selection)
        self._starts = {p: (canvas.board.nodes[p].x, canvas.board.nodes[p].y) for p in self._paths}

    def _look_for_link(self, at: QPointF) -> None:
        """A lone node without links may be dropped on a link."""
        chosen = self.canvas.document.selection
        self._target = None
        if len(chosen) == 1:
            path = next(iter(chosen))
            if not any(True for _ in self.canvas.board.links_at(path)):
                middle = self.canvas.board.nodes[path].rect
                found = self.canvas.link_at(at) or self.canvas.link_at(middle.center())
                self._target = found
        self.canvas.hover_link(self._target)


def _going(canvas: Canvas, chosen: frozenset[str]) -> list[str]:
    """What moves with the selected nodes: everything in their zones, and no pinned node."""
    board = canvas.board
    found = [
        path for path in board.nodes
        if path in chosen or any(is_inside(path, zone) for zone in chosen)
    ]  # fmt: skip
    return [p for p in found if not getattr(board.nodes[p].placement, "pinned", False)]


class WidthHand(EditHand):
    """Makes a node wider or narrower by its right edge."""

    cursor = Qt.CursorShape.SizeHorCursor

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers, path: str) -> None:
        super().__init__(canvas, at, modifiers)
        self._path = path
        self._start = canvas.board.nodes[path].shape.width

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        from app.document.edits.place import resize

        wide = round((self._start + at.x() - self.begin.x()) / GRID) * GRID
        level = self.canvas.document.level
        self.edit(
            tr("Resize a node"),
            lambda w: resize(w, level, self._path, wide),
            merge=f"width {self._path}",
        )


class CutHand(Hand):
    """Cuts every link that the stroke crosses."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers) -> None:
        super().__init__(canvas, at, modifiers)
        self._points = [at]

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        self._points.append(at)
        self.canvas.update()

    def release(self, at: QPointF, modifiers: Modifiers) -> None:
        from app.document.edits.connect import disconnect

        self._points.append(at)
        cut = self.canvas.links_crossing(self._points)
        level = self.canvas.document.level
        if cut:
            label = tr("Cut a link") if len(cut) == 1 else tr("Cut {n} links", n=len(cut))
            self.edit(label, lambda w: disconnect(w, level, cut))
        self.canvas.update()

    def paint(self, painter: QPainter) -> None:
        pen = QPen(QColor(self.canvas.theme.colours.danger), 2)
        pen.setCosmetic(True)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.drawPolyline(self._points)
