"""The way that Tab takes through the window: part by part, and in each as it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

_LINE = 12
"""Logical pixels by which the middles of two widgets on one line may differ."""


def stops(parts: Sequence[QWidget]) -> list[QWidget]:
    """All that can have the keyboard in these parts of a window, in the order of the parts; in each
    by lines from the top, and on a line from the left.

    Widgets are made when they are first seen, so the order in which they were made, which Qt
    takes, leads back and forth over the window.
    """
    return [stop for part in parts for stop in _in_order(part)]


def go(parts: Sequence[QWidget], on: bool) -> bool:
    """Give the keyboard to the next stop, or the one before; whether there is any."""
    found = stops(parts)
    if not found:
        return False
    held = QApplication.focusWidget()
    at = found.index(held) if held in found else -1 if on else 0
    to = found[(at + (1 if on else -1)) % len(found)]
    to.setFocus(Qt.FocusReason.TabFocusReason if on else Qt.FocusReason.BacktabFocusReason)
    _reveal(to)
    return True


def _in_order(part: QWidget) -> Iterator[QWidget]:
    """The stops of a part as they are read. What scrolls is gone through as a whole, where it lies:
    how far it was scrolled changes nothing."""
    units = [(_spot(each, part), each) for each in _units(part)] if part.isVisible() else []
    units.sort(key=lambda unit: unit[0].y())
    line: list[tuple[QPoint, QWidget]] = []
    for unit in units:
        if line and unit[0].y() - line[0][0].y() > _LINE:
            yield from _along(line)
            line = []
        line.append(unit)
    yield from _along(line)


def _along(line: list[tuple[QPoint, QWidget]]) -> Iterator[QWidget]:
    for _, unit in sorted(line, key=lambda each: each[0].x()):
        if _is_stop(unit):
            yield unit
        inside = unit.widget() if isinstance(unit, QScrollArea) else None
        if inside is not None:
            yield from _in_order(inside)


def _units(part: QWidget) -> Iterator[QWidget]:
    """The stops of a part outside all that scrolls, and what scrolls itself."""
    if isinstance(part, QScrollArea):
        yield part
        return
    if _is_stop(part):
        yield part
    for child in part.children():
        if isinstance(child, QWidget) and not child.isWindow():
            yield from _units(child)


def _spot(unit: QWidget, part: QWidget) -> QPoint:
    """Where a unit is read: what scrolls at its top, all else in its middle."""
    return unit.mapTo(part, QPoint(0, 0 if isinstance(unit, QScrollArea) else unit.height() // 2))


def _is_stop(widget: QWidget) -> bool:
    by_tab = widget.focusPolicy().value & Qt.FocusPolicy.TabFocus.value
    held = widget.focusProxy() is None and not widget.isWindow()
    return bool(by_tab) and held and widget.isEnabled() and widget.isVisible()


def _reveal(widget: QWidget) -> None:
    """Scroll so far that it is seen."""
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(widget, 8, 24)
        parent = parent.parentWidget()
