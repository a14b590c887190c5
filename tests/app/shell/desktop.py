"""The window under real events."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.canvas.camera import Camera
from app.shell.window import Window
from backend.graph.document import Workflow
from tests.app.canvas.bench import LEFT, NONE, Bench

CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


class Desktop:
    """Types and clicks in a window, and says what became of its document."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.said: list[str] = []
        self._say = window.toasts.say
        window.toasts.say = lambda text, *rest: self.said.append(text)
        self.see()

    def close(self) -> None:
        del self.window.toasts.say
        if self.window.adding._palette is not None:
            self.window.adding.palette.close_down()

    def see(self) -> Bench:
        """The canvas that is looked at, at 100 % and with the keyboard."""
        canvas = self.window.canvas
        self.window.activateWindow()
        QApplication.processEvents()
        canvas.set_camera(Camera())
        canvas.setFocus()
        QApplication.processEvents()
        self.bench = Bench(canvas)
        return self.bench

    def open(self, workflow: Workflow) -> Bench:
        """Open a document and look at it."""
        self.window.services.documents.open_workflow(workflow)
        return self.see()

    @property
    def document(self):
        return self.window.document

    @property
    def palette(self):
        return self.window.adding.palette

    def key(self, key, keys=NONE) -> None:
        """A key for what has the keyboard."""
        QTest.keyClick(QApplication.focusWidget() or self.window, key, keys)
        QApplication.processEvents()

    def type(self, text: str) -> None:
        QTest.keyClicks(QApplication.focusWidget(), text)
        QApplication.processEvents()

    def offered(self) -> list[str]:
        """What the palette shows, from above."""
        rows = self.palette.list
        found = []
        for row in range(rows.count()):
            key = rows.item(row).data(Qt.ItemDataRole.UserRole).key
            found.append(self.palette.offers[key].entry.title)
        return found

    def click(self, widget, button=LEFT) -> None:
        QTest.mouseClick(widget, button, NONE, widget.rect().center())
        QApplication.processEvents()
