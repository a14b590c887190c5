"""Looking at values: what the viewer shows, whether it is still so, and using it again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from app.run.looks import Looked
from app.words import tr

if TYPE_CHECKING:
    from app.open_document import OpenDocument
    from app.shell.desk import Desk
    from app.shell.window import Window
    from app.viewer.panel import ViewerPanel
    from app.viewer.subject import Subject

_REST = 120
"""Milliseconds without an edit until it is told anew whether a picture is still so."""


class Looking:
    """Keeps the viewer, and the one beside the form, at what the user looks at."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._services = window.services
        self._at: tuple[OpenDocument, str, str] | None = None
        self._beside_form: ViewerPanel | None = None
        self._rest = QTimer(window, singleShot=True, interval=_REST)
        self._rest.timeout.connect(self._show_stale)
        window.services.documents.renamed.connect(lambda _: self._rest.start())
        window.services.documents.closed.connect(self._closed)

    def make(self) -> QWidget:
        """The viewer of the window."""
        return self._panel()

    def beside_form(self) -> QWidget:
        """Another viewer, which stands beside the form and shows the same."""
        if self._beside_form is None:
            self._beside_form = self._panel()
            viewer = self._window.view_pane.made(tr("Viewer"))
            if viewer is not None:
                self._beside_form.look_at(viewer.subject)  # type: ignore[attr-defined]
        return self._beside_form

    def _panel(self) -> ViewerPanel:
        from app.viewer.panel import ViewerPanel

        panel = ViewerPanel(self._services.theme, self._services.decoder)
        panel.said.connect(self._window.say)
        panel.open_graph.connect(self._window.open_text)
        panel.use_as_input.connect(lambda subject, index: self._use(panel, subject, index))
        panel.went.connect(self._go)
        self._window.closing.append(panel.close_down)
        return panel

    def look_at(self, path: str, output: str, *, asked: bool = True) -> None:
        """Show the value of an output of a node of the current level. That there is none is told
        to whoever ``asked``."""
        desk = self._window.desk
        step = desk.step(path) if desk is not None else None
        if desk is None or step is None:
            return
        self._at = (desk.document, path, output)
        view = desk.canvas.board.nodes.get(path)
        title = f"{view.title if view is not None else path} · {output.replace('_', ' ')}"
        run = desk.run_of(path)
        if run.preview:
            for panel in self._viewers():
                panel.show_preview(run.preview, title)
        self._services.room.look(
            desk.document, step, output, lambda seen: self._seen(seen, title, asked), key="viewer"
        )

    def look_at_file(self, path: Path) -> None:
        """Show a picture file."""
        self._at = None
        for panel in self._viewers():
            panel.look_at_file(path)

    def look_again(self) -> None:
        """A run is over: show what the viewer shows as it is now."""
        desk = self._window.desk
        if desk is None:
            return
        path, output = "", ""
        if self._at is not None and self._at[0] is desk.document:
            _, path, output = self._at
        if path not in desk.canvas.board.nodes:
            found = last_picture(desk.canvas.board.nodes.values())
            if found is None:
                return
            path, output = found
        self.look_at(path, output, asked=False)

    def _viewers(self) -> list[ViewerPanel]:
        from app.viewer.panel import ViewerPanel

        panel = self._window.view_pane.show_tab(tr("Viewer"))
        assert isinstance(panel, ViewerPanel)
        return [panel, *([self._beside_form] if self._beside_form is not None else ())]

    def _seen(self, seen: Looked, title: str, asked: bool) -> None:
        from app.viewer.subject import Subject

        if seen.value is None:
            if asked:
                self._window.say(seen.sentence)
            return
        job = tr("job {n}", n=seen.job) if seen.job else ""
        for panel in self._viewers():
            panel.look_at(Subject(seen.value, title, seen.type, job, self._is_stale()))

    # -- is it still so ---------------------------------------------------------------------------

    def _is_stale(self) -> bool:
        if self._at is None:
            return False
        document, path, _ = self._at
        desk = self._window.desk_of(document)
        step = desk.step(path) if desk is not None else None
        if step is None:
            return False
        return step.partition("/")[0] in self._services.room.stale(document)

    def _show_stale(self) -> None:
        stale = self._is_stale()
        made = self._window.view_pane.made(tr("Viewer"))
        for panel in (made, self._beside_form):
            if panel is not None:
                panel.set_stale(stale)  # type: ignore[attr-defined]

    def _closed(self, document: OpenDocument) -> None:
        if self._at is not None and self._at[0] is document:
            self._at = None

    def _go(self) -> None:
        """To the node whose output is looked at."""
        if self._at is None:
            return
        document, path, _ = self._at
        self._services.documents.look_at(document)
        desk: Desk | None = self._window.desk
        if desk is not None and path in desk.canvas.board.nodes:
            self._window.show_form(False)
            desk.document.select([path])
            desk.canvas.fit([path])

    # -- using it ---------------------------------------------------------------------------------

    def _use(self, panel: ViewerPanel, subject: Subject, index: int) -> None:
        """Put a node that reads what is looked at into the graph; a value becomes a file first."""
        from app.viewer.files import CannotSave, save_picture

        if subject.file is not None and index == 0:
            self._window.adding.drop_file(subject.file)
            return
        picture = panel.picture
        if picture is None:
            return
        folder = self._services.places.data / "used"
        path = folder / f"{_name(subject.title)}-{os.urandom(4).hex()}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            save_picture(picture, path)
        except (CannotSave, OSError) as error:
            self._window.say(str(error))
            return
        self._window.adding.drop_file(path)


def last_picture(nodes: object) -> tuple[str, str] | None:
    """The node furthest along that gives a picture and has run, with that output."""
    found = None
    for view in nodes:  # type: ignore[attr-defined]
        outputs = view.spec.outputs if view.spec is not None else ()
        name = next((o.name for o in outputs if o.type in ("Image", "Mask")), "")
        ran = view.run.status in ("done", "cached", "degraded")
        if name and ran and (found is None or view.x >= found[0]):
            found = (view.x, view.path, name)
    return (found[1], found[2]) if found is not None else None


def _name(title: str) -> str:
    """A title as the beginning of a file name."""
    kept = "".join(c if c.isalnum() else "-" for c in title.casefold()).strip("-")
    while "--" in kept:
        kept = kept.replace("--", "-")
    return kept[:60] or "picture"
