"""App mode: a column of what the document shows, the picture beside it, and Run in reach."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.open_document import OpenDocument
from app.panels.form.fields import FormField, Shown, shown_in
from app.panels.inspector.sources import Sources
from app.run.state import JobView
from app.specs.places import place_of
from app.theme.fonts import Role, write_in
from app.widgets.binding import Binding, show_present
from app.widgets.context import EditorContext
from app.widgets.empty import Empty
from app.widgets.make import editor_for
from app.widgets.number import NumberEditor
from app.words import tr
from backend.graph.spec import Param

COLUMN = 560


class Form(QWidget):
    """The form of an open document. ``run`` asks for so many runs, ``cancel`` for none.

    Who shows it hands in the widget for the picture by ``set_picture``, and how a job stands by
    ``show_job``.
    """

    run = Signal(int)
    cancel = Signal()
    refused = Signal(str)
    left = Signal()
    """The user wants to see the graph."""

    def __init__(self, sources: Sources, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sources = sources
        self._document: OpenDocument | None = None
        self._shape: object = None
        self.fields: dict[str, FormField] = {}
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.update_now)
        self._build()

    def _build(self) -> None:
        self.title = QLabel()
        write_in(self.title, Role.EMPTY)
        self.title.setProperty("role", "strong")
        self.about = QLabel()
        self.about.setProperty("role", "weak")
        for part in (self.title, self.about):
            part.setTextFormat(Qt.TextFormat.PlainText)
            part.setWordWrap(True)
        self.empty = Empty(
            self._sources.theme, "sliders-horizontal", tr("The form is empty."),
            tr("In the graph, the menu of a value in the inspector puts it here."),
            tr("Show the graph"),
        )  # fmt: skip
        self.empty.pressed.connect(self.left)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(24, 24, 24, 24)
        self._column.setSpacing(0)
        self._column.addWidget(self.title)
        self._column.addSpacing(4)
        self._column.addWidget(self.about)
        self._column.addSpacing(16)
        self._fields = QVBoxLayout()
        self._fields.setSpacing(0)
        self._column.addLayout(self._fields)
        self._column.addWidget(self.empty)
        self._column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        side = QWidget()
        side.setMaximumWidth(COLUMN)
        left = QVBoxLayout(side)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(0)
        left.addWidget(area, 1)
        left.addWidget(self._foot())
        self._picture = QWidget()
        self._picture_box = QStackedLayout(self._picture)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(side, 3)
        row.addWidget(self._picture, 4)

    def _foot(self) -> QWidget:
        line = QFrame()
        line.setProperty("role", "line")
        number = Param("count", "integer", 1, 1, 999, 1)
        self.count = NumberEditor(number, 1, EditorContext(self._sources.theme, tr("Count")))
        self.count.setFixedWidth(56)
        self.run_button = QPushButton(tr("Run"))
        self.run_button.setProperty("kind", "primary")
        self.run_button.setIcon(self._sources.theme.qicon("play", 14, "onfill"))
        self.run_button.setMinimumSize(120, 32)
        self.run_button.clicked.connect(lambda: self.run.emit(int(self.count.number)))
        self.cancel_button = QPushButton(tr("Cancel"))
        self.cancel_button.setMinimumHeight(32)
        self.cancel_button.clicked.connect(self.cancel)
        self.cancel_button.hide()
        self.state = QLabel()
        self.state.setProperty("role", "weak")
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.bar.setAccessibleName(tr("Progress"))
        self.bar.hide()
        foot = QWidget()
        column = QVBoxLayout(foot)
        column.setContentsMargins(24, 0, 24, 16)
        column.setSpacing(8)
        column.addWidget(line)
        column.addWidget(self.bar)
        column.addWidget(self.state)
        self.state.hide()
        row = QHBoxLayout()
        row.setSpacing(8)
        words = QLabel(tr("Count"))
        words.setProperty("role", "weak")
        words.setBuddy(self.count)
        row.addWidget(self.run_button)
        row.addWidget(self.cancel_button)
        row.addStretch(1)
        row.addWidget(words)
        row.addWidget(self.count)
        column.addLayout(row)
        return foot

    # What is shown.

    def set_picture(self, widget: QWidget) -> None:
        """Show this at the right: the viewer of the window."""
        self._picture_box.addWidget(widget)
        self._picture_box.setCurrentWidget(widget)

    def show_document(self, document: OpenDocument | None) -> None:
        """Show another document; ``None`` where none is open."""
        if self._document is not None:
            self._document.changed.disconnect(self._on_change)
        self._document, self._shape = document, None
        if document is not None:
            document.changed.connect(self._on_change)
        self.update_now()

    def _on_change(self, before: object, after: object) -> None:
        self.update_soon()

    def update_soon(self) -> None:
        """Show what the document says, when the window is idle; for checks as well."""
        if self.isVisible():
            self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        """What changed while it was hidden is shown now."""
        self.update_now()

    def show_job(self, job: JobView | None) -> None:
        """Say how the last job of the document stands."""
        running = job is not None and job.status in ("running", "queued", "paused")
        self.cancel_button.setVisible(running)
        self.bar.setVisible(running)
        self.bar.setValue(round(1000 * job.progress) if job is not None else 0)
        said = (job.error or job.sentence) if job is not None else ""
        self.state.setText(said)
        self.state.setProperty("role", "danger" if job is not None and job.error else "weak")
        self.state.style().unpolish(self.state)
        self.state.style().polish(self.state)
        self.state.setVisible(bool(said))

    def update_now(self) -> None:
        """Show what the document says."""
        self._soon.stop()
        document = self._document
        if document is None:
            shown: tuple[Shown, ...] = ()
        else:
            shown = shown_in(document.workflow, self._sources.spec_of)
            self.title.setText(document.workflow.title or document.name)
            self.about.setText(document.workflow.about)
        self.about.setVisible(bool(self.about.text()))
        self.run_button.setEnabled(document is not None)
        if self._shape != shown:
            self._shape = shown
            self._rebuild(document, shown)
        self.empty.setVisible(not shown)
        for field in self.fields.values():
            self._refresh(field)

    def _rebuild(self, document: OpenDocument | None, shown: tuple[Shown, ...]) -> None:
        while (item := self._fields.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()  # takes the focus off, so that what is typed is kept
                widget.deleteLater()
        self.fields = {}
        group = ""
        for each in shown if document is not None else ():
            if each.group != group:
                group = each.group
                self._fields.addWidget(self._heading(group))
            if document is not None:
                self._fields.addWidget(self._field(document, each))

    def _heading(self, text: str) -> QLabel:
        made = QLabel(text)
        write_in(made, Role.TITLE)
        made.setProperty("role", "strong")
        made.setTextFormat(Qt.TextFormat.PlainText)
        made.setContentsMargins(0, 8, 0, 10)
        return made

    def _field(self, document: OpenDocument, shown: Shown) -> QWidget:
        if shown.param is None or shown.linked:
            gone = tr("{name} is not in the graph any more.", name=shown.label)
            fed = tr("{name} comes from a link in the graph.", name=shown.label)
            made = QLabel(fed if shown.param is not None else gone)
            made.setProperty("role", "weak")
            made.setTextFormat(Qt.TextFormat.PlainText)
            made.setWordWrap(True)
            made.setContentsMargins(0, 0, 0, 12)
            return made
        context = self._sources.context(document, shown.path, shown.param)
        editor = editor_for(shown.param, shown.param.default, context)
        editor.setAccessibleName(shown.label)
        Binding(editor, document, (shown.path,), level="").refused.connect(self.refused)
        field = FormField(self._sources.theme, shown, editor, self)
        self.fields[shown.name] = field
        return field

    def _refresh(self, field: FormField) -> None:
        if self._document is None or field.shown.param is None:
            return
        path, name = field.shown.path, field.shown.param.name
        show_present(field.editor, self._document.workflow, "", (path,), name)
        said = ""
        for problem in self._sources.problems(self._document, path):
            place = place_of(problem.place)
            if place.part in ("params", "inputs") and place.name == name:
                said = " ".join(filter(None, (problem.sentence, problem.fix)))
                break
        field.set_problem(said)
