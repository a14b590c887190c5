"""The fields of the form: a label above each, headings over groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.document.edits.common import SpecOf
from app.document.level import node_at
from app.labels import label
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.editor import ParamEditor, Well
from backend.graph.document import Node, Workflow
from backend.graph.spec import Param

LABEL = 18
_GAP = 12


@dataclass(frozen=True, slots=True)
class Shown:
    """A parameter in the form. ``param`` is ``None`` where the document names what is not there;
    ``linked`` where a link feeds it."""

    name: str
    path: str
    label: str
    group: str
    param: Param | None
    linked: bool = False


def shown_in(workflow: Workflow, spec_of: SpecOf) -> tuple[Shown, ...]:
    """What the form of a document shows, groups together, in the order of their first."""
    found = list(_each(workflow, spec_of))
    order = list(dict.fromkeys(shown.group for shown in found))
    return tuple(sorted(found, key=lambda shown: order.index(shown.group)))


def _each(workflow: Workflow, spec_of: SpecOf) -> Iterator[Shown]:
    for name, exposed in workflow.expose.items():
        node: Node | None
        try:
            node = node_at(workflow.graph, exposed.node)
        except KeyError:
            node = None
        spec = spec_of(workflow, node) if node is not None else None
        param = spec.param(exposed.param) if spec is not None else None
        linked = node is not None and exposed.param in node.inputs
        said = exposed.label or label(exposed.param)
        yield Shown(name, exposed.node, said, exposed.group, param, linked)


class FormField(QWidget):
    """A label, the editor under it, and words under that."""

    def __init__(self, theme: Theme, shown: Shown, editor: ParamEditor, parent: QWidget) -> None:
        super().__init__(parent)
        self.shown, self.editor = shown, editor
        self._note, self._problem, self._wrong = "", "", False
        self.title = QLabel(shown.label, self)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        write_in(self.title, Role.VALUE)
        self.title.setBuddy(editor)
        self.words = QLabel(self)
        write_in(self.words, Role.CAPTION)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.words.hide()
        editor.setParent(self)
        editor.noted.connect(self._on_note)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_problem(self, sentence: str) -> None:
        """Say what is wrong with the value, or nothing."""
        self._problem = sentence
        if isinstance(self.editor, Well):
            self.editor.wrong = bool(sentence) or self._wrong
            self.editor.update()
        self._show()

    def _on_note(self, words: str, wrong: bool) -> None:
        self._note, self._wrong = words, wrong
        self._show()

    def _show(self) -> None:
        said = self._note if self._wrong or not self._problem else self._problem
        bad = self._wrong or bool(self._problem)
        self.words.setText(said)
        self.words.setProperty("role", "danger" if bad else "weak")
        self.words.style().unpolish(self.words)
        self.words.style().polish(self.words)
        self.words.setVisible(bool(said))
        self.updateGeometry()
        self._place()

    def _words_height(self) -> int:
        if self.words.isHidden():
            return 0
        return self.words.heightForWidth(max(80, self.width())) + 4

    def sizeHint(self) -> QSize:
        """Label, field, words, and the gap to the next."""
        field = max(self.editor.sizeHint().height(), 28)
        return QSize(240, LABEL + 4 + field + self._words_height() + _GAP)

    def minimumSizeHint(self) -> QSize:
        """It gets narrower, never lower."""
        return QSize(120, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the parts in their places."""
        self._place()
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def event(self, event: QEvent) -> bool:
        """An editor that grows makes the field grow."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
            self._place()
        return super().event(event)

    def _place(self) -> None:
        field = max(self.editor.sizeHint().height(), 28)
        self.title.setGeometry(0, 0, self.width(), LABEL)
        self.editor.setGeometry(0, LABEL + 4, self.width(), field)
        self.words.setGeometry(0, LABEL + 6 + field, self.width(), max(0, self._words_height() - 2))
