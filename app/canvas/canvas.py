"""The canvas: a level of an open document under the hands, and what keys and mouse do to it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from app.canvas.drops import hand_of_drag
from app.canvas.editing import Editing
from app.canvas.hands.hand import Hand
from app.canvas.hands.start import hand_for
from app.canvas.level_view import LevelView
from app.open_document import OpenDocument
from app.specs.book import SpecBook
from app.theme.theme import Theme
from app.widgets.pinch import pinched
from backend.graph.document import Workflow


class Canvas(LevelView):
    """One graph on screen, which takes what hands do to it: one ``Hand`` from press to release."""

    spoken_role = QAccessible.Role.Canvas

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

    def __init__(
        self, document: OpenDocument, book: SpecBook, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(document, book, theme, parent)
        self.editing = Editing(self)
        self._hand: Hand | None = None
        self._acting = False
        """The hand is moving: what changes now is its own doing."""
        self._button = Qt.MouseButton.NoButton
        """The button that the hand is held by."""
        self._pointer = QPointF(-1, -1)  # nowhere yet
        self._tool = "select"
        self.space_held = False
        """Space is down, so a press pans."""
        self._panned = False
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled, False)
        self.viewed.connect(self.editing.follow)
        document.changed.connect(lambda *_: self.editing.follow())

    def _on_changed(self, before: object, after: Workflow) -> None:
        if not self._acting:
            self._lose_hand()
        super()._on_changed(before, after)

    def _on_level(self) -> None:
        self._lose_hand()
        self.editing.end()
        super()._on_level()

    def paint_over(self, painter: QPainter) -> None:
        if self._hand is not None:
            self._hand.paint(painter)

    # -- hands ----------------------------------------------------------------------------------

    def pointer(self) -> QPointF:
        """The place of the canvas under the mouse; the middle of the view where it is elsewhere."""
        inside = self.rect().contains(self._pointer.toPoint())
        at = self._pointer if inside else QPointF(self.rect().center())
        return self.camera.to_canvas(at)

    @property
    def tool(self) -> str:
        """What a press on empty canvas begins: ``select``, ``lasso`` or ``cut``."""
        return self._tool

    def set_tool(self, name: str) -> None:
        """Choose what a press on empty canvas begins."""
        self._tool = name
        self.setCursor(Qt.CursorShape.CrossCursor if name == "cut" else Qt.CursorShape.ArrowCursor)

    def drop_hand(self) -> None:
        """End what the mouse is doing, without effect."""
        hand, self._hand = self._hand, None
        if hand is not None:
            hand.cancel()
            self._after_hand()

    def _lose_hand(self) -> None:
        """What the mouse holds is another now: let go of it, and take nothing back."""
        hand, self._hand = self._hand, None
        if hand is not None:
            hand.lose()
            self._after_hand()

    def _after_hand(self) -> None:
        self._button = Qt.MouseButton.NoButton
        self.set_fits(None)
        self.set_tool(self._tool)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._glide.stop()
        self._show_focus(False)
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if self._hand is not None:
            if event.button() == Qt.MouseButton.RightButton:
                self.drop_hand()
            return
        self.editing.end()
        self._panned, self._button = True, event.button()
        self._hand = hand_for(self, event)
        if self._hand is not None:
            self.setCursor(self._hand.cursor)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position()
        at = self.camera.to_canvas(event.position())
        if self._hand is not None:
            self._acting = True
            try:
                self._hand.move(at, event.modifiers())
            finally:
                self._acting = False
            self.update()
            return
        self._point_at(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != self._button:  # of a press that began nothing
            return
        self._button = Qt.MouseButton.NoButton
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

    # -- what is dragged in from elsewhere; files are for the window ------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        hand = hand_of_drag(self, event) if self._hand is None else None
        self._hand = self._hand or hand
        event.setAccepted(hand is not None)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.setAccepted(self._hand is not None)
        if self._hand is not None:
            self._hand.move(self.camera.to_canvas(event.position()), event.modifiers())

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_hand()

    def dropEvent(self, event: QDropEvent) -> None:
        hand, self._hand = self._hand, None
        event.setAccepted(hand is not None)
        if hand is not None:
            hand.release(self.camera.to_canvas(event.position()), event.modifiers())

    # -- keys -----------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Tab is for the palette, not for the next control; two fingers on a pad zoom."""
        factor = pinched(event)
        if isinstance(event, QNativeGestureEvent) and factor is not None:
            self.zoom_by(factor, event.position())
            return True
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
        self.space_held = False  # its release goes elsewhere
        self.set_tool(self._tool)
        super().focusOutEvent(event)
