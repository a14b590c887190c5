"""A theme, and a way to put a panel on the screen that takes it down again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.theme.theme import Theme


@pytest.fixture
def theme() -> Theme:
    return Theme()


@pytest.fixture
def mount(application: object) -> Iterator[Callable[..., QWidget]]:
    """Show a widget at a size, with the keyboard."""
    shown: list[QWidget] = []

    def show(widget: QWidget, width: int = 480, height: int = 400) -> QWidget:
        shown.append(widget)
        widget.resize(width, height)
        widget.show()
        widget.activateWindow()
        QApplication.processEvents()
        return widget

    yield show
    for widget in shown:
        widget.close()
        widget.deleteLater()


def drag(widget: QWidget, begin: QPoint, end: QPoint) -> None:
    """Press at one place, move, and let go at another."""
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mousePress(widget, left, none, begin)
    for share in (0.3, 0.7, 1.0):
        QTest.mouseMove(widget, begin + (end - begin) * share)
        QApplication.processEvents()
    QTest.mouseRelease(widget, left, none, end)
    QApplication.processEvents()
