"""One offscreen application for all tests of the studio."""

from __future__ import annotations

import os

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
