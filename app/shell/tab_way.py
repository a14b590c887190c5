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
    if not part.isVisible():
        return
    found = [each for each in (part, *part.findChildren(QWidget)) if _is_stop(each)]
    spots = {id(each): each.mapTo(part.window(), QPoint(0, each.height() // 2)) for each in found}
    found.sort(key=lambda each: spots[id(each)].y())
    line: list[QWidget] = []
    for each in found:
        if line and spots[id(each)].y() - spots[id(line[0])].y() > _LINE:
            yield from sorted(line, key=lambda one: spots[id(one)].x())
            line = []
        line.append(each)
    yield from sorted(line, key=lambda one: spots[id(one)].x())


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
