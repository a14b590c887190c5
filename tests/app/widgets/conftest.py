"""Editors on the screen, with what they said."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from app.theme.theme import Theme
from app.widgets.context import EditorContext
from app.widgets.make import editor_for


@pytest.fixture
def theme(application, tmp_path):
    from app.theme.style import apply

    made = Theme(dark=True)
    apply(QApplication.instance(), made.colours, tmp_path)
    yield made
    QApplication.instance().setStyleSheet("")


@pytest.fixture
def put(theme):
    """Show a widget in a window of its own, beside another field that can take the focus."""
    windows = []

    def show(widget, width=240, height=24):
        window = QWidget()
        column = QVBoxLayout(window)
        column.addWidget(widget)
        window.other = QLineEdit()
        column.addWidget(window.other)
        widget.setFixedSize(width, height)
        window.show()
        window.activateWindow()
        window.other.setFocus()
        QApplication.processEvents()
        windows.append(window)
        return widget

    yield show
    for window in windows:
        window.close()
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


class Said(list):
    """What an editor said: values with whether they are final, and words beside."""

    def __init__(self, editor):
        super().__init__()
        self.notes, self.reverted, self.ended = [], [], []
        editor.edited.connect(lambda value, final: self.append((value, final)))
        editor.noted.connect(lambda words, wrong: self.notes.append((words, wrong)))
        editor.reverted.connect(lambda: self.reverted.append(True))
        editor.ended.connect(self.ended.append)


@pytest.fixture
def edit(theme, put):
    """Show the editor of a parameter; the editor and what it says."""

    def make(param, value, width=240, height=24, **context):
        editor = editor_for(param, value, EditorContext(theme, **context))
        said = Said(editor)
        put(editor, width, height)
        said.clear()
        said.notes.clear()
        return editor, said

    return make
