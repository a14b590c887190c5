"""Dragging nodes, with all that goes along; dropping one on a link puts it in between."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.canvas.hands.hand import EditHand, Hand, Modifiers
from app.canvas.measure import GRID, snapped
from app.document.edits.common import EditError, added, outermost
from app.document.edits.copies import duplicate
from app.document.edits.insert import insert
from app.document.edits.place import move_to
from app.document.edits.rehome import move_to_zone, moved_paths
from app.document.level import GIVEN, TAKEN, Link, is_inside, is_within
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
        self._zone: str | None = None
        """The zone that what is moved goes into, if it lies in another now."""
        self._lone = ""
        """The only node that is moved, which goes into a link."""
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
        self._zone = self._look_for_zone(at)
        self.canvas.refresh()

    def release(self, at: QPointF, modifiers: Modifiers) -> None:
        if not self.moved:
            active = self.canvas.document.active
            if self.modifiers == Qt.KeyboardModifier.NoModifier and active:
                self.canvas.document.select([active])
            return
        self.canvas.hover_link(None)
        canvas, level = self.canvas, self.canvas.document.level
        places = {p: (x + self._by.x(), y + self._by.y()) for p, (x, y) in self._starts.items()}
        count = len(self._starts)
        label = tr("Move a node") if count == 1 else tr("Move {n} nodes", n=count)
        merge = ""
        if self._before is not None:
            label, merge = tr("Duplicate"), _COPY
        try:
            self._put(label, places, merge)
        except EditError as error:
            canvas.said.emit(str(error))
            canvas.edit(label, lambda w: move_to(w, level, places), merge)
        canvas.document.session.seal()

    def _put(self, label: str, places: Mapping[str, tuple[float, float]], merge: str) -> None:
        """Put down what is held: at its place, in the zone there, on the link there."""
        canvas, level = self.canvas, self.canvas.document.level
        target, zone, tops = self._target, self._zone, self._tops()
        chosen = canvas.document.selection
        into = {} if zone is None else moved_paths(canvas.document.workflow, level, tops, zone)

        def change(workflow: Workflow) -> Workflow:
            made = move_to(workflow, level, places)
            if zone is not None:
                made = move_to_zone(made, level, tops, zone, canvas.spec_of)
            if target is not None:
                made = insert(made, level, target, into.get(self._lone, self._lone), canvas.spec_of)
            return made

        if target is not None:
            label = tr("Insert a node")
        elif into:
            label = tr("Put into a zone")
        canvas.edit(label, change, merge)
        if into:
            canvas.document.select([into.get(path, path) for path in chosen])

    def cancel(self) -> None:
        if self._before is not None:
            self.canvas.document.undo()
            self.canvas.document.select(self._before)
            return
        self.canvas.board.move(self._paths, -self._by.x(), -self._by.y())
        self.canvas.hover_link(None)
        self.canvas.refresh()

    def lose(self) -> None:
        self.canvas.board.move(self._paths, -self._by.x(), -self._by.y())
        self.canvas.hover_link(None)

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
        if len(chosen) == 1 and self._paths:
            path = self._lone = next(iter(chosen))
            if not any(True for _ in self.canvas.board.links_at(path)):
                middle = self.canvas.board.nodes[path].rect
                found = self.canvas.link_at(at) or self.canvas.link_at(middle.center())
                self._target = found
        self.canvas.hover_link(self._target)

    def _tops(self) -> list[str]:
        """What is moved of itself, not with a zone around it."""
        found = outermost(self.canvas.document.selection)
        return [path for path in found if path in self._paths and path not in (GIVEN, TAKEN)]

    def _look_for_zone(self, at: QPointF) -> str | None:
        """Another zone than that around the nodes, which is under the pointer. The zone around them
        grows with them, so they leave it by a command."""
        tops = self._tops()
        around = {
            zone.path
            for zone in self.canvas.board.zones
            if any(is_inside(path, zone.path) for path in tops)
        }
        found = [
            zone for zone in self.canvas.board.zones
            if zone.rect.contains(at) and not is_within(zone.path, tops) and zone.path not in around
        ]  # fmt: skip
        return max(found, key=lambda zone: zone.above).path if tops and found else None

    def paint(self, painter: QPainter) -> None:
        view = self.canvas.board.nodes.get(self._zone or "")
        if view is not None:
            pen = QPen(QColor(self.canvas.theme.colours.accent), 2)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(view.rect.adjusted(-2, -2, 2, 2), 13, 13)


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
