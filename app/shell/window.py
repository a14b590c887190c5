"""The window: canvas, panes and bars, and what happens between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSettings, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from app.canvas.canvas import Canvas
from app.document.edits.common import EditError
from app.document.session import Change
from app.open_document import OpenDocument
from app.panels.problems.panel import Counts
from app.run.state import JobView
from app.shell.adding import Adding
from app.shell.bars import AppBar, DocumentBar, ToolBar
from app.shell.body import Body, Stack
from app.shell.commands import Commands
from app.shell.desk import Desk
from app.shell.desks import Desks
from app.shell.dress import Dress
from app.shell.files import Files
from app.shell.forecasts import Forecasts
from app.shell.graph_commands import GraphCommands
from app.shell.graph_list import declare_graph
from app.shell.menus import fill_menus
from app.shell.pages import Pages
from app.shell.pane import Pane
from app.shell.panels import Panels
from app.shell.running import Running
from app.shell.services import Services
from app.shell.status_lines import StatusLines
from app.shell.tab_way import go
from app.shell.window_commands import declare
from app.widgets.toast import Toasts
from app.words import counted, tr
from backend.graph.format import FormatError

if TYPE_CHECKING:
    from backend.engine.queue.store import Queue

TOOLS = ("tool.select", "tool.lasso", "tool.cut", "view.find", "", "frame.add", "note.add",
         "arrange.tidy", "view.fit")  # fmt: skip


class Window(QMainWindow):
    """Everything that is seen."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self.setWindowTitle("Weft")
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.closing: list[Callable[[], object]] = []
        self.tool = "select"
        """The tool in hand, in every document."""
        self._seen = False
        self.commands = Commands(self)
        self.graph = GraphCommands(lambda: self.canvas)
        self.desks = Desks(self)
        self.dress = Dress(self)
        self.files = Files(services.documents, self)
        self.running = Running(self)
        self.forecasts = Forecasts(self)
        self.adding = Adding(self)
        self._build()
        self._connect()

    # -- what it is made of -----------------------------------------------------------------------

    def _build(self) -> None:
        theme = self.services.theme
        self.host = QWidget()
        self.canvases = Stack()
        self.canvases.resized.connect(self._lay_over)
        self.documents_bar = DocumentBar(theme)
        declare(self)
        declare_graph(self.graph, self.commands, self.host)
        self.bar = AppBar(theme, self.commands)
        fill_menus(self)
        column = QVBoxLayout(self.host)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.documents_bar)
        column.addWidget(self.canvases, 1)
        self.body = Body(self.host)
        self.view_pane, self.node_pane = self.body.view_pane, self.body.node_pane
        self.said_pane, self.queue_pane = self.body.said_pane, self.body.queue_pane
        self.time_pane = self.body.time_pane
        self.work, self.side = self.body.work, self.body.side
        self.lower_part = self.body.lower_part
        self.panels = Panels(self)
        self.pages = Pages(self.body, self.panels.form)
        self.whole = QWidget()
        rows = QVBoxLayout(self.whole)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.bar)
        rows.addWidget(self.pages, 1)
        self.setCentralWidget(self.whole)
        self._build_status()
        self.tools = ToolBar(theme, self.commands, TOOLS, self.canvases)
        self.tools.show_checked(lambda id: id == "tool.select")
        self.toasts = Toasts(theme, self.canvases, 140)
        self._restore()

    def _build_status(self) -> None:
        lines = StatusLines(self.services.theme, self.statusBar())
        self.job_line, self.problems_line = lines.job, lines.problems
        self.engine_line, self.zoom_line = lines.engine, lines.zoom
        self.fit_line = lines.fit
        lines.fit.clicked.connect(self.forecasts.turn_to)
        lines.problems.clicked.connect(lambda: self.said_pane.show_tab(tr("Problems")))
        lines.engine.restart_wanted.connect(self.services.room.start)

    def _connect(self) -> None:
        documents, room = self.services.documents, self.services.room
        documents.opened.connect(self.desks.open)
        documents.closed.connect(self.desks.close)
        documents.current_changed.connect(self._on_current)
        documents.renamed.connect(self._on_renamed)
        documents.changed_outside.connect(self._on_changed_outside)
        documents.said.connect(self.say)
        self.files.said.connect(self.say)
        bar = self.documents_bar
        bar.wanted.connect(documents.look_at)
        bar.close_wanted.connect(self.files.close)
        bar.new_wanted.connect(documents.new)
        bar.level_wanted.connect(self._enter)
        room.memory_changed.connect(self.bar.show_memory)
        room.refused.connect(lambda _, sentence: self.say(sentence))
        room.nodes_changed.connect(self._on_nodes)
        self.running.connect_room()
        self.forecasts.listen()
        self.dress.follow()
        self.services.troubled.connect(lambda said: self.toasts.say(said, "warning"))

    # -- documents --------------------------------------------------------------------------------

    @property
    def document(self) -> OpenDocument | None:
        """The document that is looked at."""
        return self.services.documents.current

    @property
    def desk(self) -> Desk | None:
        """The desk of the document that is looked at."""
        return self.desk_of(self.document) if self.document is not None else None

    @property
    def canvas(self) -> Canvas | None:
        """The canvas that is looked at."""
        return self.desk.canvas if self.desk is not None else None

    @property
    def panes(self) -> tuple[Pane, ...]:
        """The panes around the canvas, in the order in which F6 goes through them."""
        return self.body.panes

    def desk_of(self, document: OpenDocument) -> Desk | None:
        """The desk of an open document."""
        return self.desks.of(document)

    def _on_current(self) -> None:
        document, desk = self.document, self.desk
        self.documents_bar.show_current(document)
        if desk is not None:
            self.canvases.setCurrentWidget(desk.canvas)
            desk.canvas.set_tool(self.tool)
            desk.canvas.setFocus()
            self.tools.raise_()
            self._lay_over()
        self.panels.show_document(document)
        self.forecasts.show(desk)
        self.pages.show_document(document)
        self.commands.refresh()
        self.retitle()

    def _on_renamed(self, document: OpenDocument) -> None:
        self.documents_bar.rename(document)
        if document is self.document:
            self.retitle()

    def retitle(self) -> None:
        """Show the name of the document, and how large it is."""
        document, canvas = self.document, self.canvas
        self.setWindowTitle(f"{document.name}[*] - Weft" if document is not None else "Weft")
        self.setWindowModified(document is not None and document.session.is_changed)
        if canvas is not None and document is not None:
            nodes, links = len(canvas.board.nodes), len(canvas.board.links)
            saved = tr("saved") if not document.session.is_changed else tr("not saved")
            if document.session.path is None:
                saved = tr("not saved yet")
            self.documents_bar.words.setText(
                " · ".join(
                    (
                        counted(nodes, "{n} node", "{n} nodes"),
                        counted(links, "{n} link", "{n} links"),
                        saved,
                    )
                )
            )

    def _on_changed_outside(self, document: OpenDocument) -> None:
        if not document.session.is_changed:
            if self.services.documents.read_again(document):
                self.say(tr("{name} was changed by another program and read again.",
                            name=document.name))  # fmt: skip
            return
        self.toasts.say(
            tr("Another program has changed {name}. What you see is not saved.",
               name=document.name),
            "warning", tr("Read it again"),
            lambda: self.services.documents.read_again(document),
        )  # fmt: skip

    def _enter(self, level: str) -> None:
        if self.document is not None:
            self.document.enter(level)

    def open_text(self, text: str, title: str = "") -> None:
        """Open the graph that stands in a text."""
        try:
            self.services.documents.open_text(text, title)
        except FormatError as error:
            self.say(error.sentence)

    def open_job(self, job: int) -> None:
        """Open the graph of a job of the queue."""

        def read(queue: Queue) -> str:
            return queue.document(job)

        self.services.room.ask(read, lambda text: self.open_text(str(text), tr("Job {n}", n=job)))

    # -- editing ----------------------------------------------------------------------------------

    def edit(self, document: OpenDocument, label: str, change: Change) -> bool:
        """Change a document; a sentence where it cannot be."""
        desk = self.desk_of(document)
        try:
            return (desk.canvas if desk is not None else document).edit(label, change)
        except EditError as error:
            self.say(str(error))
            return False

    def say(self, sentence: str) -> None:
        """Tell the user something, for six seconds."""
        if sentence:
            self.toasts.say(sentence)

    def on_checked(self, desk: Desk) -> None:
        """A document was checked."""
        self.running.on_checked(desk)
        if desk is self.desk:
            self.panels.problems.refresh()
            self.panels.update_inspector()

    def _on_nodes(self, document: str, _: object) -> None:
        """Nodes of a document stand elsewhere in a run."""
        if self.document is not None and document == self.document.id:
            self.panels.update_inspector()

    def show_counts(self, counts: object) -> None:
        """Show how many problems there are."""
        if isinstance(counts, Counts):
            self.problems_line.show_counts(counts)
            total = counts.errors + counts.warnings
            self.said_pane.set_badge(tr("Problems"), str(total) if total else "")

    # -- running ----------------------------------------------------------------------------------

    def run(self, only: tuple[str, ...] = (), count: int | None = None) -> None:
        """Run the graph, or only what these nodes need."""
        self.running.run(only, count if count is not None else self.bar.count.value())

    def show_job(self, job: JobView | None) -> None:
        """Show which job runs."""
        self.job_line.show_job(job)
        self.bar.cancel.setEnabled(job is not None)

    # -- the window itself ------------------------------------------------------------------------

    def show_form(self, on: bool) -> None:
        """Show the exposed values as a form, or the graph."""
        self.pages.show_form(on, self.document)
        if not on and self.canvas is not None:
            self.canvas.setFocus()

    def read_settings(self) -> None:
        """Be as the settings say."""
        self.dress.read()

    def _lay_over(self) -> None:
        """Put the floating parts in their corners."""
        desk = self.desk
        if desk is None:
            return
        area = self.canvases.rect()
        self.tools.adjustSize()
        self.tools.move(
            (area.width() - self.tools.width()) // 2, area.height() - self.tools.height() - 12
        )
        self.tools.raise_()
        map_ = desk.minimap
        map_.move(area.width() - map_.width() - 12, area.height() - map_.height() - 12)
        map_.setVisible(area.width() > 640 and area.height() > 320)
        desk.canvas.covers = (self.tools, map_)

    def focusNextPrevChild(self, on: bool) -> bool:
        """Tab: the bars, the graph, the panes, the line at the bottom, and round again."""
        middle = (self.documents_bar, self.tools, self.canvases, *self.panes)
        shown = (self.pages.currentWidget(),) if self.pages.shows_form else middle
        return go((self.bar, *shown, self.statusBar()), on)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(0, self, self._lay_over)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._seen:  # the graph is seen first, its panels a moment later
            self._seen = True
            QTimer.singleShot(0, self, self.begin)

    def begin(self) -> None:
        """Make the panels that are shown, and start what works beside the window."""
        self.services.begin()
        for pane in self.panes:
            pane.begin()
        self._on_current()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.ActivationChange and self.isActiveWindow():
            self.services.documents.look_outside()
            for desk in self.desks:  # files that they read may have changed meanwhile
                desk.checks.refresh()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        canvas, at = self.canvas, None
        if canvas is not None:
            spot = canvas.mapFrom(self, event.position())
            if canvas.rect().contains(spot.toPoint()):
                at = canvas.camera.to_canvas(spot)
        urls = event.mimeData().urls()
        self.adding.take_files([Path(u.toLocalFile()) for u in urls if u.isLocalFile()], at)
        event.acceptProposedAction()

    def _store(self) -> QSettings:
        file = self.services.places.data / "window.ini"
        return QSettings(str(file), QSettings.Format.IniFormat)

    def _restore(self) -> None:
        store = self._store()
        geometry = store.value("geometry")
        if geometry is not None:
            self.restoreGeometry(geometry)
        self.body.restore(store)

    def closeEvent(self, event: QCloseEvent) -> None:
        for document in self.services.documents.unsaved():
            self.services.documents.look_at(document)
            if document.session.path is None and not document.workflow.graph.nodes:
                continue
            if not self.files.close(document):
                event.ignore()
                return
        store = self._store()
        store.setValue("geometry", self.saveGeometry())
        self.body.keep(store)
        self.desks.close_all()
        for close in self.closing:
            close()
        self.services.close()
        event.accept()
