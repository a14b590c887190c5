"""One offscreen application for all tests of the studio, and nothing left open after one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session", autouse=True)
def application() -> object:
    """The application; Qt allows one in a process."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from app.theme.fonts import load_fonts

    held = QApplication.instance() or QApplication([])
    load_fonts()
    return held


@pytest.fixture
def spin() -> Callable[..., None]:
    """Turn the event loop until something is true; fail where it does not become so."""
    from PySide6.QtCore import QEventLoop
    from PySide6.QtWidgets import QApplication

    def turn(until: Callable[[], object], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, "it did not become true"
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)

    return turn


@pytest.fixture(autouse=True)
def nothing_left(application):
    """A test closes and deletes the windows that it opened."""
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication

    before = set(map(id, QApplication.topLevelWidgets()))
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left = [w for w in QApplication.topLevelWidgets() if id(w) not in before and w.isVisible()]
    for widget in left:
        widget.close()
    assert not left, f"windows are left open: {left}"
