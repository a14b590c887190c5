"""A hand: what the mouse does from press to release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter

from app.document.edits.common import EditError
from app.document.session import Change

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas

Modifiers = Qt.KeyboardModifier


class Hand:
    """One movement of the mouse with a button held. Places are those of the canvas."""

    cursor: Qt.CursorShape = Qt.CursorShape.ArrowCursor

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers) -> None:
        self.canvas = canvas
        self.begin = at
        self.modifiers = modifiers

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        """The mouse is here now."""

    def release(self, at: QPointF, modifiers: Modifiers) -> None:
        """The button was let go."""

    def cancel(self) -> None:
        """Escape or the other button was pressed: all is as before."""

    def lose(self) -> None:
        """Something else has changed the document, or another level is looked at: show nothing
        more of it, and take nothing back."""

    def key(self, key: int) -> bool:
        """A key while the button is held; whether it was for this hand."""
        return False

    def edit(self, label: str, change: Change, merge: str = "") -> bool:
        """Change the document, or say why that cannot be; whether it is another one now."""
        try:
            return self.canvas.edit(label, change, merge)
        except EditError as error:
            self.canvas.said.emit(str(error))
            return False

    def paint(self, painter: QPainter) -> None:
        """Over everything else, in the canvas's own pixels."""


class EditHand(Hand):
    """Edits the document while the button is held, all of it one edit; Escape takes it back."""

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers) -> None:
        super().__init__(canvas, at, modifiers)
        self._history = canvas.document.session.history.at

    def release(self, at: QPointF, modifiers: Modifiers) -> None:
        self.canvas.document.session.seal()

    def cancel(self) -> None:
        if self.canvas.document.session.history.at > self._history:
            self.canvas.document.undo()


class PanHand(Hand):
    """Pulls the canvas along."""

    cursor = Qt.CursorShape.ClosedHandCursor

    def __init__(self, canvas: Canvas, at: QPointF, modifiers: Modifiers) -> None:
        super().__init__(canvas, at, modifiers)
        self._last = canvas.camera.to_screen(at)
        self.moved = False

    def move(self, at: QPointF, modifiers: Modifiers) -> None:
        here = self.canvas.camera.to_screen(at)
        step = here - self._last
        if not self.moved and abs(step.x()) + abs(step.y()) < 4:
            return
        self.moved = True
        self.canvas.set_camera(self.canvas.camera.moved(step.x(), step.y()))
        self._last = here
