"""The list of parameters that a document shows outside: their words, their groups, their order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QToolButton, QWidget

from app.document.edits.common import called, exposed_in
from app.document.edits.params import describe_exposed, order_exposed, unexpose
from app.labels import label
from app.open_document import OpenDocument
from app.panels.inspector.menu import Edit
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.context import EditorContext
from app.widgets.text import TextEditor
from app.words import tr
from backend.graph.document import Exposed, Workflow
from backend.graph.spec import Param

_LABEL = Param("label", "text", "")
_GROUP = Param("group", "text", "")


class ExposedRow(QWidget):
    """One of them: what people read, its group, whose it is, and buttons for order and removal."""

    went = Signal()

    def __init__(
        self, theme: Theme, name: str, exposed: Exposed, whose: str, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.name = name
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        words = exposed.label or label(exposed.param)
        self.label = TextEditor(_LABEL, words, EditorContext(theme, tr("What people read")), self)
        self.group = TextEditor(_GROUP, exposed.group, EditorContext(theme, tr("Group")), self)
        self.group.line.setPlaceholderText(tr("No group"))
        self.whose = QLabel(whose, self)
        write_in(self.whose, Role.CAPTION)
        self.whose.setProperty("role", "weak")
        self.buttons: dict[str, QToolButton] = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setHorizontalSpacing(4)
        layout.setVerticalSpacing(2)
        layout.addWidget(self.label, 0, 0)
        layout.addWidget(self.group, 0, 1)
        layout.addWidget(self.whose, 1, 0, 1, 2)
        layout.setColumnStretch(0, 3)
        layout.setColumnStretch(1, 2)
        said = {
            "arrow-up": tr("Move {name} up", name=words),
            "arrow-down": tr("Move {name} down", name=words),
            "x": tr("Show {name} no more", name=words),
        }
        for column, (icon, title) in enumerate(said.items(), 2):
            button = QToolButton(self)
            button.setIconSize(QSize(14, 14))
            button.setFixedSize(24, 24)
            button.setToolTip(title)
            button.setAccessibleName(title)
            layout.addWidget(button, 0, column)
            self.buttons[icon] = button
        self._theme = theme
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        for icon, button in self.buttons.items():
            button.setIcon(self._theme.qicon(icon, 14, "weak"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Alt + Up and Down move it, as the buttons do."""
        alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
        keys = {Qt.Key.Key_Up: "arrow-up", Qt.Key.Key_Down: "arrow-down"}
        name = keys.get(Qt.Key(event.key())) if alt else None
        if name is not None:
            self.buttons[name].click()
        elif event.matches(QKeySequence.StandardKey.Delete):
            self.buttons["x"].click()
        else:
            super().keyPressEvent(event)


def make_rows(
    theme: Theme, document: OpenDocument, edit: Edit, parent: QWidget
) -> list[ExposedRow]:
    """A row for each parameter that the level shows outside."""
    workflow, level = document.workflow, document.level
    shown = exposed_in(workflow, level)
    made = []
    for at, (name, exposed) in enumerate(shown.items()):
        try:
            node = called(workflow, level, exposed.node)
        except KeyError:
            node = tr("{node} is gone", node=exposed.node)
        whose = f"{node} · {label(exposed.param)}"
        row = ExposedRow(theme, name, exposed, whose, parent)
        row.label.edited.connect(partial(_describe, edit, level, name, "text"))
        row.group.edited.connect(partial(_describe, edit, level, name, "group"))
        for icon, by in (("arrow-up", -1), ("arrow-down", 1)):
            row.buttons[icon].setEnabled(0 <= at + by < len(shown))
            row.buttons[icon].clicked.connect(_mover(edit, level, tuple(shown), at, by))
        row.buttons["x"].clicked.connect(
            lambda _=False, name=name: edit(
                tr("Show less"), partial(unexpose, level=level, names=(name,))
            )
        )
        made.append(row)
    return made


def _mover(
    edit: Edit, level: str, names: tuple[str, ...], at: int, by: int
) -> Callable[[], None]:  # fmt: skip
    order = list(names)
    if 0 <= at + by < len(order):
        order[at], order[at + by] = order[at + by], order[at]
    return lambda: edit(
        tr("Move in the form"), partial(order_exposed, level=level, names=tuple(order))
    )


def _describe(
    edit: Edit, level: str, name: str, what: str, value: object, final: bool
) -> None:  # fmt: skip
    def change(workflow: Workflow) -> Workflow:
        said = str(value)
        if what == "text":
            return describe_exposed(workflow, level, name, text=said)
        return describe_exposed(workflow, level, name, group=said)

    edit(tr("Rename in the form"), change)
