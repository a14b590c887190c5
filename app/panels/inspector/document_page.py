"""The page of the document: its title, what it is about, what it shows, and its models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.document.edits.common import EditError, exposed_in
from app.document.level import graph_of, links, walk
from app.open_document import OpenDocument
from app.panels.inspector.about import drop_model, put_about, put_title, title_of
from app.panels.inspector.exposed import ExposedRow, make_rows
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.context import EditorContext
from app.widgets.empty import Empty
from app.widgets.text import TextEditor, WordsEditor
from app.words import counted, tr
from backend.graph.document import ModelNeed, Workflow
from backend.graph.spec import Param

_strokes = count(1)


class DocumentPage(QWidget):
    """Shows and edits what a document says of itself. In a subgraph: of the subgraph."""

    refused = Signal(str)

    def __init__(
        self, theme: Theme, missing: Callable[[ModelNeed], bool] = lambda need: False,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        """``missing`` says whether a model that the document names is not on this machine."""
        super().__init__(parent)
        self._theme, self._missing = theme, missing
        self._document: OpenDocument | None = None
        self._merge = ""
        self.rows: list[ExposedRow] = []
        self._listed: tuple[object, ...] | None = None
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.update_now)
        self._build()
        self.update_now()

    def _build(self) -> None:
        self.title = TextEditor(Param("title", "text", ""), "", EditorContext(self._theme), self)
        self.title.line.setPlaceholderText(tr("Untitled"))
        self.about = WordsEditor(Param("about", "multiline", ""), "", EditorContext(self._theme))
        self.title.edited.connect(self._set_title)
        self.about.edited.connect(self._set_about)
        self.figures = QLabel()
        self.figures.setProperty("role", "weak")
        self._shown_title = _heading("")
        self._shown = QVBoxLayout()
        self._shown.setSpacing(0)
        self.nothing = _weak(tr("Nothing yet. The menu of a value in the inspector puts it here."))
        self._models_title = _heading(tr("Models"))
        self._models = QVBoxLayout()
        self._models.setSpacing(4)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(4)
        self._about_title = _heading(tr("About"))
        for part in (_heading(tr("Title")), self.title, self.figures, self._about_title):
            if part is self._about_title:
                column.addSpacing(8)
            column.addWidget(part)
        column.addWidget(self.about)
        column.addSpacing(12)
        column.addWidget(self._shown_title)
        column.addWidget(self.nothing)
        column.addLayout(self._shown)
        column.addSpacing(12)
        column.addWidget(self._models_title)
        column.addLayout(self._models)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(Empty(self._theme, "file", tr("No document is open.")))
        self._stack.addWidget(area)

    def show_document(self, document: OpenDocument | None) -> None:
        """Show another document; ``None`` where none is open."""
        old = self._document
        if old is document:
            return
        if old is not None:
            old.changed.disconnect(self._on_change)
            old.level_changed.disconnect(self._later)
        self._document, self._listed = document, None
        if document is not None:
            document.changed.connect(self._on_change)
            document.level_changed.connect(self._later)
        self._later()

    def _on_change(self, before: object, after: object) -> None:
        self._later()

    def _later(self) -> None:
        if self.isVisible():
            self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        """What changed while it was hidden is shown now."""
        self.update_now()

    def models_changed(self) -> None:
        """Other models are on this machine now."""
        self._listed = None
        self._later()

    def update_now(self) -> None:
        """Show what the document says."""
        self._soon.stop()
        document = self._document
        self._stack.setCurrentIndex(0 if document is None else 1)
        if document is None:
            return
        workflow, level = document.workflow, document.level
        graph = graph_of(workflow, level)
        self.title.show_value(title_of(workflow, level))
        for part in (self._about_title, self.about, self._models_title):
            part.setVisible(not level)
        self.about.show_value(workflow.about)
        nodes, joined = sum(1 for _ in walk(graph)), sum(1 for _ in links(graph))
        self.figures.setText(
            counted(nodes, "{n} node", "{n} nodes")
            + ", "
            + counted(joined, "{n} link", "{n} links")
        )
        shown = exposed_in(workflow, level)
        self._shown_title.setText(tr("Shown on the subgraph's node") if level
                                  else tr("Shown in the form"))  # fmt: skip
        self.nothing.setVisible(not shown)
        # Titles of nodes are in the rows, so the graph is part of what they show.
        now = (level, shown, graph, workflow.models)
        if self._listed is None or any(a is not b for a, b in zip(now, self._listed, strict=True)):
            self._listed = now
            self._list(document)

    def _list(self, document: OpenDocument) -> None:
        _empty(self._shown)
        _empty(self._models)
        self.rows = make_rows(self._theme, document, self._edit, self)
        for row in self.rows:
            self._shown.addWidget(row)
        for need in document.workflow.models if not document.level else ():
            self._models.addWidget(self._model(need))
        self._models_title.setVisible(bool(document.workflow.models) and not document.level)

    def _model(self, need: ModelNeed) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        name = QLabel(need.name)
        write_in(name, Role.BODY)
        name.setProperty("role", "strong")
        name.setTextFormat(Qt.TextFormat.PlainText)
        gone = self._missing(need)
        where = _weak(tr("Not on this machine") if gone else need.source)
        where.setProperty("role", "warning" if gone else "weak")
        where.setToolTip(need.source)
        layout.addWidget(name)
        layout.addWidget(where, 1)
        button = QPushButton(tr("Take out"))
        button.setProperty("kind", "ghost")
        button.setAccessibleName(tr("Take {name} off the list", name=need.name))
        button.clicked.connect(
            lambda: self._edit(tr("List fewer models"), partial(drop_model, name=need.name))
        )
        layout.addWidget(button)
        return row

    def _edit(self, title: str, change: Callable[[Workflow], Workflow], merge: str = "") -> None:
        if self._document is None:
            return
        try:
            self._document.edit(title, change, merge)
        except EditError as error:
            self.refused.emit(error.sentence)

    def _set_title(self, value: object, final: bool) -> None:
        if self._document is not None:
            change = partial(put_title, level=self._document.level, title=str(value))
            self._edit(tr("Change the title"), change)

    def _set_about(self, value: object, final: bool) -> None:
        if self._document is None:
            return
        self._merge = self._merge or f"about {next(_strokes)}"
        self._edit(tr("Change the description"), partial(put_about, text=str(value)), self._merge)
        if final:
            self._merge = ""


def _heading(text: str) -> QLabel:
    made = QLabel(text)
    write_in(made, Role.ACTIVE)
    made.setProperty("role", "strong")
    return made


def _weak(text: str) -> QLabel:
    made = QLabel(text)
    made.setProperty("role", "weak")
    made.setWordWrap(True)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made


def _empty(layout: QVBoxLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
