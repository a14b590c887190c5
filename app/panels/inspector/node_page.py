"""The page of what is selected: its values, what is known of it, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QStackedLayout, QVBoxLayout, QWidget

from app.document.edits.common import EditError, called
from app.document.edits.connect import disconnect
from app.document.edits.nodes import set_each, set_title
from app.document.level import graph_of, links_into, node_at
from app.labels import label
from app.open_document import OpenDocument
from app.panels.inspector.header import Header
from app.panels.inspector.known import Known, facts_of
from app.panels.inspector.menu import param_menu
from app.panels.inspector.rows import MARGIN, LinkedField, ParamRow
from app.panels.inspector.sources import Sources
from app.panels.inspector.subject import Row, Subject, subject_of
from app.specs.places import place_of
from app.theme.fonts import Role, write_in
from app.widgets.binding import Binding, show_present
from app.widgets.choice import ChoiceEditor
from app.widgets.editor import ParamEditor
from app.widgets.empty import Empty
from app.widgets.make import editor_for
from app.words import tr
from backend.graph.document import Workflow
from backend.graph.spec import Param

EACH = Param("each", "choice", "zip", choices=("zip", "repeat", "product"))
"""How lists of different length meet on a node, as a row."""


class NodePage(QWidget):
    """Shows the selection of an open document, and edits it.

    ``refused`` carries the sentence of an edit that cannot be made. What is built is built when the
    window is idle, never while a document tells of a change.
    """

    refused = Signal(str)

    def __init__(self, sources: Sources, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sources = sources
        self._document: OpenDocument | None = None
        self._subject: Subject | None = None
        self.rows: dict[str, ParamRow] = {}
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.update_now)
        self._build()
        self.update_now()

    def _build(self) -> None:
        self.header = Header(self._sources.theme)
        self.header.titled.connect(self._set_title)
        self.problems = QLabel()
        self.problems.setWordWrap(True)
        self.problems.setTextFormat(Qt.TextFormat.PlainText)
        self.problems.setProperty("role", "danger")
        self.problems.setContentsMargins(MARGIN, 0, MARGIN, 8)
        self.known = Known(self._sources.theme)
        self.help = QLabel()
        self.help.setWordWrap(True)
        self.help.setTextFormat(Qt.TextFormat.PlainText)
        self.help.setProperty("role", "weak")
        self.help.setContentsMargins(MARGIN, 4, MARGIN, 16)
        self.help.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for part in (self.problems, self.help):
            write_in(part, Role.BODY)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.problems)
        self._column.addWidget(self.known)
        self._column.addWidget(self.help)
        self._column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        self._area = area
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(area, 1)
        self.empty = Empty(
            self._sources.theme, "sliders-horizontal", tr("Nothing is selected."),
            tr("Pick a node to see its values."),
        )  # fmt: skip
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(filled)

    # What is shown.

    def show_document(self, document: OpenDocument | None) -> None:
        """Show another document; ``None`` where none is open."""
        old = self._document
        if old is document:
            return
        if old is not None:
            old.changed.disconnect(self._on_change)
            old.selected.disconnect(self.update_soon)
            old.level_changed.disconnect(self.update_soon)
        self._document = document
        if document is not None:
            document.changed.connect(self._on_change)
            document.selected.connect(self.update_soon)
            document.level_changed.connect(self.update_soon)
        self._subject = None
        self._clear()
        self.update_soon()

    def _on_change(self, before: object, after: object) -> None:
        self.update_soon()

    def update_soon(self) -> None:
        """Show what the document says, when the window is idle; for facts and runs as well."""
        if self.isVisible():
            self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        """What changed while it was hidden is shown now."""
        self.update_now()

    def update_now(self) -> None:
        """Show what the document says."""
        self._soon.stop()
        document = self._document
        subject = subject_of(document, self._sources.spec_of) if document is not None else None
        old, self._subject = self._subject, subject
        if document is None or subject is None:
            self._clear()
            self._stack.setCurrentIndex(0)
            return
        if old is None or old.shape != subject.shape:
            self._rebuild(document, subject)
        self._refresh(document, subject)
        self._stack.setCurrentIndex(1)

    def _clear(self) -> None:
        for row in self.rows.values():
            row.hide()  # takes the focus off, so that what is typed is kept before its row goes
            row.deleteLater()
        self.rows = {}

    def _rebuild(self, document: OpenDocument, subject: Subject) -> None:
        self._clear()
        before: QWidget = self.header
        for index, row in enumerate(subject.rows):
            made = self._row(document, subject, row)
            self._column.insertWidget(1 + index, made)
            self.rows[row.param.name] = made
            QWidget.setTabOrder(before, made.editor)
            before = made.editor
        if len(subject.paths) == 1 and self._has_lists(document, subject):
            made = self._each_row(document, subject)
            self._column.insertWidget(1 + len(subject.rows), made)
            self.rows[""] = made

    def _row(self, document: OpenDocument, subject: Subject, row: Row) -> ParamRow:
        path, name = subject.paths[0], row.param.name
        context = self._sources.context(document, path, row.param)
        present = subject.nodes[0].params.get(name, row.param.default)
        editor: ParamEditor
        if row.link is not None:
            text = Param(name, "text", "")
            editor = LinkedField(text, self._link_words(document, row), context)
            editor.went.connect(partial(self._go, row.link.source))
            editor.unlinked.connect(partial(self._unlink, row))
        else:
            editor = editor_for(row.param, present, context)
            binding = Binding(editor, document, subject.paths, name)
            binding.refused.connect(self.refused)
        one = len(subject.paths) == 1
        made = ParamRow(
            self._sources.theme, row.param, editor, self, f"{path}\n{name}" if one else "",
            partial(self._menu, row),
        )  # fmt: skip
        if made.outline is not None:
            made.outline.joined = row.link is not None
        editor.setEnabled(not subject.locked)
        return made

    def _each_row(self, document: OpenDocument, subject: Subject) -> ParamRow:
        path = subject.paths[0]
        context = self._sources.context(document, path, EACH)
        editor = ChoiceEditor(EACH, subject.nodes[0].each, context)
        editor.edited.connect(
            lambda value, final: self._edit(
                tr("Let lists meet otherwise"),
                partial(set_each, level=document.level, paths=(path,), each=value),
            )
        )
        made = ParamRow(self._sources.theme, EACH, editor, self)
        made.name.setText(tr("Lists meet by"))
        editor.setAccessibleName(tr("Lists meet by"))
        return made

    def _has_lists(self, document: OpenDocument, subject: Subject) -> bool:
        if subject.nodes[0].each != "zip":
            return True
        return any(
            (found := self._sources.facts(document, link.source).get(link.output)) is not None
            and found.is_list
            for link in links_into(graph_of(document.workflow, document.level), subject.paths[0])
        )

    def _refresh(self, document: OpenDocument, subject: Subject) -> None:
        one = len(subject.paths) == 1
        path = subject.paths[0]
        self.header.show_subject(subject.title, subject.category, one and not subject.locked)
        self.header.show_run(self._sources.run(document, path) if one else None)
        for row in subject.rows:
            editor = self.rows[row.param.name].editor
            if row.link is not None:
                editor.show_value(self._link_words(document, row))
            else:
                show_present(
                    editor, document.workflow, document.level, subject.paths, row.param.name
                )
        if "" in self.rows:
            self.rows[""].editor.show_value(subject.nodes[0].each)
        self._show_problems(document, subject)
        self.known.show_facts(facts_of(document, subject, self._sources))
        self.known.setVisible(bool(self.known.facts))
        text = subject.spec.help if one and subject.spec is not None else ""
        self.help.setText(_flowing(text))
        self.help.setVisible(bool(text))

    def _show_problems(self, document: OpenDocument, subject: Subject) -> None:
        said: dict[str, str] = {}
        whole = []
        one = len(subject.paths) == 1
        for problem in self._sources.problems(document, subject.paths[0]) if one else ():
            sentence = " ".join(filter(None, (problem.sentence, problem.fix)))
            place = place_of(problem.place)
            if place.part in ("params", "inputs") and place.name in self.rows:
                said.setdefault(place.name, sentence)
            elif problem.level == "error":
                whole.append(sentence)
        for name, row in self.rows.items():
            row.set_problem(said.get(name, ""))
        if subject.spec is None and not whole:
            kind = subject.nodes[0].type
            whole.append(tr("The node type {type} is not installed.", type=kind))
        self.problems.setText("\n".join(whole))
        self.problems.setVisible(bool(whole))

    def _link_words(self, document: OpenDocument, row: Row) -> str:
        if row.link is None:
            return ""
        try:
            source = called(document.workflow, document.level, row.link.source)
        except KeyError:
            source = label(row.link.output)
        facts = self._sources.facts(document, row.link.source).get(row.link.output)
        known = facts.value if facts is not None else None
        words = tr("From {node}", node=source)
        return words if known is None else f"{words} · {known}"

    # What is done.

    def _edit(self, title: str, change: Callable[[Workflow], Workflow]) -> None:
        if self._document is None:
            return
        try:
            self._document.edit(title, change)
        except EditError as error:
            self.refused.emit(error.sentence)

    def _set_title(self, title: str) -> None:
        if self._subject is not None and self._document is not None:
            self._edit(
                tr("Rename"),
                partial(
                    set_title, level=self._document.level, path=self._subject.paths[0], title=title
                ),
            )

    def _unlink(self, row: Row) -> None:
        if self._document is not None and row.link is not None:
            self._edit(
                tr("Unlink"), partial(disconnect, level=self._document.level, gone=(row.link,))
            )

    def _go(self, path: str) -> None:
        if self._document is None:
            return
        try:
            node_at(graph_of(self._document.workflow, self._document.level), path)
        except KeyError:
            return
        self._document.select((path,), path)

    def _menu(self, row: Row, place: QPointF) -> None:
        if self._document is not None and self._subject is not None:
            menu = param_menu(self._document, self._subject, row, self._edit, self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(QPoint(int(place.x()), int(place.y())))

    def begin(self, name: str) -> bool:
        """Bring a parameter into view and edit it; whether there is one of that name."""
        row = self.rows.get(name)
        if row is None:
            return False
        self._area.ensureWidgetVisible(row)
        row.editor.begin()
        return True

    def changeEvent(self, event: QEvent) -> None:
        """Words in another language are set anew."""
        if event.type() is QEvent.Type.LanguageChange:
            self._subject = None
            self.update_soon()
        super().changeEvent(event)


def _flowing(text: str) -> str:
    """Help as it is written in source, with its lines joined to paragraphs."""
    paragraphs = (" ".join(part.split()) for part in text.replace("`", "").split("\n\n"))
    return "\n\n".join(part for part in paragraphs if part)
