"""Pulling a link from a socket: what fits grows, what does not says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.canvas.curve import through
from app.canvas.hands.hand import Hand, Modifiers
from app.canvas.measure import SNAP
from app.canvas.paint_refusal import paint_refusal
from app.canvas.scene import place_of
from app.canvas.shape import Place, Side, Socket
from app.document.edits.common import EditError
from app.document.edits.connect import disconnect
from app.document.edits.fits import Pull, Refusal
from app.document.edits.free_ends import connect_free
from app.document.edits.insert import insert_chain
from app.document.level import GIVEN, TAKEN, Link
from app.theme.outlines import paint_socket
from app.theme.types import look_of
from app.words import tr
from backend.graph.document import Workflow

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas


class PullHand(Hand):
    """Makes a link, or moves one that was joined. On empty canvas it asks what to add."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers, place: Place) -> None:
        super().__init__(canvas, at, modifiers)
        self._old: Link | None = None
        if place.side == "in":
            self._old = _joined(canvas, place)
            if self._old is not None and not modifiers & Qt.KeyboardModifier.ShiftModifier:
                place = Place(self._old.source, "out", self._old.output)
            else:
                self._old = None
        self.place = place
        document = canvas.document
        self.pull = Pull(
            document.workflow, document.level, place.path, place.name, place.side == "out",
            canvas.spec_of, canvas.reads,
        )  # fmt: skip
        self._from = canvas.place_of(place) or at
        self._to = at
        self._target: Place | None = None
        self._refusal: Refusal | None = None
        self.moved = False
        canvas.set_fits(self._fitting())

    def _fitting(self) -> frozenset[tuple[str, str, str]]:
        """The sockets in sight that the link may go to."""
        wanted = "in" if self.pull.is_output else "out"
        seen = self.canvas.visible()
        found = set()
        for view in self.canvas.board.nodes_in(seen):
            for (side, name, _), socket in view.shape.places.items():
                inner = side in ("given", "taken")
                if socket.side != wanted or (inner and not socket.free):
                    continue
                if self.pull.fits(place_of(view.path, side, socket).path, name):
                    found.add((view.path, wanted, name))
        own = (self.place.path, self.place.side, self.place.name)
        return frozenset(found | {own})

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        self.moved = True
        self._to = at
        self._target, self._refusal = None, None
        wanted = "in" if self.pull.is_output else "out"
        reach = SNAP / max(self.canvas.camera.zoom, 0.25)
        found = self.canvas.board.socket_at(at, reach, wanted)
        if found is None:
            view = self.canvas.board.node_at(at)
            if view is not None and not view.zone:
                found = self._best_on(view.path)
        if found is not None and found[0] != self.place:
            self._target = found[0]
            if not self.pull.fits(found[0].path, found[0].name):
                self._refusal = self.pull.refusal(
                    found[0].path, found[0].name, self.canvas.bridges()
                )
            else:
                self._to = self.canvas.place_of(found[0]) or at
        self.canvas.update()

    def _best_on(self, path: str) -> tuple[Place, Socket] | None:
        """Over the body of a node: its first free socket of the type, else one that fits. Over an
        end of a subgraph: the place for one more."""
        view = self.canvas.board.nodes[path]
        wanted: Side = "in" if self.pull.is_output else "out"
        is_end = path in (GIVEN, TAKEN)
        fitting = [
            s for s in view.shape.sockets
            if s.side == wanted and self.pull.fits(path, s.name) and (s.free or not is_end)
        ]  # fmt: skip
        fitting.sort(key=lambda s: (s.joined, s.param, s.type != self.pull.type))
        if not fitting:
            return None
        return Place(path, wanted, fitting[0].name, fitting[0].key), fitting[0]

    def release(self, at: QPointF, modifiers: Modifiers) -> None:
        self.move(at, modifiers)
        self.canvas.set_fits(None)
        self.canvas.update()
        if self._refusal is not None:
            self.canvas.said.emit(self._refusal.sentence)
            return
        if self._target is not None:
            self._connect(self._target)
        elif self._old is not None:
            old, level = self._old, self.canvas.document.level
            self.edit(tr("Take a link away"), lambda w: disconnect(w, level, [old]))
        elif self._far(at):
            self.canvas.asked_palette.emit(at, self.place)

    def _far(self, at: QPointF) -> bool:
        step = (at - self.begin) * self.canvas.camera.zoom
        return abs(step.x()) + abs(step.y()) > 12

    def cancel(self) -> None:
        self.canvas.set_fits(None)
        self.canvas.update()

    def lose(self) -> None:
        self.cancel()

    def key(self, key: int) -> bool:
        """Enter puts in the nodes that bridge what does not fit."""
        if key not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return False
        refusal, target = self._refusal, self._target
        if refusal is None or not refusal.bridge or target is None:
            return False
        link = self._link(target)
        canvas, level = self.canvas, self.canvas.document.level

        def change(workflow: Workflow) -> Workflow:
            return insert_chain(
                workflow, level, link, refusal.bridge, canvas.specs(), canvas.spec_of
            )

        canvas.drop_hand()
        self.edit(tr("Bridge a link"), change)
        return True

    def _link(self, target: Place) -> Link:
        if self.pull.is_output:
            key = target.key if target.key != "" else None
            return Link(self.place.path, self.place.name, target.path, target.name, key)
        key = self.place.key if self.place.key != "" else None
        return Link(target.path, target.name, self.place.path, self.place.name, key)

    def _connect(self, target: Place) -> None:
        link, old = self._link(target), self._old
        level, canvas = self.canvas.document.level, self.canvas
        if old is not None and old == link:
            return

        def change(workflow: Workflow) -> Workflow:
            if old is not None:
                workflow = disconnect(workflow, level, [old])
            return connect_free(workflow, level, link, canvas.spec_of, canvas.reads)

        try:
            canvas.edit(tr("Link"), change)
        except EditError as error:
            canvas.said.emit(str(error))

    # -- painting -------------------------------------------------------------------------------

    def paint(self, painter: QPainter) -> None:
        colours = self.canvas.theme.colours
        ends = (self._from, self._to) if self.pull.is_output else (self._to, self._from)
        bad = self._refusal is not None
        pen = QPen(QColor(colours.canvas), 5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(pen)
        painter.drawPath(through(ends))
        hue = colours.danger if bad else look_of(self.pull.type).hue(colours)
        pen = QPen(QColor(hue), 2 if not bad else 1.5)
        if bad:
            pen.setDashPattern([7 / 1.5, 5 / 1.5])
        painter.setPen(pen)
        painter.drawPath(through(ends))
        paint_socket(
            painter, self._to, look_of(self.pull.type), colours, ground=colours.canvas,
            joined=True,
        )  # fmt: skip
        if bad and self._target is not None:
            self._paint_refusal(painter)

    def _paint_refusal(self, painter: QPainter) -> None:
        colours, target, refusal = self.canvas.theme.colours, self._target, self._refusal
        assert target is not None
        assert refusal is not None
        at = self.canvas.place_of(target) or self._to
        painter.setPen(QPen(QColor(colours.danger), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at, 9, 9)
        painter.drawLine(at + QPointF(-6.4, -6.4), at + QPointF(6.4, 6.4))
        painter.save()
        scale = self.canvas.camera.zoom
        painter.translate(self._to)
        painter.scale(1 / scale, 1 / scale)
        view = self.canvas.board.nodes.get(target.path)
        socket = view.shape.socket(target.side, target.name, target.key) if view else None
        types = (self.pull.type, socket.type if socket is not None else "*")
        pointer = self.canvas.camera.to_screen(self._to)
        painter.translate(-pointer)
        paint_refusal(
            painter, refusal, types if self.pull.is_output else (types[1], types[0]),
            self.canvas.specs(), colours, (pointer, self.canvas.size().toSizeF()),
            self.canvas.devicePixelRatioF(),
        )  # fmt: skip
        painter.restore()


def _joined(canvas: Canvas, place: Place) -> Link | None:
    for link in canvas.board.links_at(place.path):
        if link.target == place.path and link.input == place.name and link.key == place.key:
            return link
    return None
