"""Two fingers that go apart or together on a touchpad, and a double tap of two."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QNativeGestureEvent

_LEAST, _MOST = 0.2, 5.0
"""What a single event may do at most; some drivers send a jump when a finger lands."""


def pinched(event: QEvent) -> float | None:
    """By how much to zoom, 1 for nothing, where the event is of a pinch."""
    if not isinstance(event, QNativeGestureEvent):
        return None
    if event.gestureType() is not Qt.NativeGestureType.ZoomNativeGesture:
        return None
    return min(_MOST, max(_LEAST, 1.0 + event.value()))


def double_tapped(event: QEvent) -> bool:
    """Whether the event is a double tap of two fingers, which asks for a closer look or back."""
    smart = Qt.NativeGestureType.SmartZoomNativeGesture
    return isinstance(event, QNativeGestureEvent) and event.gestureType() is smart
