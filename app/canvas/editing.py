"""Editing in place: an editor lies over a field of a node while that one value is edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.canvas.hands.hand import Hand, Modifiers
from app.canvas.measure import FOOTER, FULL, HEADER, INSET
from app.canvas.parts import NodeView
from app.canvas.port_names import port_at, renamed, row_of
from app.canvas.shape import Field
from app.canvas.text_editors import Line, Page
from app.document.edits.common import EditError
from app.document.edits.frames import change_frame, change_note
from app.document.edits.nodes import set_title
from app.document.edits.params import set_param
from app.document.level import GIVEN, TAKEN
from app.words import tr
from backend.graph.spec import Param

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas
    from app.widgets.context import EditorContext
    from app.widgets.editor import ParamEditor

_TEXT = ("multiline", "text", "name", "expression")


class Editing(QObject):
    """The one editor that a canvas may have open, and where it lies.

    ``contexts`` gives an editor what it needs (pickers, models, names) for a node's parameter.
    """

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._widget: QWidget | None = None
        self._rect: Callable[[], QRectF | None] = lambda: None
        self.contexts: Callable[[str, Param], EditorContext] = self._plain_context

    # -- what is under the pointer ------------------------------------------------------------

    def field_at(self, at: QPointF, view: NodeView) -> Field | None:
        """The field of a node under a place of the canvas, where fields can be read."""
        if self._canvas.camera.zoom < FULL or view.zone or view.shape.collapsed:
            return None
        x, y = at.x() - view.x, at.y() - view.y
        if not INSET <= x <= view.shape.width - INSET:
            return None
        for field in view.shape.fields:
            if field.y <= y <= field.y + field.height and not field.joined:
                return field
        return None

    def cursor_at(self, at: QPointF) -> Qt.CursorShape | None:
        """What the pointer looks like over a field or an edge."""
        view = self._canvas.board.node_at(at)
        if view is None:
            return None
        field = self.field_at(at, view)
        if field is not None:
            if field.param.kind in ("number", "integer"):
                return Qt.CursorShape.SizeHorCursor
            return Qt.CursorShape.IBeamCursor if field.param.kind in _TEXT else None
        edge = view.x + view.shape.width - at.x()
        if not view.zone and 0 <= edge <= 5 and at.y() > view.y + HEADER:
            return Qt.CursorShape.SizeHorCursor
        return None

    def press(self, at: QPointF, view: NodeView) -> bool:
        """Whether a press there is for a field or a line of the node, not for moving it."""
        if self.field_at(at, view) is not None:
            return not getattr(view.placement, "locked", False)
        return self._on_more(at, view) or self._on_footer(at, view)

    def hand(self, at: QPointF, modifiers: Modifiers, view: NodeView) -> Hand | None:
        """What a press there begins."""
        field = self.field_at(at, view)
        if field is not None:
            editor = self.open_field(view.path, field.param.name)
            return _ForwardHand(self._canvas, at, modifiers, editor) if editor else None
        if self._on_more(at, view):
            self._canvas.open_values(view.path, True)
        elif self._on_footer(at, view):
            self._canvas.said.emit(view.run.sentence)
        return None

    def _on_more(self, at: QPointF, view: NodeView) -> bool:
        y = at.y() - view.y - view.shape.more_y
        shown = self._canvas.camera.zoom >= FULL and not view.shape.collapsed and not view.zone
        return shown and view.shape.more > 0 and 0 <= y <= 24

    def _on_footer(self, at: QPointF, view: NodeView) -> bool:
        low = view.y + view.shape.height - FOOTER
        return view.run.status == "failed" and not view.shape.collapsed and at.y() > low

    # -- opening ------------------------------------------------------------------------------

    def open_at(self, at: QPointF) -> bool:
        """Begin to edit what was double-clicked: a value, or the title. Subgraphs are entered."""
        view = self._canvas.board.node_at(at)
        if view is None or view.node.type == "":
            return False
        port = port_at(view, at)
        if port is not None:
            self.rename_port(view.path, port.name)
        if view.path in (GIVEN, TAKEN):
            return True
        field = self.field_at(at, view)
        if field is not None:
            editor = self.open_field(view.path, field.param.name)
            if editor is not None:
                editor.begin()
            return True
        if view.node.type.startswith("subgraph:"):
            return False
        if at.y() <= view.y + (36 if view.zone else HEADER):
            self.rename(view.path)
            return True
        return False

    def open_field(self, path: str, name: str) -> ParamEditor | None:
        """Put an editor over a parameter's field; ``None`` where there is none to be seen."""
        from app.widgets.make import editor_for

        self.end()
        view = self._canvas.board.nodes.get(path)
        field = _field(view, name)
        if view is None or field is None:
            return None
        editor = editor_for(
            field.param, field.value, self.contexts(path, field.param), self._canvas
        )
        editor.edited.connect(lambda value, final: self._edited(path, name, value, final))
        editor.reverted.connect(lambda: self._reverted(path, name))
        editor.ended.connect(lambda _: self._later(editor))

        def rect() -> QRectF | None:
            here = self._canvas.board.nodes.get(path)
            found = _field(here, name)
            if here is None or found is None:
                return None
            editor.show_value(found.value)
            width = here.shape.width - 2 * INSET
            return QRectF(here.x + INSET, here.y + found.y, width, found.height)

        self._show(editor, rect)
        return editor

    def rename(self, path: str) -> None:
        """Edit the title of a node."""
        view = self._canvas.board.nodes.get(path)
        if view is None or path.startswith("$"):
            return
        self.end()
        line = Line(view.title, self._canvas)
        line.setAccessibleName(tr("Title"))
        line.selectAll()
        level = self._canvas.document.level

        def keep(text: str) -> None:
            words = " ".join(text.split())
            title = "" if words == _plain_title(self._canvas, path) else words
            self._try(lambda: self._canvas.edit(
                tr("Rename a node"), lambda w: set_title(w, level, path, title)))  # fmt: skip

        line.kept.connect(keep)

        def rect() -> QRectF | None:
            here = self._canvas.board.nodes.get(path)
            high = 36.0 if here is not None and here.zone else HEADER
            return QRectF(here.x + 2, here.y + 2, here.shape.width - 4, high - 4) if here else None

        line.editingFinished.connect(lambda: self._later(line))
        self._show(line, rect)
        line.setFocus()

    def rename_port(self, path: str, name: str) -> None:
        """Edit the name of an input or output of the subgraph that is looked at."""
        self.end()
        line = Line(name, self._canvas)
        line.setAccessibleName(tr("Name"))
        line.selectAll()
        level = self._canvas.document.level
        line.kept.connect(lambda text: self._try(lambda: self._canvas.edit(
            tr("Rename {name}", name=name), renamed(path, level, name, text))))  # fmt: skip

        def rect() -> QRectF | None:
            here = self._canvas.board.nodes.get(path)
            return row_of(here, name) if here is not None else None

        line.editingFinished.connect(lambda: self._later(line))
        self._show(line, rect)
        line.setFocus()

    def open_note_at(self, at: QPointF) -> bool:
        """Edit the note under a place of the canvas, or the title of a frame there."""
        for note in reversed(self._canvas.board.notes):
            if note.rect.contains(at):
                self.edit_note(note.number)
                return True
        for frame in reversed(self._canvas.board.frames):
            if frame.rect.contains(at) and at.y() < frame.rect.top() + 32:
                self.rename_frame(frame.number)
                return True
        return False

    def edit_note(self, number: int) -> None:
        """Edit the Markdown of a note."""
        self.end()
        page = Page(self._canvas.board.notes[number].note.text, self._canvas)
        page.setAccessibleName(tr("Note"))
        level = self._canvas.document.level

        def keep() -> None:
            text = page.toPlainText()
            self._try(lambda: self._canvas.edit(
                tr("Edit a note"), lambda w: change_note(w, level, number, text)))  # fmt: skip

        page.done = keep
        page.left = lambda: self._later(page)

        def rect() -> QRectF | None:
            notes = self._canvas.board.notes
            return notes[number].rect if number < len(notes) else None

        self._show(page, rect)
        page.setFocus()

    def rename_frame(self, number: int) -> None:
        """Edit the title of a frame."""
        self.end()
        line = Line(self._canvas.board.frames[number].frame.title, self._canvas)
        line.setAccessibleName(tr("Title"))
        line.selectAll()
        level = self._canvas.document.level
        line.kept.connect(lambda text: self._try(lambda: self._canvas.edit(
            tr("Rename a frame"), lambda w: change_frame(w, level, number, text))))  # fmt: skip

        def rect() -> QRectF | None:
            frames = self._canvas.board.frames
            if number >= len(frames):
                return None
            box = frames[number].rect
            return QRectF(box.x() + 10, box.y() + 4, min(box.width() - 20, 320), 26)

        line.editingFinished.connect(lambda: self._later(line))
        self._show(line, rect)
        line.setFocus()

    # -- while it is open -----------------------------------------------------------------------

    @property
    def widget(self) -> QWidget | None:
        """The editor that is open."""
        return self._widget

    def _show(self, widget: QWidget, rect: Callable[[], QRectF | None]) -> None:
        self._widget, self._rect = widget, rect
        self.follow()
        widget.show()

    def follow(self) -> None:
        """Lie where the field is now; close where it is gone or too small to read."""
        if self._widget is None:
            return
        rect = self._rect()
        if rect is None or self._canvas.camera.zoom < FULL * 0.8:
            self.end()
            return
        box = self._canvas.camera.rect_to_screen(rect).toAlignedRect()
        if box != self._widget.geometry():
            self._widget.setGeometry(box)

    def end(self) -> None:
        """Close the editor; what was typed is kept by its losing the focus."""
        widget, self._widget = self._widget, None
        if widget is not None:
            if isinstance(widget, Page):
                widget.finish()
            held = QApplication.focusWidget()
            if held is None or held is widget or widget.isAncestorOf(held):
                self._canvas.setFocus(Qt.FocusReason.OtherFocusReason)
            widget.hide()
            widget.deleteLater()

    def _later(self, widget: QWidget) -> None:
        """Close it when its own event is over."""
        QTimer.singleShot(0, self, lambda: self.end() if self._widget is widget else None)

    def _edited(self, path: str, name: str, value: Any, final: bool) -> None:
        level = self._canvas.document.level
        self._try(lambda: self._canvas.edit(
            tr("Set a value"), lambda w: set_param(w, level, path, name, value),
            merge=f"{path}.{name}"))  # fmt: skip
        if final:
            self._canvas.document.session.seal()

    def _reverted(self, path: str, name: str) -> None:
        history = self._canvas.document.session.history
        if history.can_undo and history.states[history.at].merge == f"{path}.{name}":
            self._canvas.document.undo()

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except EditError as error:
            self._canvas.said.emit(str(error))

    def _plain_context(self, path: str, param: Param) -> EditorContext:
        from app.labels import label
        from app.widgets.context import EditorContext

        return EditorContext(self._canvas.theme, label(param.name), compact=True)


class _ForwardHand(Hand):
    """Gives the mouse on to the editor that the press has opened."""

    def __init__(
        self, canvas: Canvas, at: QPointF, modifiers: Modifiers, editor: ParamEditor
    ) -> None:
        super().__init__(canvas, at, modifiers)
        self._editor = editor
        # What the editor has no use for would come back here by its parent, the canvas, forever.
        editor.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self._send(QEvent.Type.MouseButtonPress, at, Qt.MouseButton.LeftButton, modifiers)

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        self._send(QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, modifiers)

    def release(self, at: QPointF, modifiers: Modifiers) -> None:
        self._send(QEvent.Type.MouseButtonRelease, at, Qt.MouseButton.LeftButton, modifiers)

    def cancel(self) -> None:
        editing, none = self.canvas.editing, Qt.KeyboardModifier.NoModifier
        if editing.widget is self._editor:  # Escape: it takes back what was dragged
            escape = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Escape, none)
            QApplication.sendEvent(self._editor, escape)
        editing.end()

    def lose(self) -> None:
        self.canvas.editing.end()

    def _send(
        self, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, modifiers: Modifiers
    ) -> None:
        if self.canvas.editing.widget is not self._editor:
            return
        on_canvas = self.canvas.camera.to_screen(at)
        spot = QPointF(self._editor.mapFromParent(on_canvas.toPoint()))
        held = (
            Qt.MouseButton.NoButton
            if kind == QEvent.Type.MouseButtonRelease
            else Qt.MouseButton.LeftButton
        )
        over = QPointF(self.canvas.mapToGlobal(on_canvas))
        QApplication.sendEvent(self._editor, QMouseEvent(kind, spot, over, button, held, modifiers))


def _field(view: NodeView | None, name: str) -> Field | None:
    if view is None:
        return None
    return next((f for f in view.shape.fields if f.param.name == name and not f.joined), None)


def _plain_title(canvas: Canvas, path: str) -> str:
    spec = canvas.board.nodes[path].spec
    return spec.title if spec is not None else ""
