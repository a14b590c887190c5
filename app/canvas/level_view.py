"""A level of an open document on the surface: it follows the document, and says what lies where."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, QRectF, QTimer, Signal
from PySide6.QtGui import QPainterPath, QPainterPathStroker, QPixmap
from PySide6.QtWidgets import QWidget

from app.canvas.camera import Camera
from app.canvas.look import Look
from app.canvas.measure import snapped
from app.canvas.paint_scene import Chosen
from app.canvas.pills import pills_of
from app.canvas.shape import Place, Shown
from app.canvas.surface import Surface
from app.document.edits.bridge import Bridges
from app.document.edits.cycles import Reads
from app.document.edits.frames import Box, change_frame, change_note
from app.document.edits.ways import add_reroute
from app.document.level import Link, graph_of, layout_of
from app.document.session import Change
from app.open_document import OpenDocument
from app.run.state import NodeRun
from app.specs.book import SpecBook
from app.theme.theme import Theme
from app.words import tr
from backend.graph.document import Node, Workflow
from backend.graph.spec import NodeSpec

_REST = 300
"""Milliseconds after a level was opened."""


class LevelView(Surface):
    """The level of a document that is looked at.

    Every change of the document goes through ``edit``; what is shown beside the document (runs,
    pictures, facts) is given to it by ``set_run``, ``set_picture`` and ``set_shown``.
    """

    chose = Signal()
    """Another link, frame or note is selected, or none."""

    def __init__(
        self, document: OpenDocument, book: SpecBook, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, self.spec_of, parent)
        self.document, self.book = document, book
        self._reads = Reads()
        self._rest = QTimer(self, singleShot=True, interval=_REST)
        self._rest.timeout.connect(self._on_rest)
        self._fits: frozenset[tuple[str, str, str]] | None = None
        self._bridges: Bridges | None = None
        self._hover = ""
        self._focus_shown = False
        self._cameras: dict[str, Camera] = {}
        self._level = document.level
        self.setAccessibleName(tr("Graph"))
        self.board.open(document.workflow, document.level)
        self._rest.start()
        document.changed.connect(self._on_changed)
        document.selected.connect(self._on_selected)
        document.level_changed.connect(self._on_level)
        book.changed.connect(self._on_specs)

    # -- what the document says -----------------------------------------------------------------

    def spec_of(self, workflow: Workflow, node: Node) -> NodeSpec | None:
        """What a node is like."""
        return self.book.spec_of(workflow, node)

    def specs(self) -> Mapping[str, NodeSpec]:
        """Every node type."""
        return self.book.specs

    @property
    def reads(self) -> Reads:
        """What each node reads, remembered from one check for circles to the next."""
        return self._reads

    def bridges(self) -> Bridges:
        """The ways between types, made when they are first asked for."""
        if self._bridges is None:
            self._bridges = Bridges(self.book.specs)
        return self._bridges

    def edit(self, label: str, change: Change, merge: str = "") -> bool:
        """Change the document. The first edit of places keeps all nodes where they are shown.

        Raises:
            EditError: it cannot be done.
        """
        level = self.document.level

        def placed(workflow: Workflow) -> Workflow:
            after = change(workflow)
            if level != self._level or (level and level not in after.subgraphs):
                return after
            if layout_of(after, level).nodes is layout_of(workflow, level).nodes:
                return after
            settled = self.board.settled(workflow)
            return after if settled is workflow else change(settled)

        return self.document.edit(label, placed, merge)

    def _on_changed(self, before: object, after: Workflow) -> None:
        if self.document.level != self._level:
            return
        self.board.sync(after)
        found = self.board.difference
        if found is not None and found.same:  # what is new waits for the first link
            self._reads.follow(graph_of(after, self._level), found)
        gone = [path for path in self.document.selection if path not in self.board.nodes]
        if gone:
            self.document.select(self.document.selection - frozenset(gone))
        if not self._is_there(self._chosen):
            self.choose()
        self.refresh()

    def _on_rest(self) -> None:
        """Nobody waits: be ready for the first link."""
        if not self._level or self._level in self.document.workflow.subgraphs:
            self._reads.follow(graph_of(self.document.workflow, self._level))

    def _is_there(self, chosen: Chosen) -> bool:
        """Whether the link, frame or note that is selected is still there."""
        link, frame, note = chosen.link, chosen.frame, chosen.note
        return (
            (link is None or link in self.board.links)
            and (frame is None or frame < len(self.board.frames))
            and (note is None or note < len(self.board.notes))
        )

    def _on_level(self) -> None:
        self._cameras[self._level] = self.camera
        self._level = self.document.level
        self._chosen = Chosen()
        self.board.open(self.document.workflow, self._level)
        self._rest.start()
        self.board.set_selected(self.document.selection)
        if self._level in self._cameras:
            self.set_camera(self._cameras[self._level])
        else:
            self.fit(animated=False)
        self.repaint_all()

    def _on_selected(self) -> None:
        self.board.set_selected(self.document.selection)
        view = self.board.nodes.get(self.document.active)
        self.setAccessibleDescription(self.describe(view.path) if view is not None else "")
        self.refresh()

    def _on_specs(self) -> None:
        self._bridges = None
        runs = {path: view.run for path, view in self.board.nodes.items()}
        pictures = {path: view.picture for path, view in self.board.nodes.items()}
        self.board.open(self.document.workflow, self._level)
        self.board.set_selected(self.document.selection)
        for path, run in runs.items():
            self.board.set_run(path, run)
            self.board.set_picture(path, pictures[path])
        if self.camera == self._whole:  # nodes are larger now, and nobody has looked elsewhere
            self.fit(animated=False)
        self.repaint_all()

    # -- what runs and checks say ---------------------------------------------------------------

    def set_run(self, path: str, run: NodeRun) -> None:
        """Show where a node stands."""
        self.board.set_run(path, run)
        self._live.watch(path, run.status == "running")
        self.refresh()

    def set_picture(self, path: str, picture: QPixmap | None) -> None:
        """Show a picture on a node."""
        self.board.set_picture(path, picture)
        self.refresh()

    def set_shown(self, path: str, shown: Shown) -> None:
        """Show facts and problems on a node; its picture and message stay."""
        view = self.board.nodes.get(path)
        if view is not None:
            shown = shown._replace(picture=view.shown.picture, message=view.shown.message,
                                   open=view.shown.open)  # fmt: skip
            self.board.set_shown(path, shown)
            self.refresh()

    def open_values(self, path: str, is_open: bool) -> None:
        """Show all values of a node, or the first and those that were set."""
        view = self.board.nodes.get(path)
        if view is not None:
            self.board.set_shown(path, view.shown._replace(open=is_open))
            self.refresh()

    def describe(self, path: str) -> str:
        """A node in words, for a screen reader: ``Sample, running, step 17 of 28``."""
        view = self.board.nodes[path]
        words = [view.title, view.run.status if view.node.mode == "on" else view.node.mode]
        if view.run.status == "running" and view.run.total > 1:
            words.append(tr("step {n} of {all}", n=int(view.run.done), all=int(view.run.total)))
        if view.run.status == "failed":
            words.append(view.run.sentence)
        return ", ".join(words)

    # -- what lies where ------------------------------------------------------------------------

    def show_node(self, path: str) -> None:
        """Bring a node into view and select it."""
        if path in self.board.nodes:
            self.document.select([path])
            if not self.visible().contains(self.board.nodes[path].rect):
                self.fit([path])

    def place_of(self, place: Place) -> QPointF | None:
        """Where a socket lies on the canvas."""
        link = Link(place.path, place.name, place.path, place.name, place.key)
        found = (
            self.board.source_place(link) if place.side == "out" else self.board.target_place(link)
        )
        return found[0] if found is not None else None

    def link_at(self, at: QPointF) -> Link | None:
        """The link under a place of the canvas, within half of its hit width."""
        reach = 6.0 / min(self.camera.zoom, 1.0)
        spot = QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)
        for view in reversed(self.board.links_in(spot)):
            pills = pills_of(view)
            shown = not view.name or len(pills) == 1  # else it is not drawn from end to end
            if (shown and view.is_near(at, reach)) or any(pill.contains(at) for pill in pills):
                return view.link
        return None

    def zone_at(self, at: QPointF) -> str:
        """The innermost zone whose area a place of the canvas lies in, or ``""``."""
        found = [zone for zone in self.board.zones if zone.rect.contains(at)]
        return max(found, key=lambda zone: zone.above).path if found else ""

    def links_crossing(self, points: list[QPointF]) -> list[Link]:
        """The links that a stroke crosses."""
        stroke = QPainterPath(points[0])
        for point in points[1:]:
            stroke.lineTo(point)
        pen = QPainterPathStroker()
        pen.setWidth(1.0)
        shape = pen.createStroke(stroke)
        box = shape.boundingRect()
        thin = QPainterPathStroker()
        thin.setWidth(1.0)
        return [
            view.link
            for view in self.board.links_in(box)
            if thin.createStroke(view.path).intersects(shape)
        ]

    # -- what is pointed at and chosen ----------------------------------------------------------

    def look(self) -> Look:
        """How things are painted now."""
        focus = self.document.active if self._focus_shown and self.hasFocus() else ""
        return Look(
            self.theme.colours, self.camera.zoom * self.devicePixelRatioF(), self.camera.zoom,
            self._hover, focus,
            self.document.active, self._fits, known=self.book.known,
        )  # fmt: skip

    def set_fits(self, fits: frozenset[tuple[str, str, str]] | None) -> None:
        """Show which sockets a pulled link fits; ``None`` when none is pulled."""
        if fits != self._fits:
            self._fits = fits
            self.repaint_all()

    def hover_link(self, link: Link | None) -> None:
        """Show a link as pointed at."""
        if link != self._chosen.hover_link:
            self._spoil_links(link, self._chosen.hover_link)
            self._chosen = Chosen(self._chosen.link, link, self._chosen.frame, self._chosen.note)

    def choose(
        self, link: Link | None = None, frame: int | None = None, note: int | None = None
    ) -> None:
        """Select a link, a frame or a note, and no other of them."""
        self._chosen = Chosen(link, self._chosen.hover_link, frame, note)
        self.repaint_all()
        self.chose.emit()

    @property
    def chosen(self) -> Chosen:
        """The link, frame or note that is selected."""
        return self._chosen

    def _spoil_links(self, *links: Link | None) -> None:
        views = [self.board.links.get(link) for link in links if link is not None]
        self.spoil(*(view.box for view in views if view is not None))

    # -- frames, notes and reroutes -------------------------------------------------------------

    def place_part(self, kind: str, number: int, rect: QRectF, label: str) -> None:
        """Put a frame or a note elsewhere, or size it."""
        level, box = self.document.level, Box(rect.x(), rect.y(), rect.width(), rect.height())
        merge = f"{kind} {number}"
        if kind == "frame":
            self.edit(label, lambda w: change_frame(w, level, number, box=box), merge)
        else:
            self.edit(label, lambda w: change_note(w, level, number, box=box), merge)

    def add_point(self, link: Link, at: QPointF) -> None:
        """Put a reroute on a link."""
        level, place = self.document.level, (snapped(at.x()), snapped(at.y()))
        view = self.board.links[link]
        number = sum(point.x() < at.x() for point in view.via)
        self.edit(tr("Reroute"), lambda w: add_reroute(w, level, link, place, number))
