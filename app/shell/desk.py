"""One open document on the desk: its canvas, its checks, and where its nodes stand in a run."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QPixmap

from app.canvas.canvas import Canvas
from app.canvas.minimap import Minimap
from app.canvas.shape import Shown
from app.open_document import OpenDocument
from app.run.room import EngineRoom
from app.run.state import IDLE, NodeRun
from app.specs.checks import Checks
from app.specs.facts_words import facts_words
from app.specs.outlook import Outlook
from app.specs.places import place_of, step_prefix
from app.theme.theme import Theme


class Desk(QObject):
    """Keeps a canvas told of what the checks and the engine room know."""

    checked = Signal()

    def __init__(
        self, document: OpenDocument, canvas: Canvas, checks: Checks, outlook: Outlook,
        room: EngineRoom, theme: Theme,
    ) -> None:  # fmt: skip
        super().__init__(document)
        self.outlook = outlook
        self.document, self.canvas, self.checks, self.room = document, canvas, checks, room
        self.minimap = Minimap(canvas)
        self._pictures: dict[str, bytes] = {}
        self._closed = False
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._show_facts)
        checks.checked.connect(self._on_checked)
        room.nodes_changed.connect(self._on_nodes)
        room.preview.connect(self._on_preview)
        document.level_changed.connect(self.show_all)
        document.changed.connect(lambda *_: self._soon.start())

    def show_all(self) -> None:
        """Show all that is known, as of a level that was just entered."""
        for path in list(self.canvas.board.nodes):
            self._show_run(path)
        self._show_facts()

    def step(self, path: str) -> str | None:
        """The step of a node of the level; ``None`` inside a subgraph that is not used."""
        prefix = step_prefix(self.document.workflow, self.document.level)
        return None if prefix is None else prefix + path

    def run_of(self, path: str) -> NodeRun:
        """Where a node of the level stands."""
        step = self.step(path)
        return self.room.runs(self.document).get(step, IDLE) if step is not None else IDLE

    def _on_checked(self, steps: object) -> None:
        if self._closed:  # what the thread of the checks had said before
            return
        self._soon.start()
        self.checked.emit()

    def _show_facts(self) -> None:
        """Facts on sockets, and marks on values with a problem."""
        document, checks, board = self.document, self.checks, self.canvas.board
        told = {path: checks.facts_at(document.level, path) for path in board.nodes}
        wrong: dict[str, set[str]] = {}
        for each in checks.diagnostics:
            place = place_of(each.place)
            if place.level == document.level and place.name and each.level == "error":
                wrong.setdefault(place.node, set()).add(place.name)
        for path in list(board.nodes):
            facts = {name: facts_words(known) for name, known in told[path].items()}
            self.canvas.set_shown(
                path,
                Shown({n: w for n, w in facts.items() if w}, wrong=frozenset(wrong.get(path, ()))),
            )

    def _on_nodes(self, document: str, steps: object) -> None:
        if document != self.document.id or not isinstance(steps, Iterable):
            return
        prefix = step_prefix(self.document.workflow, self.document.level)
        if prefix is None:
            return
        for step in steps:
            path = str(step)
            if path.startswith(prefix) and path[len(prefix) :] in self.canvas.board.nodes:
                self._show_run(path[len(prefix) :])

    def _show_run(self, path: str) -> None:
        run = self.run_of(path)
        self.canvas.set_run(path, run)
        self._show_picture(path, run.preview)

    def _on_preview(self, document: str, step: str) -> None:
        if document == self.document.id:
            self._on_nodes(document, [step])

    def _show_picture(self, path: str, jpeg: bytes) -> None:
        if self._pictures.get(path, b"") == jpeg:
            return
        self._pictures[path] = jpeg
        pixmap = QPixmap()
        if jpeg and pixmap.loadFromData(jpeg):
            self.canvas.set_picture(path, pixmap)
        else:
            self.canvas.set_picture(path, None)

    def close(self) -> None:
        """The document is closed."""
        self._closed = True
        self._soon.stop()
        self.outlook.close()
        self.checks.close()
        self.room.nodes_changed.disconnect(self._on_nodes)
        self.room.preview.disconnect(self._on_preview)
        self.canvas.deleteLater()
