"""What a screen reader is told of widgets that Weft paints by itself: their role and value.

A widget says its role by an attribute ``spoken_role``, and may have methods ``spoken_value`` (what
is in it, as words) and ``spoken_checked`` (whether it is on).
"""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget, QWidget

Role = QAccessible.Role


class Spoken(QAccessibleWidget):
    """Tells of one widget."""

    def __init__(self, widget: QWidget, role: QAccessible.Role) -> None:
        super().__init__(widget, role)

    def text(self, kind: QAccessible.Text) -> str:
        """As Qt has it, and the value."""
        widget = self.object()
        if kind is QAccessible.Text.Value and hasattr(widget, "spoken_value"):
            return str(widget.spoken_value())
        return super().text(kind)

    def state(self) -> QAccessible.State:
        """As Qt has it, and whether it is on."""
        found, widget = super().state(), self.object()
        if hasattr(widget, "spoken_checked"):
            found.checkable, found.checked = 1, int(widget.spoken_checked())
        return found


def speak() -> None:
    """Have screen readers told of all widgets that say a role; once, when the application is."""
    QAccessible.installFactory(_spoken)


def tell_value(widget: QWidget) -> None:
    """The value of a widget is another: a screen reader that is on it reads it."""
    if QAccessible.isActive():
        from PySide6.QtGui import QAccessibleValueChangeEvent

        value = getattr(widget, "spoken_value", str)()
        QAccessible.updateAccessibility(QAccessibleValueChangeEvent(widget, value))


def _spoken(_: str, thing: QObject) -> QAccessibleInterface | None:
    role = getattr(thing, "spoken_role", None)
    if isinstance(role, QAccessible.Role) and isinstance(thing, QWidget):
        return Spoken(thing, role)
    return None
