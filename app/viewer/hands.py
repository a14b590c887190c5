"""A picture under the hands: dragged, wheeled, probed and wiped by mouse, pad and keys."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import (
    QInputDevice,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from app.theme.theme import Theme
from app.viewer.background import Background
from app.viewer.view import PictureView
from app.widgets.pinch import double_tapped, pinched

_GRIP = 8
"""Logical pixels to each side of the wipe where it can be taken."""

_STEP = 64
"""Logical pixels of one press of an arrow key."""

_NOTCH = 120
_PER_NOTCH = 2**0.5
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1),
}  # fmt: skip


class Hands(PictureView):
    """Drag pans, the wheel zooms to the pointer, a click holds the probe, the wipe is dragged.

    Keys: ``+`` and ``-`` zoom, ``1`` is pixel for pixel, ``0`` fits; arrows pan, or move the
    probe by a pixel (with Shift by ten) while it is on; ``,`` and ``.`` go through a batch,
    ``[`` and ``]`` move the wipe, Escape lets the probe go.
    """

    turned_to = Signal(int)
    """Go on in the batch by so many."""

    def __init__(self, theme: Theme, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(theme, background, parent)
        self._from: QPointF | None = None
        self._at = QPointF()
        self._moved = False
        self._wiping = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to pan, or to move the wipe."""
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            super().mousePressEvent(event)
            return
        self._from = self._at = event.position()
        self._moved = False
        left = event.button() == Qt.MouseButton.LeftButton
        self._wiping = left and self._is_on_divider(event.position())
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan, move the wipe, or tell what is under the pointer."""
        at = event.position()
        if self._from is None:
            self._hover(at)
            return
        if not self._moved:
            far = (at - self._from).manhattanLength()
            self._moved = far >= QApplication.startDragDistance() or self._wiping
            if not self._moved:
                return
        if self._wiping:
            left = self.frame.corner[0] / self.ratio
            self.set_wipe((at.x() - left) * self.ratio / self.frame.drawn[0])
        else:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.pan(at - self._at)
        self._at = at

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag; a click holds the probe where it is, or lets it go."""
        clicked = self._from is not None and not self._moved and not self._wiping
        self._from, self._wiping = None, False
        if clicked and self.probing and event.button() == Qt.MouseButton.LeftButton:
            pixel = self.pixel_at(event.position())
            self.set_pin(None if pixel == self.pin else pixel)
        self._hover(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Between the whole picture and its pixels, at the pointer."""
        if event.button() == Qt.MouseButton.LeftButton and not self.probing:
            if self.is_fitted:
                self.zoom_to(1.0, event.position())
            else:
                self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom to the pointer; two fingers on a pad pan unless Ctrl is held."""
        pad = event.device().type() == QInputDevice.DeviceType.TouchPad
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if pad and not control and not event.pixelDelta().isNull():
            self.pan(QPointF(event.pixelDelta()))
        else:
            turns = event.angleDelta().y() / _NOTCH
            self.zoom_by(_PER_NOTCH**turns, event.position())
        self._hover(event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Two fingers on a pad zoom; a double tap of them goes to the pixels, or back."""
        factor = pinched(event)
        if isinstance(event, QNativeGestureEvent) and factor is not None:
            self.zoom_by(factor, event.position())
            return True
        if isinstance(event, QNativeGestureEvent) and double_tapped(event):
            if self.is_fitted:
                self.zoom_to(1.0, event.position())
            else:
                self.fit()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """What a mouse can do, by keys."""
        text, key = event.text(), event.key()
        moves: dict[str, Callable[[], None]] = {
            "+": lambda: self.zoom_by(2.0), "=": lambda: self.zoom_by(2.0),
            "-": lambda: self.zoom_by(0.5), "1": lambda: self.zoom_to(1.0), "0": self.fit,
            ",": lambda: self.turned_to.emit(-1), ".": lambda: self.turned_to.emit(1),
            "[": lambda: self._nudge(-0.02), "]": lambda: self._nudge(0.02),
        }  # fmt: skip
        if key in _ARROWS:
            x, y = _ARROWS[Qt.Key(key)]
            self._arrow(x, y, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif text in moves and self.picture is not None:
            moves[text]()
        elif key == Qt.Key.Key_Escape and self.pin is not None:
            self.set_pin(None)
        else:
            super().keyPressEvent(event)

    def _arrow(self, x: int, y: int, far: bool) -> None:
        if self.picture is None:
            return
        if not self.probing:
            self.pan(QPointF(-x * _STEP, -y * _STEP))
            return
        frame = self.frame
        middle = int(frame.x // 1), int(frame.y // 1)
        at = self.pin or middle
        step = 10 if far else 1
        self.set_pin((at[0] + x * step, at[1] + y * step))

    def _nudge(self, share: float) -> None:
        if self.wipe is not None:
            self.set_wipe(self.wipe + share)

    def _hover(self, at: QPointF) -> None:
        if self._is_on_divider(at):
            self.setCursor(Qt.CursorShape.SplitHCursor)
        elif self.probing:
            self.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        if self.pin is None:
            self.probed.emit(self.pixel_at(at))

    def _is_on_divider(self, at: QPointF) -> bool:
        divider = self.divider()
        return divider is not None and abs(at.x() - divider) <= _GRIP
