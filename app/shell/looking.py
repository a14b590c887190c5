"""Looking at values: what the viewer shows, whether it is still so, and using it again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

from app.run.looks import Looked
from app.run.state import JobView
from app.specs.places import step_prefix
from app.words import tr

if TYPE_CHECKING:
    from app.canvas.parts import NodeView
    from app.open_document import OpenDocument
    from app.shell.desk import Desk
    from app.shell.window import Window
    from app.viewer.panel import ViewerPanel
    from app.viewer.subject import Subject

_SEEN = ("Image", "Mask", "Layers", "Video", "Audio")
_REST = 120
"""Milliseconds without an edit until it is told anew whether a picture is still so."""


@dataclass(frozen=True, slots=True)
class Place:
    """An output of a node: where the value that is looked at comes from."""

    document: OpenDocument
    level: str
    path: str
    output: str


class Looking:
    """Keeps the viewer, and the one beside the form, at what the user looks at in each document."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._services = window.services
        self._at: Place | None = None
        self._shown: OpenDocument | None = None
        self._held: dict[str, tuple[Place | None, Subject]] = {}
        """What was looked at in the documents that are not seen now, by their ids."""
        self._due: set[str] = set()
        """Documents that have run since they were seen."""
        self._tab = window.view_pane.add(tr("Viewer"), self._panel)
        self._beside_form: ViewerPanel | None = None
        self.heard: list[Callable[[Subject], object]] = []
        """Whom to tell what is looked at, as it came from the graph."""
        self._rest = QTimer(window, singleShot=True, interval=_REST)
        self._rest.timeout.connect(self._show_stale)
        window.services.documents.renamed.connect(lambda _: self._rest.start())
        window.services.documents.closed.connect(self._closed)
        window.services.documents.current_changed.connect(self._turn)
        window.services.room.job_ended.connect(self._ended)
        window.services.room.preview.connect(self._previewed)

    def beside_form(self) -> ViewerPanel:
        """Another viewer, which stands beside the form and shows the same."""
        if self._beside_form is None:
            self._beside_form = self._panel()
            if self._tab.made is not None:
                self._beside_form.look_at(self._tab.made.subject)
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
        at = self._at = Place(desk.document, desk.document.level, path, output)
        view = desk.canvas.board.nodes.get(path)
        title = f"{view.title if view is not None else path} · {output.replace('_', ' ')}"
        run = desk.run_of(path)
        if run.preview:
            for panel in self._viewers():
                panel.show_preview(run.preview, title)
        self._services.room.look(
            desk.document, step, output, lambda seen: self._seen(seen, at, title, asked),
            key=f"viewer {desk.document.id}",
        )  # fmt: skip

    def look_at_file(self, path: Path) -> None:
        """Show a file of a picture, a video or a sound."""
        from app.viewer.subject import Subject

        self._at = None
        self._tell(Subject(None))
        for panel in self._viewers():
            panel.look_at_file(path)

    def look_again(self) -> None:
        """A run is over: show what the viewer shows as it is now."""
        desk = self._window.desk
        if desk is None:
            return
        path, output = "", ""
        at = self._at
        if at is not None and (at.document, at.level) == (desk.document, desk.document.level):
            path, output = at.path, at.output
        if path not in desk.canvas.board.nodes:
            found = last_picture(desk.canvas.board.nodes.values())
            if found is None:
                return
            path, output = found
        self.look_at(path, output, asked=False)

    @property
    def subject(self) -> Subject | None:
        """What the viewer shows, where there is one."""
        panel = self._made()
        return panel.subject if panel is not None else None

    def _viewers(self) -> list[ViewerPanel]:
        return [self._tab.show(), *([self._beside_form] if self._beside_form is not None else ())]

    def _seen(self, seen: Looked, at: Place, title: str, asked: bool) -> None:
        from app.viewer.subject import Subject

        if seen.value is None:
            if asked:
                self._window.say(seen.sentence)
            return
        job = tr("job {n}", n=seen.job) if seen.job else ""
        subject = Subject(seen.value, title, seen.type, job, self._is_stale(at))
        if at.document is not self._services.documents.current:  # another tab was turned to
            self._held[at.document.id] = at, subject
        elif at is self._at:
            self.show(subject)
            self._tell(subject)

    def show(self, subject: Subject) -> None:
        """Have the viewers show a subject, such as some of the layers of what is looked at."""
        for panel in self._viewers():
            panel.look_at(subject)

    def _tell(self, subject: Subject) -> None:
        for hear in self.heard:
            hear(subject)

    # -- is it still so ---------------------------------------------------------------------------

    def _is_stale(self, at: Place | None) -> bool:
        if at is None:
            return False
        prefix = step_prefix(at.document.workflow, at.level) if self._has(at) else None
        if prefix is None:
            return False
        top = f"{prefix}{at.path}".partition("/")[0]
        return top in self._services.room.stale(at.document)

    @staticmethod
    def _has(at: Place) -> bool:
        return not at.level or at.level in at.document.workflow.subgraphs

    def _show_stale(self) -> None:
        stale = self._is_stale(self._at)
        for panel in (self._tab.made, self._beside_form):
            if panel is not None:
                panel.set_stale(stale)

    # -- one for each document --------------------------------------------------------------------

    def _turn(self) -> None:
        """Another document is seen: show what was looked at in it, or what it gave last."""
        document, panel = self._services.documents.current, self._made()
        if document is self._shown:
            return
        if self._shown is not None and panel is not None:
            self._held[self._shown.id] = self._at, panel.subject
        self._shown = document
        if panel is None:
            return
        from app.viewer.subject import Subject

        if document is None:
            for viewer in {panel, self._beside_form or panel}:
                viewer.look_at(Subject(None))
            return
        at, subject = self._held.pop(document.id, (None, None))
        self._at = at
        for each in (panel, self._beside_form):
            if each is not None:
                each.look_at(subject if subject is not None else Subject(None))
        self._tell(subject if subject is not None else Subject(None))
        self._show_stale()
        if subject is None or document.id in self._due:
            self._due.discard(document.id)
            self.look_again()

    def _previewed(self, document: str, step: str) -> None:
        """What is looked at is being computed: show how far it is. Where nothing is looked at yet,
        whatever is being computed is shown."""
        panel, shown = self._made(), self._shown
        run = self._services.room.runs(document).get(step)
        if panel is None or shown is None or shown.id != document:
            return
        title = self._title_of(step, panel)
        if title and run is not None and run.status == "running" and run.preview:
            for each in {panel, self._beside_form or panel}:
                each.show_preview(run.preview, title)

    def _title_of(self, step: str, panel: ViewerPanel) -> str:
        """What the viewer calls a step that is being computed; empty where it looks elsewhere."""
        at, desk = self._at, self._window.desk
        if at is not None:
            prefix = step_prefix(at.document.workflow, at.level) if self._has(at) else None
            return panel.subject.title if prefix is not None and step == prefix + at.path else ""
        if desk is None or panel.subject.file is not None:
            return ""
        view = desk.canvas.board.nodes.get(step)
        return view.title if view is not None else step.rpartition("/")[2]

    def _ended(self, job: JobView) -> None:
        current = self._services.documents.current
        if job.document and (current is None or job.document != current.id):
            self._due.add(job.document)

    def _made(self) -> ViewerPanel | None:
        return self._tab.made if self._tab.made is not None else self._beside_form

    def _closed(self, document: OpenDocument) -> None:
        self._held.pop(document.id, None)
        self._due.discard(document.id)
        if self._at is not None and self._at.document is document:
            self._at = None
        if self._shown is document:
            self._shown = None

    def _go(self) -> None:
        """To the node whose output is looked at."""
        at = self._at
        if at is None or not self._has(at):
            return
        self._services.documents.look_at(at.document)
        at.document.enter(at.level)
        desk: Desk | None = self._window.desk
        if desk is not None and at.path in desk.canvas.board.nodes:
            self._window.show_form(False)
            desk.document.select([at.path])
            desk.canvas.fit([at.path])

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


def last_picture(nodes: Iterable[NodeView]) -> tuple[str, str] | None:
    """The node furthest along that gives something to see and has run, with that output."""
    found = None
    for view in nodes:
        outputs = view.spec.outputs if view.spec is not None else ()
        name = next((o.name for o in outputs if o.type in _SEEN), "")
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
