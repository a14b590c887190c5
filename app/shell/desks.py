"""A desk for each open document: its canvas and its checks, tied to the window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QPointF, QTimer

from app.canvas.camera import Camera
from app.canvas.canvas import Canvas
from app.canvas.measure import FULL
from app.canvas.shape import Place
from app.open_document import OpenDocument
from app.shell.desk import Desk
from app.specs.checks import Checks
from app.specs.outlook import Outlook
from app.words import tr

if TYPE_CHECKING:
    from app.shell.window import Window

MAP, MARGIN = 0.25, 32.0
"""The zoom below which a whole graph is a map of it; logical pixels around one."""


class Desks:
    """Sets a desk up when a document opens, and clears it when it closes."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._desks: dict[str, Desk] = {}

    def __iter__(self) -> Iterator[Desk]:
        return iter(list(self._desks.values()))

    def of(self, document: OpenDocument) -> Desk | None:
        """The desk of an open document."""
        return self._desks.get(document.id)

    def open(self, document: OpenDocument) -> None:
        """A document was opened."""
        window, services = self._window, self._window.services
        canvas = Canvas(document, services.book, services.theme)
        canvas.set_reduced_motion(bool(services.desk.settings.studio.still))
        canvas.editing.contexts = lambda path, param: window.panels.contexts.of(
            document, path, param
        )
        checks = Checks(document, services.helper, services.grants_of(document))
        outlook = Outlook(document, checks, services.helper, services.machine)
        desk = Desk(document, canvas, checks, outlook, services.room, services.theme)
        self._desks[document.id] = desk
        self._listen_to(desk)
        window.canvases.addWidget(canvas)
        window.documents_bar.put(document)
        window.documents_bar.rename(document)
        QTimer.singleShot(0, canvas, lambda: show_first(canvas))

    def close(self, document: OpenDocument) -> None:
        """A document was closed; an empty one takes the place of the last."""
        desk = self._desks.pop(document.id, None)
        if desk is None:  # the window is closed already
            return
        window = self._window
        window.documents_bar.take(document)
        window.canvases.removeWidget(desk.canvas)
        desk.close()
        window.services.room.forget(document)
        if not len(window.services.documents):
            window.services.documents.new()

    def close_all(self) -> None:
        """The window is closed."""
        while self._desks:
            self._desks.popitem()[1].close()

    # -- what a canvas asks ----------------------------------------------------------------------

    def _listen_to(self, desk: Desk) -> None:
        """Hear what happens on the desk of a document that was just opened."""
        window, document, canvas = self._window, desk.document, desk.canvas
        canvas.said.connect(window.say)
        canvas.asked_palette.connect(self._on_palette)
        canvas.asked_menu.connect(self._on_menu)
        canvas.asked_look.connect(window.panels.looking.look_at)
        canvas.opened.connect(self._on_node_opened)
        canvas.viewed.connect(self._on_viewed)
        desk.checked.connect(lambda: window.on_checked(desk))
        desk.outlook.changed.connect(lambda: window.forecasts.show(desk))
        document.selected.connect(window.commands.refresh)
        document.changed.connect(lambda *_: window.commands.refresh_edited())
        canvas.chose.connect(window.commands.refresh)
        document.level_changed.connect(lambda: window.documents_bar.show_level(document))
        document.level_changed.connect(window.retitle)

    def _on_palette(self, at: object, place: object) -> None:
        if isinstance(at, QPointF):
            self._window.adding.ask(at, place if isinstance(place, Place) else None)

    def _on_menu(self, spot: object, at: object) -> None:
        if not isinstance(spot, QPoint) or self._window.canvas is None:
            return
        from app.shell.menus import canvas_menu

        canvas_menu(self._window, at if isinstance(at, QPointF) else QPointF()).popup(spot)

    def _on_node_opened(self, path: str) -> None:
        canvas = self._window.canvas
        view = canvas.board.nodes.get(path) if canvas is not None else None
        if view is None or canvas is None:
            return
        if view.node.type.startswith("subgraph:"):
            canvas.document.enter(view.node.type.removeprefix("subgraph:"))
        elif view.spec is not None and view.spec.outputs:
            self._window.panels.looking.look_at(path, view.spec.outputs[0].name)

    def _on_viewed(self) -> None:
        canvas = self._window.canvas
        if canvas is not None:
            self._window.zoom_line.show_words(tr("Zoom {n} %", n=round(canvas.camera.zoom * 100)))


def show_first(canvas: Canvas) -> None:
    """Show a graph that was just opened: all of it where its words can be read then, or else where
    it begins; a very large one whole, as a map."""
    canvas.fit(animated=False)
    bounds, zoom = canvas.board.bounds(), canvas.camera.zoom
    if bounds is None or not MAP < zoom < FULL:
        return
    wide, high = canvas.width() / FULL, canvas.height() / FULL
    first = min(canvas.board.nodes.values(), key=lambda view: (view.x, view.y))
    middle = first.y + first.shape.height / 2
    top = min(max(middle - high / 2, bounds.top() - MARGIN), bounds.bottom() + MARGIN - high)
    if high > bounds.height() + 2 * MARGIN:
        top = bounds.center().y() - high / 2
    left = bounds.left() - MARGIN
    if wide > bounds.width() + 2 * MARGIN:
        left = bounds.center().x() - wide / 2
    canvas.set_camera(Camera(left, top, FULL))
