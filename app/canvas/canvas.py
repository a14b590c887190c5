"""The canvas: paints a level of an open document, and takes what hands do to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from PySide6.QtCore import (
    QElapsedTimer,
    QEvent,
    QPointF,
    QRect,
    QRectF,
    QSize,
    QSizeF,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from app.canvas.board import Board
from app.canvas.camera import Camera
from app.canvas.editing import Editing
from app.canvas.frame_store import FrameStore
from app.canvas.glide import Glide
from app.canvas.hands.hand import Hand
from app.canvas.hands.start import hand_for
from app.canvas.index import Box as Bounds
from app.canvas.live import Live
from app.canvas.measure import snapped
from app.canvas.node_pictures import NodePictures
from app.canvas.paint_node import Look
from app.canvas.paint_scene import Chosen, paint_far, paint_scene
from app.canvas.shape import Place, Shown
from app.canvas.text import paint_text
from app.document.edits.bridge import Bridges
from app.document.edits.cycles import Reads
from app.document.edits.frames import Box, change_frame, change_note
from app.document.edits.ways import add_reroute
from app.document.level import Link, layout_of
from app.document.session import Change
from app.open_document import OpenDocument
from app.run.state import NodeRun
from app.specs.book import SpecBook
from app.theme.fonts import Role
from app.theme.theme import Theme
from app.words import tr
from backend.graph.document import Node, Workflow
from backend.graph.spec import NodeSpec

_SETTLED = 70
"""Milliseconds without a change of zoom until all is painted as it is."""
_PREVIEW = 250
"""Milliseconds for which a stretched picture may stand in while the zoom changes."""


class Canvas(QWidget):
    """One graph on screen.

    Every change of the document goes through ``edit``; what the canvas shows beside the document
    (runs, pictures, facts) is given to it by ``set_run``, ``set_picture`` and ``set_shown``.
    """

    said = Signal(str)
    """A sentence for the user: why something could not be done."""
    asked_palette = Signal(object, object)
    """The palette is wanted at a place of the canvas (QPointF), for a pulled end (Place) or not."""
    asked_menu = Signal(object, object)
    """A context menu at a global place (QPoint), for a place of the canvas (QPointF)."""
    asked_look = Signal(str, str)
    """The output of a node is to be looked at."""
    opened = Signal(str)
    """A node was opened: the subgraph in it is to be entered."""
    viewed = Signal()
    """Another part is seen, or at another zoom."""
    chose = Signal()
    """Another link, frame or note is selected, or none."""

    def __init__(
        self, document: OpenDocument, book: SpecBook, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.document, self.book, self.theme = document, book, theme
        self.board = Board(self.spec_of)
        self.camera = Camera()
        self.editing = Editing(self)
        self.snap = True
        self._store = FrameStore()
        self._painted = QElapsedTimer()
        self._was_empty = False
        self._zooming = QTimer(self, singleShot=True, interval=_SETTLED)
        self._zooming.timeout.connect(self._on_settled)
        self._pictures = NodePictures()
        self._reads = Reads()
        self._glide = Glide(self)
        self._live = Live(self)
        self._hand: Hand | None = None
        self._fits: frozenset[tuple[str, str, str]] | None = None
        self._bridges: Bridges | None = None
        self._chosen = Chosen()
        self._hover = ""
        self._pointer = QPointF(-1, -1)  # nowhere yet
        self._focus_shown = False
        self._cameras: dict[str, Camera] = {}
        self._level = document.level
        self._tool = "select"
        self.space_held = False
        """Space is down, so a press pans."""
        self._panned = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled, False)
        self.setAccessibleName(tr("Graph"))
        self.setMinimumSize(240, 160)
        self.board.open(document.workflow, document.level)
        document.changed.connect(self._on_changed)
        document.selected.connect(self._on_selected)
        document.level_changed.connect(self._on_level)
        book.changed.connect(self._on_specs)
        theme.changed.connect(self.repaint_all)

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
        gone = [path for path in self.document.selection if path not in self.board.nodes]
        if gone:
            self.document.select(self.document.selection - frozenset(gone))
        if self._chosen.link is not None and self._chosen.link not in self.board.links:
            self.choose(frame=self._chosen.frame, note=self._chosen.note)
        self.editing.follow()
        self.refresh()

    def _on_level(self) -> None:
        self._cameras[self._level] = self.camera
        self._level = self.document.level
        self.drop_hand()
        self.editing.end()
        self._chosen = Chosen()
        self.board.open(self.document.workflow, self._level)
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

    # -- the view -------------------------------------------------------------------------------

    def set_camera(self, camera: Camera) -> None:
        """See another part; the corner falls on a device pixel, so that panning can shift."""
        step = camera.zoom * self.devicePixelRatioF()
        snapped = Camera(round(camera.x * step) / step, round(camera.y * step) / step, camera.zoom)
        if snapped != self.camera:
            if snapped.zoom != self.camera.zoom:
                self._zooming.start()
            self.camera = snapped
            self.editing.follow()
            self.viewed.emit()
            self.update()

    def visible(self) -> QRectF:
        """What is seen, on the canvas."""
        return self.camera.rect_to_canvas(QRectF(self.rect()))

    def fit(self, paths: Collection[str] | None = None, animated: bool = True) -> None:
        """Show these nodes, or everything."""
        bounds = self.board.bounds(paths)
        if bounds is None:
            self._glide.to(Camera(-self.width() / 2, -self.height() / 2), animated)
            return
        size = QSizeF(self.width(), self.height())
        self._glide.to(Camera.showing(bounds, size), animated)

    def show_node(self, path: str) -> None:
        """Bring a node into view and select it."""
        if path in self.board.nodes:
            self.document.select([path])
            if not self.visible().contains(self.board.nodes[path].rect):
                self.fit([path])

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Larger or smaller around a place of the widget, or its middle."""
        self._glide.stop()
        middle = QPointF(self.width() / 2, self.height() / 2)
        self.set_camera(self.camera.zoomed(factor, at if at is not None else middle))

    def zoom_to(self, zoom: float) -> None:
        """A zoom, such as 1.0 for 100 %."""
        middle = QPointF(self.width() / 2, self.height() / 2)
        self._glide.to(self.camera.zoomed(zoom / self.camera.zoom, middle), True)

    def set_reduced_motion(self, on: bool) -> None:
        """Nothing moves by itself."""
        self._glide.still = on
        self._live.still = on

    def place_of(self, place: Place) -> QPointF | None:
        """Where a socket lies on the canvas."""
        link = Link(place.path, place.name, place.path, place.name, place.key)
        found = (
            self.board.source_place(link) if place.side == "out" else self.board.target_place(link)
        )
        return found[0] if found is not None else None

    def pointer(self) -> QPointF:
        """The place of the canvas under the mouse; the middle of the view where it is elsewhere."""
        inside = self.rect().contains(self._pointer.toPoint())
        at = self._pointer if inside else QPointF(self.rect().center())
        return self.camera.to_canvas(at)

    def link_at(self, at: QPointF) -> Link | None:
        """The link under a place of the canvas, within half of its hit width."""
        reach = 6.0 / min(self.camera.zoom, 1.0)
        spot = QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)
        for view in reversed(self.board.links_in(spot)):
            if not view.name and view.is_near(at, reach):
                return view.link
        return None

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

    # -- painting -------------------------------------------------------------------------------

    def look(self) -> Look:
        """How things are painted now."""
        focus = self.document.active if self._focus_shown and self.hasFocus() else ""
        return Look(
            self.theme.colours, self.camera.zoom * self.devicePixelRatioF(), self.camera.zoom,
            self._hover, focus,
            self.document.active, self._fits, known=self.book.known,
        )  # fmt: skip

    def refresh(self) -> None:
        """Paint what has changed on the board."""
        if self._was_empty != (self.board.bounds() is None):
            self._was_empty = not self._was_empty
            self.update()
        boxes = self.board.take_dirty()
        if boxes is None:
            self.repaint_all()
        elif boxes:
            self.update(self._store.spoil_boxes(boxes, self.camera))

    def spoil(self, *boxes: Bounds) -> None:
        """Paint these boxes of the canvas anew."""
        self.update(self._store.spoil_boxes(boxes, self.camera))

    def repaint_all(self) -> None:
        """Paint everything anew."""
        self.board.take_dirty()
        self._store.spoil()
        self.update()

    def _is_moving(self) -> bool:
        """Whether the zoom is under way, so that a preview must do; now and then it is painted."""
        fresh = self._painted.isValid() and self._painted.elapsed() < _PREVIEW
        return self._zooming.isActive() and fresh and self._store.is_painted

    def _on_settled(self) -> None:
        self.update()

    def _paint_preview(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), self.look()

        def rest(painter: QPainter, area: QRectF, _: Camera) -> None:
            paint_far(painter, self.board, look, area)

        self._store.preview(painter, self.camera, rest)
        painter.end()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._is_moving():
            self._paint_preview(event)
            return
        self._store.show(self.camera, self.size(), self.devicePixelRatioF())
        look = self.look()
        self._painted.start()

        def paint(painter: QPainter, area: QRectF, camera: Camera) -> None:
            paint_scene(painter, self.board, camera, look, area, self._chosen, self._pictures)

        self._store.refresh(paint)
        painter = QPainter(self)
        self._store.draw(painter, event.rect())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.board.bounds() is None:
            self._paint_empty(painter)
        painter.scale(self.camera.zoom, self.camera.zoom)
        painter.translate(-self.camera.x, -self.camera.y)
        self._live.paint(painter, look)
        if self._hand is not None:
            self._hand.paint(painter)
        painter.end()

    def _paint_empty(self, painter: QPainter) -> None:
        """What to do where there is nothing."""
        colours, middle = self.theme.colours, QRectF(self.rect()).center()
        x, y = middle.x(), middle.y()
        paint_text(painter, x, y - 14, tr("Nothing here yet."), Role.EMPTY, colours.text,
                   align="middle")  # fmt: skip
        said = tr("Press Tab to add a node, or drop a picture.")
        paint_text(painter, x, y + 14, said, Role.BODY, colours.weak, align="middle")

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.viewed.emit()
        super().resizeEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(960, 640)

    # -- hands ----------------------------------------------------------------------------------

    @property
    def tool(self) -> str:
        """What a press on empty canvas begins: ``select``, ``lasso`` or ``cut``."""
        return self._tool

    def set_tool(self, name: str) -> None:
        """Choose what a press on empty canvas begins."""
        self._tool = name
        self.setCursor(Qt.CursorShape.CrossCursor if name == "cut" else Qt.CursorShape.ArrowCursor)

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

    def drop_hand(self) -> None:
        """End what the mouse is doing, without effect."""
        hand, self._hand = self._hand, None
        if hand is not None:
            hand.cancel()
            self.set_fits(None)
            self.unsetCursor()
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._glide.stop()
        self._show_focus(False)
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if self._hand is not None:
            return
        self.editing.end()
        self._panned = True
        self._hand = hand_for(self, event)
        if self._hand is not None:
            self.setCursor(self._hand.cursor)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position()
        at = self.camera.to_canvas(event.position())
        if self._hand is not None:
            self._hand.move(at, event.modifiers())
            self.update()
            return
        self._point_at(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        hand, self._hand = self._hand, None
        self.set_tool(self._tool)
        if hand is not None:
            hand.release(self.camera.to_canvas(event.position()), event.modifiers())
            self.update()
        pressed = getattr(hand, "moved", False)
        if event.button() == Qt.MouseButton.RightButton and not pressed:
            at = self.camera.to_canvas(event.position())
            self.asked_menu.emit(event.globalPosition().toPoint(), at)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._hand = None
        if event.button() != Qt.MouseButton.LeftButton:
            return
        at = self.camera.to_canvas(event.position())
        view = self.board.node_at(at)
        link = self.link_at(at) if view is None else None
        if view is not None:
            if not self.editing.open_at(at):
                self.opened.emit(view.path)
        elif link is not None:
            self.add_point(link, at)
        elif not self.editing.open_note_at(at):
            self.asked_palette.emit(at, None)

    def _point_at(self, at: QPointF) -> None:
        """Show what is under the pointer."""
        view = self.board.node_at(at)
        hover = view.path if view is not None and not view.zone else ""
        if hover != self._hover:
            boxes = [self.board.nodes[p].box for p in (hover, self._hover) if p in self.board.nodes]
            self._hover = hover
            self.spoil(*boxes)
        on_socket = self.board.socket_at(at, 12.0)
        link = self.link_at(at) if view is None and on_socket is None else None
        self.hover_link(link)
        self._live.show_bead(link, at)
        cursor = self.editing.cursor_at(at) if self._tool == "select" else None
        if on_socket is not None:
            cursor = Qt.CursorShape.CrossCursor
        self.setCursor(cursor or (
            Qt.CursorShape.CrossCursor if self._tool == "cut" else Qt.CursorShape.ArrowCursor
        ))  # fmt: skip

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The wheel zooms to the pointer; with Shift or sideways, or by two fingers, it pans."""
        self._glide.stop()
        pixels, angle = event.pixelDelta(), event.angleDelta()
        fingers = not pixels.isNull() and event.phase() != Qt.ScrollPhase.NoScrollPhase
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if fingers and not control:
            self.set_camera(self.camera.moved(pixels.x(), pixels.y()))
        elif shift or (angle.x() and not angle.y()):
            step = angle.x() or angle.y()
            self.set_camera(self.camera.moved(step * 0.5, 0))
        else:
            self.zoom_by(1.0015 ** angle.y(), event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._live.show_bead(None, QPointF())
        if self._hover:
            self._point_at(QPointF(1e9, 1e9))
        super().leaveEvent(event)

    # -- keys -----------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Tab is for the palette, not for the next control."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            tab = event.key() == Qt.Key.Key_Tab and not event.modifiers()
            if tab:
                self.keyPressEvent(event)
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        from app.canvas.keys import pressed

        if self._hand is not None:
            if event.key() == Qt.Key.Key_Escape:
                self.drop_hand()
                return
            if self._hand.key(event.key()):
                return
        if not pressed(self, event):
            super().keyPressEvent(event)

    def hold_space(self) -> None:
        """Space is down: a drag pans; let go without one, it asks for the palette."""
        self.space_held = True
        self._panned = False
        self.setCursor(Qt.CursorShape.OpenHandCursor)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self.space_held and not event.isAutoRepeat():
            self.space_held = False
            self.set_tool(self._tool)
            if not self._panned:
                self.asked_palette.emit(self.pointer(), None)
            return
        super().keyReleaseEvent(event)

    def show_focus(self) -> None:
        """The keyboard is in use: its ring is shown."""
        self._show_focus(True)

    def _show_focus(self, on: bool) -> None:
        if on != self._focus_shown:
            self._focus_shown = on
            view = self.board.nodes.get(self.document.active)
            if view is not None:
                self.spoil(view.box)

    def focusInEvent(self, event: QFocusEvent) -> None:
        keys = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason,
                Qt.FocusReason.ShortcutFocusReason)  # fmt: skip
        self._show_focus(event.reason() in keys)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._show_focus(False)
        super().focusOutEvent(event)

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

    def later(self, act: object) -> None:
        """Do something when the present event is over."""
        QTimer.singleShot(0, act)  # type: ignore[call-overload]

    def node_rect(self, path: str) -> QRect:
        """Where a node is painted, in the pixels of the widget."""
        return self.camera.rect_to_screen(self.board.nodes[path].rect).toAlignedRect()
