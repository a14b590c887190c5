"""The window with a still engine room, and what is done to it for a picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.canvas.camera import Camera
from app.canvas.canvas import Canvas
from app.canvas.shape import Place, Side
from app.open_document import OpenDocument
from app.panels.settings.desk import SettingsDesk
from app.screenshots.room import StillRoom, still_room
from app.shell.services import Services
from app.shell.window import Window
from app.theme.style import apply
from app.theme.theme import Theme
from app.words import tr

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
SIZE = (1760, 1100)
PATIENCE = 20.0
"""Seconds that the checks may take."""


class Held:
    """A window with a still engine room, by what is looked at in it."""

    def __init__(self, window: Window) -> None:
        self.window = window

    @property
    def room(self) -> StillRoom:
        """The engine room."""
        room = self.window.services.room
        assert isinstance(room, StillRoom)
        return room

    @property
    def canvas(self) -> Canvas:
        """The canvas that is looked at."""
        canvas = self.window.canvas
        assert canvas is not None
        return canvas

    @property
    def document(self) -> OpenDocument:
        """The document that is looked at."""
        document = self.window.document
        assert document is not None
        return document

    def close(self) -> None:
        """End what the window has started."""
        for close in self.window.closing:
            close()
        self.window.services.close()
        self.window.hide()
        self.window.deleteLater()


class Stage(Held):
    """One window. ``take`` keeps a picture of it."""

    def __init__(self, out: Path, suffix: str) -> None:
        self.out, self.suffix = out, suffix
        self.theme = Theme()
        desk = SettingsDesk()
        desk.put("studio.still", True)
        self.services = Services(desk, self.theme, still_room)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        apply(application, self.theme.colours, self.services.places.icons)
        super().__init__(Window(self.services))
        self.window.read_settings()
        self.new()
        self.window.resize(*SIZE)
        self.window.show()
        self.spin(lambda: self.services.book.known)
        self.room.start()

    def spin(self, until: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Let the window work until something is true."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise TimeoutError("the window does not come to rest")
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)

    def settle(self) -> None:
        """Let all that waits be done: checks, timers of one turn, painting."""
        desk = self.window.desk
        if desk is not None:
            self.spin(lambda: not desk.checks.behind)
        for _ in range(12):
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 10)

    def rest(self, seconds: float) -> None:
        """Let threads and other processes answer."""
        end = time.monotonic() + seconds
        self.spin(lambda: time.monotonic() > end, seconds + 1)

    def new(self) -> None:
        """An empty document."""
        self.services.documents.new()

    def open(self, name: str) -> None:
        """A workflow that Weft ships, all of it in view."""
        self.show(WORKFLOWS.joinpath(f"{name}.weft.json").read_text("utf-8"))

    def show(self, text: str) -> None:
        """The workflow of a text, all of it in view."""
        self.window.open_text(text)
        self.settle()
        self.canvas.fit(animated=False)
        self.settle()

    def close_others(self) -> None:
        """Only the document that is looked at stays open."""
        for document in list(self.services.documents):
            if document is not self.document:
                self.services.documents.close(document)

    def turn(self, pane: str, title: str) -> QWidget:
        """Turn to a tab of a pane."""
        panel: QWidget = getattr(self.window, pane).show_tab(tr(title))
        self.settle()
        return panel

    def at(self, place: QPointF) -> QPoint:
        """A place of the canvas in its widget."""
        return self.canvas.camera.to_screen(place).toPoint()

    def socket(self, path: str, side: Side, name: str) -> QPoint:
        """Where a socket is painted."""
        found = self.canvas.place_of(Place(path, side, name))
        assert found is not None
        return self.at(found)

    def pull(self, start: QPoint, end: QPoint) -> None:
        """Pull a link and hold it."""
        canvas = self.canvas
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0), start)
        for step in range(1, 9):
            QTest.mouseMove(canvas, start + (end - start) * step / 8)
        self.settle()

    def zoom(self, zoom: float) -> None:
        """See the graph at a zoom, its middle in the middle."""
        bounds, canvas = self.canvas.board.bounds(), self.canvas
        assert bounds is not None
        middle = bounds.center()
        canvas.set_camera(
            Camera(
                middle.x() - canvas.width() / 2 / zoom,
                middle.y() - canvas.height() / 2 / zoom,
                zoom,
            )
        )
        self.rest(0.2)  # a change of zoom is painted finely when it has settled
        self.settle()

    def take(self, name: str, widget: QWidget | None = None) -> None:
        """Keep pictures of a widget, or else of the window, in both themes."""
        for dark in (True, False):
            self.theme.set_dark(dark)
            self.settle()
            self.keep((widget or self.window).grab().toImage(), name, dark)

    def keep(self, image: QImage, name: str, dark: bool) -> None:
        """Write one picture."""
        path = self.out / f"{name}-{'dark' if dark else 'light'}{self.suffix}.png"
        if not image.save(str(path)):
            raise OSError(f"{path} cannot be written.")
