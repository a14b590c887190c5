"""The window: canvas, panes and bars, and what happens between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, QSettings, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QMainWindow,
    QMenu,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.canvas.canvas import Canvas
from app.canvas.shape import Place
from app.document.edits.common import EditError
from app.document.session import Change
from app.open_document import OpenDocument
from app.panels.problems.panel import Counts
from app.panels.settings.keys import Shortcuts
from app.panels.status import EngineLine, JobLine, ProblemsLine, WordLine
from app.run.state import JobView
from app.shell.adding import Adding
from app.shell.bars import AppBar, DocumentBar, ToolBar
from app.shell.commands import Commands
from app.shell.desk import Desk
from app.shell.files import Files
from app.shell.graph_commands import GraphCommands
from app.shell.menus import fill_menus
from app.shell.pane import Pane
from app.shell.panels import Panels
from app.shell.running import Running
from app.shell.services import Services
from app.shell.window_commands import declare
from app.specs.checks import Checks
from app.widgets.toast import Toasts
from app.words import tr
from backend.graph.format import FormatError

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
        self._desks: dict[str, Desk] = {}
        self.commands = Commands(self)
        self.graph = GraphCommands(lambda: self.canvas)
        self.files = Files(services.documents, self)
        self.running = Running(self)
        self.panels = Panels(self)
        self.adding = Adding(self)
        self._build()
        self._connect()

    # -- what it is made of -----------------------------------------------------------------------

    def _build(self) -> None:
        theme = self.services.theme
        self.host = QWidget()
        self.canvases = QStackedWidget()
        self.documents_bar = DocumentBar(theme)
        declare(self)
        self.graph.declare(self.commands, self.host)
        self.bar = AppBar(theme, self.commands)
        fill_menus(self)
        column = QVBoxLayout(self.host)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.documents_bar)
        column.addWidget(self.canvases, 1)
        self.view_pane, self.node_pane = Pane("viewer"), Pane("inspector")
        self.said_pane, self.queue_pane, self.time_pane = (
            Pane("problems"),
            Pane("queue"),
            Pane("timeline"),
        )
        self.lower_part = _split(
            Qt.Orientation.Horizontal, (self.queue_pane, self.time_pane), (0, 1)
        )
        self.work = _split(Qt.Orientation.Vertical, (self.host, self.lower_part), (1, 0))
        self.side = _split(
            Qt.Orientation.Vertical, (self.view_pane, self.node_pane, self.said_pane), (3, 3, 2)
        )
        self.body = _split(Qt.Orientation.Horizontal, (self.work, self.side), (1, 0))
        self.pages = QStackedWidget()
        self.pages.addWidget(self.body)
        self.whole = QWidget()
        rows = QVBoxLayout(self.whole)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.bar)
        rows.addWidget(self.pages, 1)
        self.setCentralWidget(self.whole)
        self.panels.put()
        self._build_status()
        self.tools = ToolBar(theme, self.commands, TOOLS, self.canvases)
        self.tools.show_checked(lambda id: id == "tool.select")
        self.toasts = Toasts(theme, self.canvases, 140)
        self.body.setSizes([960, 480])
        self.work.setSizes([616, 244])
        self.side.setSizes([400, 330, 190])
        self.lower_part.setSizes([360, 600])
        self._restore()

    def _build_status(self) -> None:
        theme = self.services.theme
        self.job_line, self.problems_line = JobLine(theme), ProblemsLine(theme)
        self.engine_line, self.zoom_line = EngineLine(theme), WordLine(theme)
        status = self.statusBar()
        status.setFixedHeight(24)
        status.setSizeGripEnabled(False)
        status.addWidget(self.job_line)
        for line in (self.problems_line, self.engine_line, self.zoom_line):
            status.addPermanentWidget(line)
        self.problems_line.clicked.connect(lambda: self.said_pane.show_tab(tr("Problems")))
        self.engine_line.restart_wanted.connect(self.services.room.start)

    def _connect(self) -> None:
        documents, room = self.services.documents, self.services.room
        documents.opened.connect(self._on_opened)
        documents.closed.connect(self._on_closed)
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
        self.services.theme.changed.connect(self._dress)
        self.services.desk.changed.connect(self._on_setting)
        self.services.troubled.connect(lambda said: self.toasts.say(said, "warning"))
        QApplication.styleHints().colorSchemeChanged.connect(lambda _: self.read_settings())

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
    def text_scale(self) -> float:
        """The user's text scale."""
        return float(self.services.desk.settings.studio.text)

    @property
    def panes(self) -> tuple[Pane, ...]:
        """The panes around the canvas, in the order in which F6 goes through them."""
        return (self.view_pane, self.node_pane, self.said_pane, self.queue_pane, self.time_pane)

    def desk_of(self, document: OpenDocument) -> Desk | None:
        """The desk of an open document."""
        return self._desks.get(document.id)

    def _on_opened(self, document: OpenDocument) -> None:
        services = self.services
        canvas = Canvas(document, services.book, services.theme)
        canvas.said.connect(self.say)
        canvas.asked_palette.connect(self._on_palette)
        canvas.asked_menu.connect(self._on_menu)
        canvas.asked_look.connect(self.panels.looking.look_at)
        canvas.opened.connect(self._on_node_opened)
        canvas.viewed.connect(self._on_viewed)
        canvas.set_reduced_motion(bool(services.desk.settings.studio.still))
        canvas.editing.contexts = lambda path, param: self.panels.contexts.of(document, path, param)
        checks = Checks(document, services.helper, services.grants_of(document))
        desk = Desk(document, canvas, checks, services.room, services.theme)
        desk.checked.connect(lambda: self._on_checked(desk))
        document.selected.connect(self._on_selected)
        document.changed.connect(lambda *_: self.commands.refresh_edited())
        canvas.chose.connect(self._on_selected)
        document.level_changed.connect(lambda: self.documents_bar.show_level(document))
        document.level_changed.connect(self._retitle)
        self._desks[document.id] = desk
        self.canvases.addWidget(canvas)
        self.documents_bar.put(document)
        self.documents_bar.rename(document)
        QTimer.singleShot(0, canvas, lambda: canvas.fit(animated=False))

    def _on_closed(self, document: OpenDocument) -> None:
        desk = self._desks.pop(document.id, None)
        if desk is None:  # the window is closed already
            return
        self.documents_bar.take(document)
        self.canvases.removeWidget(desk.canvas)
        desk.close()
        self.services.room.forget(document)
        if not len(self.services.documents):
            self.services.documents.new()

    def _on_current(self) -> None:
        document, desk = self.document, self.desk
        self.documents_bar.show_current(document)
        if desk is not None:
            self.canvases.setCurrentWidget(desk.canvas)
            desk.canvas.set_tool(self.tool)
            desk.canvas.setFocus()
            self.tools.raise_()
            self._lay_over()
        for pane, titles in ((self.node_pane, (tr("Inspector"), tr("Document"), tr("History"))),):
            for title in titles:
                panel = pane.made(title)
                if panel is not None:
                    panel.show_document(document)  # type: ignore[attr-defined]
        if self.pages.count() > 1:
            form: Any = self.pages.widget(1)
            form.show_document(document if self.pages.currentIndex() == 1 else None)
        if self.said_pane.made(tr("Problems")) is not None:
            self.panels.problems.refresh()
        self._on_selected()
        self._retitle()

    def _on_renamed(self, document: OpenDocument) -> None:
        self.documents_bar.rename(document)
        if document is self.document:
            self._retitle()

    def _retitle(self) -> None:
        document, canvas = self.document, self.canvas
        self.setWindowTitle(f"{document.name}[*] - Weft" if document is not None else "Weft")
        self.setWindowModified(document is not None and document.session.is_changed)
        if canvas is not None and document is not None:
            nodes, links = len(canvas.board.nodes), len(canvas.board.links)
            saved = tr("saved") if not document.session.is_changed else tr("not saved")
            if document.session.path is None:
                saved = tr("not saved yet")
            self.documents_bar.words.setText(
                tr("{n} nodes · {m} links · {saved}", n=nodes, m=links, saved=saved)
            )

    def _on_changed_outside(self, document: OpenDocument) -> None:
        if not document.session.is_changed:
            self.services.documents.read_again(document)
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

        def read(queue: object) -> str:
            return str(queue.job(job).workflow)  # type: ignore[attr-defined]

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

    def _on_palette(self, at: object, place: object) -> None:
        if isinstance(at, QPointF):
            self.adding.ask(at, place if isinstance(place, Place) else None)

    def _on_menu(self, spot: object, at: object) -> None:
        if not isinstance(spot, QPoint) or self.canvas is None:
            return
        from app.shell.menus import canvas_menu

        menu: QMenu = canvas_menu(self, at if isinstance(at, QPointF) else QPointF())
        menu.popup(spot)

    def _on_node_opened(self, path: str) -> None:
        canvas = self.canvas
        view = canvas.board.nodes.get(path) if canvas is not None else None
        if view is None or canvas is None:
            return
        if view.node.type.startswith("subgraph:"):
            canvas.document.enter(view.node.type.removeprefix("subgraph:"))
        elif view.spec is not None and view.spec.outputs:
            self.panels.looking.look_at(path, view.spec.outputs[0].name)

    def _on_selected(self) -> None:
        self.commands.refresh()

    def _on_checked(self, desk: Desk) -> None:
        self.running.on_checked(desk)
        if desk is self.desk:
            self.panels.problems.refresh()
            self._update_inspector()

    def _on_nodes(self, document: str, _: object) -> None:
        """Nodes of a document stand elsewhere in a run."""
        if self.document is not None and document == self.document.id:
            self._update_inspector()

    def _update_inspector(self) -> None:
        page = self.node_pane.made(tr("Inspector"))
        if page is not None:
            page.update_soon()  # type: ignore[attr-defined]

    def _on_viewed(self) -> None:
        if self.canvas is not None:
            self.zoom_line.show_words(tr("Zoom {n} %", n=round(self.canvas.camera.zoom * 100)))

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
        if on:
            if self.pages.count() == 1:
                self.pages.addWidget(self.panels.form())
            form: Any = self.pages.widget(1)
            form.show_document(self.document)
            self.pages.setCurrentIndex(1)
        else:
            self.pages.setCurrentIndex(0)
            if self.canvas is not None:
                self.canvas.setFocus()

    def ask_models_folder(self, shelf: object) -> None:
        """Ask for a folder of models and have it looked through."""
        name = QFileDialog.getExistingDirectory(self, tr("Folder of models"))
        if name:
            shelf.add_folder(Path(name))  # type: ignore[attr-defined]

    def read_settings(self) -> None:
        """Be as the settings say."""
        settings = self.services.desk.settings.studio
        self.services.theme.set_dark(is_dark(settings.theme))
        self.commands.set_keys(Shortcuts.read(self.commands.all(), settings.shortcuts))
        for desk in self._desks.values():
            desk.canvas.set_reduced_motion(bool(settings.still))

    def _on_setting(self, key: str) -> None:
        self.read_settings()
        if key == "studio.text":
            self._dress()
            self.say(tr("Panels that are open have their new text size at the next start."))

    def _dress(self) -> None:
        from app.theme.style import apply

        application = QApplication.instance()
        assert isinstance(application, QApplication)
        services = self.services
        apply(application, services.theme.colours, services.places.icons, self.text_scale)

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

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        QTimer.singleShot(0, self, self._lay_over)

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
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
            for desk in self._desks.values():  # files that they read may have changed meanwhile
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

    def _splits(self) -> tuple[tuple[str, QSplitter], ...]:
        return (("body", self.body), ("work", self.work), ("side", self.side),
                ("lower", self.lower_part))  # fmt: skip

    def _restore(self) -> None:
        store = self._store()
        geometry = store.value("geometry")
        if geometry is not None:
            self.restoreGeometry(geometry)
        for name, splitter in self._splits():
            state = store.value(name)
            if state is not None:
                splitter.restoreState(state)

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
        for name, splitter in self._splits():
            store.setValue(name, splitter.saveState())
        while self._desks:
            self._desks.popitem()[1].close()
        for close in self.closing:
            close()
        self.services.close()
        event.accept()


def is_dark(theme: str) -> bool:
    """Whether the theme of the settings (``system``, ``dark``, ``light``) is dark now."""
    if theme == "system":
        return QApplication.styleHints().colorScheme() != Qt.ColorScheme.Light
    return theme == "dark"


def _split(
    orientation: Qt.Orientation, parts: tuple[QWidget, ...], stretch: tuple[int, ...]
) -> QSplitter:
    splitter = QSplitter(orientation)
    splitter.setHandleWidth(1)
    splitter.setChildrenCollapsible(True)
    for index, (part, share) in enumerate(zip(parts, stretch, strict=True)):
        splitter.addWidget(part)
        splitter.setStretchFactor(index, share)
    return splitter
