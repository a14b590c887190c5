"""The panels of the window: how each is made, and what it asks of the others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from app.run.state import JobView, NodeRun
from app.shell.contexts import Contexts
from app.shell.looking import Looking
from app.shell.pictures import FilePictures
from app.shell.printed import Printed
from app.shell.problems import Problems
from app.specs.facts_words import facts_words
from app.words import tr

if TYPE_CHECKING:
    from app.open_document import OpenDocument
    from app.panels.batch.panel import BatchPanel
    from app.panels.form.form import Form
    from app.panels.gallery.panel import GalleryPanel
    from app.panels.history.panel import HistoryPanel
    from app.panels.inspector.document_page import DocumentPage
    from app.panels.inspector.history_page import HistoryPage
    from app.panels.inspector.node_page import NodePage
    from app.panels.inspector.sources import Sources
    from app.panels.layers.panel import LayersPanel
    from app.panels.log.panel import LogPanel
    from app.panels.models.panel import ModelsPanel
    from app.panels.models.shelf import ModelShelf
    from app.panels.packs.panel import PacksPanel
    from app.panels.queue.panel import QueuePanel
    from app.panels.timeline.forecast import ForecastPanel
    from app.panels.timeline.panel import TimelinePanel
    from app.run.meters import Memory
    from app.shell.window import Window
    from backend.graph.diagnostics import Diagnostic
    from backend.graph.document import ModelNeed
    from backend.graph.facts import Facts


class Panels:
    """Puts a tab for each panel into the panes of the window; makes the panels when they are first
    looked at."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._services = window.services
        self.looking = Looking(window)
        self.contexts = Contexts(window)
        self.problems = Problems(window)
        self._inspector = window.node_pane.add(tr("Inspector"), self.inspector)
        self._document_page = window.node_pane.add(tr("Document"), self.document_page)
        self._history_page = window.node_pane.add(tr("History"), self.history_page)
        self._batch = window.node_pane.add(tr("Batch"), self.batch)
        window.node_pane.add(tr("Layers"), self.layers)
        window.said_pane.add(tr("Log"), self.log)
        self._models = window.said_pane.add(tr("Models"), self.models)
        window.said_pane.add(tr("Packs"), self.packs)
        window.queue_pane.add(tr("Queue"), self.queue)
        window.queue_pane.add(tr("Jobs"), self.jobs)
        window.queue_pane.add(tr("Gallery"), self.gallery)
        window.time_pane.add(tr("Run timeline"), self.timeline)
        self.forecast_tab = window.time_pane.add(tr("Forecast"), self.forecast)
        self._form: Form | None = None
        self._soon = QTimer(window, singleShot=True, interval=0)
        self._soon.timeout.connect(self._show_document)
        documents, room = self._services.documents, self._services.room
        documents.current_changed.connect(self._soon.start)
        documents.renamed.connect(lambda _: self._soon.start())
        room.job_changed.connect(self._show_job)
        room.job_ended.connect(self._job_ended)
        room.memory_changed.connect(self._show_memory)
        self._told: set[str] = set()
        self._services.models.changed.connect(self._tell_missing)
        self._services.models.changed.connect(self._show_models)

    def show_document(self, document: OpenDocument | None) -> None:
        """Have the pages of the document show another."""
        for page in (self._inspector.made, self._document_page.made, self._history_page.made,
                     self._batch.made):  # fmt: skip
            if page is not None:
                page.show_document(document)
        self.problems.refresh_made()

    def update_inspector(self) -> None:
        """What the inspector shows of nodes has changed."""
        if self._inspector.made is not None:
            self._inspector.made.update_soon()

    # -- inspector --------------------------------------------------------------------------------

    def sources(self) -> Sources:
        """What the inspector and the form ask of the window."""
        from app.panels.inspector.sources import Sources

        services = self._services
        return Sources(
            services.theme, services.book.spec_of, self.contexts.of, self._facts, self._problems_of,
            self._run_of, facts_words,
        )  # fmt: skip

    def _facts(self, document: OpenDocument, path: str) -> dict[str, Facts]:
        desk = self._window.desk_of(document)
        return dict(desk.checks.facts_at(document.level, path)) if desk is not None else {}

    def _problems_of(self, document: OpenDocument, path: str) -> tuple[Diagnostic, ...]:
        desk = self._window.desk_of(document)
        return desk.checks.said_of(document.level, path) if desk is not None else ()

    def _run_of(self, document: OpenDocument, path: str) -> NodeRun | None:
        desk = self._window.desk_of(document)
        return desk.run_of(path) if desk is not None else None

    def inspector(self) -> NodePage:
        """The values of the selected nodes."""
        from app.panels.inspector.node_page import NodePage

        page = NodePage(self.sources())
        page.refused.connect(self._window.say)
        page.show_document(self._services.documents.current)
        return page

    def document_page(self) -> DocumentPage:
        """Title, words and exposed values of the document."""
        from app.panels.inspector.document_page import DocumentPage

        page = DocumentPage(self._services.theme, self.is_missing)
        page.refused.connect(self._window.say)
        page.show_document(self._services.documents.current)
        return page

    def history_page(self) -> HistoryPage:
        """What was edited; click to go back."""
        from app.panels.inspector.history_page import HistoryPage

        page = HistoryPage(self._services.theme)
        page.show_document(self._services.documents.current)
        return page

    def batch(self) -> BatchPanel:
        """Many runs of the document, over a table, values or files."""
        from app.shell.batches import batch_panel

        return batch_panel(self._window, self.looking.look_at_file, show_folder)

    def layers(self) -> LayersPanel:
        """The layers of what the viewer looks at."""
        from app.panels.layers.panel import LayersPanel

        panel = LayersPanel(self._services.theme)
        panel.looked.connect(self.looking.show)
        self.looking.heard.append(panel.show_subject)
        if self.looking.subject is not None:
            panel.show_subject(self.looking.subject)
        self._window.closing.append(panel.close_down)
        return panel

    def form(self) -> Form:
        """The exposed values as a form."""
        from app.panels.form.form import Form

        form = Form(self.sources())
        form.run.connect(lambda count: self._window.run(count=count))
        form.cancel.connect(lambda: self._window.commands.do("run.cancel"))
        form.refused.connect(self._window.say)
        form.left.connect(lambda: self._window.show_form(False))
        form.set_picture(self.looking.beside_form())
        self._form = form
        return form

    def is_missing(self, need: ModelNeed) -> bool:
        """Whether a model that the document names is not on this machine, as far as scans tell."""
        rows = self._services.models.rows
        return bool(rows) and need.name not in {row.name for row in rows if not row.problem}

    def _tell_missing(self) -> None:
        """Say once which model the current document wants that is not on this machine."""
        document = self._services.documents.current
        if document is None or document.id in self._told:
            return
        gone = [need for need in document.workflow.models if self.is_missing(need)]
        if gone:
            self._told.add(document.id)
            self._window.toasts.say(
                tr("This graph needs the model {model}, which is not on this machine.",
                   model=gone[0].name),
                "warning", tr("Show models"), self.turn_to_models,
            )  # fmt: skip

    def turn_to_models(self) -> None:
        """Turn to the models of this machine, and those that are missing."""
        from app.shell.window_commands import show_pane

        self._window.show_form(False)
        show_pane(self._window, "said_pane", tr("Models"))

    def _show_memory(self, memory: Memory) -> None:
        if self._models.made is not None:
            free, device = memory.total - memory.used, memory.device_total - memory.device_used
            self._models.made.show_memory(free, device)

    def _show_models(self) -> None:
        """What models there are is known anew: pages that name some show it."""
        if self._document_page.made is not None:
            self._document_page.made.models_changed()
        self.problems.refresh_made()

    def _show_document(self) -> None:
        """Tell panels that are not told by themselves what the current document is like now."""
        self._tell_missing()
        document = self._services.documents.current
        if self._models.made is not None and document is not None:
            self._models.made.show_document(document.workflow)
        if self._form is not None and document is not None:
            last = self._services.room.last_job(document)
            self._form.show_job(self._services.room.job(last) if last else None)

    def _show_job(self, job: JobView) -> None:
        document = self._services.documents.current
        if self._form is not None and document is not None and job.document == document.id:
            self._form.show_job(job)

    def _job_ended(self, job: JobView) -> None:
        self.problems.refresh_made()

    # -- working ----------------------------------------------------------------------------------

    def log(self) -> LogPanel:
        """What Weft has written down."""
        from app.panels.log.panel import LogPanel

        panel = LogPanel(self._services.theme, self._services.places.logs)
        panel.folder_wanted.connect(show_folder)
        printed = Printed(lambda: self._services.room.printed, panel)
        printed.came.connect(panel.add_output)
        printed.start()
        self._window.closing += [printed.close, panel.close_files]
        return panel

    def models(self) -> ModelsPanel:
        """The models on this machine."""
        from app.panels.models.panel import ModelsPanel
        from app.panels.models.shelf import ModelShelf

        shelf = ModelShelf(parent=self._window)
        panel = ModelsPanel(self._services.theme, shelf)
        panel.shown_in_folder.connect(show_folder)
        panel.folder_asked.connect(lambda: ask_folder(self._window, shelf))
        current = self._services.documents.current
        if current is not None:
            panel.show_document(current.workflow)
        # What was found or got is known to pickers and to the checks as well.
        shelf.changed.connect(self._services.models.read)
        shelf.told.connect(lambda _: self._look_again())
        self._window.closing.append(shelf.close)
        shelf.refresh()
        QTimer.singleShot(0, panel, lambda: self._show_memory(self._services.room.memory))
        return panel

    def _look_again(self) -> None:
        """Files on the disk are others: have all documents checked against them."""
        for document in self._services.documents:
            desk = self._window.desk_of(document)
            if desk is not None:
                desk.checks.refresh()

    def packs(self) -> PacksPanel:
        """Packs of nodes, and which of them are trusted."""
        from app.panels.packs.panel import PacksPanel
        from app.panels.packs.shelf import PackShelf

        shelf = PackShelf(self._services.places.data, self._window)
        panel = PacksPanel(self._services.theme, shelf)
        shelf.trusted_changed.connect(self._services.helper.restart)
        panel.shown_in_folder.connect(show_folder)
        self._window.closing.append(shelf.close)
        shelf.refresh()
        return panel

    def queue(self) -> QueuePanel:
        """What runs and waits."""
        from app.panels.queue.panel import QueuePanel

        room = self._services.room
        panel = QueuePanel(self._services.theme, room)
        panel.run_wanted.connect(lambda: self._window.commands.do("run.start"))
        panel.opened.connect(self._look_at_job)
        panel.graph_wanted.connect(self._window.open_job)
        panel.files_wanted.connect(show_files)
        return panel

    def _look_at_job(self, job: object) -> None:
        if isinstance(job, JobView) and job.outputs:
            self.looking.look_at_file(Path(job.outputs[0]))

    def jobs(self) -> HistoryPanel:
        """What has run."""
        from app.panels.history.panel import HistoryPanel

        pictures = FilePictures(self._services.decoder, self._window)
        self._window.closing.append(pictures.close)
        panel = HistoryPanel(self._services.theme, self._services.room, pictures)
        panel.graph_wanted.connect(self._window.open_job)
        panel.files_wanted.connect(show_files)
        self._services.room.job_ended.connect(lambda _: panel.refresh())
        panel.refresh()
        return panel

    def gallery(self) -> GalleryPanel:
        """What was saved."""
        from app.panels.gallery.panel import GalleryPanel

        places = self._services.places
        panel = GalleryPanel(
            self._services.theme, places.output, places.data / "kept.json", self._services.decoder
        )
        services = self._services
        services.output_changed.connect(lambda: panel.set_folder(services.places.output))
        panel.looked.connect(lambda path: self.looking.look_at_file(Path(path)))
        panel.open_graph.connect(lambda text, path: self._window.open_text(text, Path(path).stem))
        panel.said.connect(self._window.say)
        self._window.closing.append(panel.close_down)
        self._services.room.job_ended.connect(lambda _: panel.refresh())
        panel.refresh()
        return panel

    def timeline(self) -> TimelinePanel:
        """What ran when, and the memory that it took."""
        from app.panels.timeline.panel import TimelinePanel

        panel = TimelinePanel(self._services.theme)
        panel.go.connect(self._go_step)
        pane = self._window.time_pane
        panel.summary_changed.connect(lambda said: pane.set_note(tr("Run timeline"), said))
        self._services.room.timeline_changed.connect(lambda _: self._show_timeline(panel))
        self._show_timeline(panel)
        return panel

    def forecast(self) -> ForecastPanel:
        """What a run would load, and whether it fits."""
        from app.panels.timeline.forecast import ForecastPanel

        panel = ForecastPanel(self._services.theme, self._title_of)
        panel.go.connect(self._go_step)
        pane = self._window.time_pane
        panel.summary_changed.connect(lambda said: pane.set_note(tr("Forecast"), said))
        self._window.forecasts.fill(panel)
        return panel

    def _show_timeline(self, panel: TimelinePanel) -> None:
        from app.panels.timeline.record import record_of

        found = self._services.room.timeline()
        if found is not None:
            now = None if found.ended is not None else found.seconds
            device = tr("GPU") if self._services.room.memory.device_total else tr("Device")
            panel.show_record(record_of(found, self._title_of, now, device))

    def _title_of(self, step: str) -> str:
        desk = self._window.desk
        view = desk.canvas.board.nodes.get(step) if desk is not None else None
        return view.title if view is not None else step

    def _go_step(self, step: str) -> None:
        desk = self._window.desk
        if desk is not None:
            desk.canvas.show_node(step)


def show_folder(path: object) -> None:
    """Show a folder, or that of a file, in the file manager of the system."""
    place = Path(str(path))
    folder = place if place.is_dir() else place.parent
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def show_files(paths: object) -> None:
    """Show the folder of files."""
    for path in list(paths)[:1] if isinstance(paths, list | tuple) else ():
        show_folder(path)


def ask_folder(window: QWidget, shelf: ModelShelf) -> None:
    """Ask for a folder of models and have it looked through."""
    name = QFileDialog.getExistingDirectory(window, tr("Folder of models"))
    if name:
        shelf.add_folder(Path(name))
