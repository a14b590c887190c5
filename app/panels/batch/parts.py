"""What a batch varies, as fields: the table with its columns, and a row for each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.panels.batch.knobs import FILES, Knob
from app.panels.batch.outlook import Column, Outlook, Said, Vary
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.segments import Segments
from app.words import counted, tr

SHOWN = 40
"""Columns of a table that are shown; of others it is told how many there are."""

MOST = 500
"""Characters of a sentence that are shown."""

_PATHS = (*FILES, "model")


class Words(QLabel):
    """A sentence below a field; it is not there where it is empty."""

    def __init__(self, role: str = "weak", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        write_in(self, Role.CAPTION)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setMinimumWidth(1)  # a word of any length is cut, and makes nothing wider
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.say("", role)

    def say(self, sentence: str, role: str = "weak") -> None:
        """Say something else, as ``weak``, ``danger`` or ``warning``."""
        self.setText(sentence if len(sentence) <= MOST else f"{sentence[:MOST]} ...")
        self.setVisible(bool(sentence))
        if self.property("role") != role:
            self.setProperty("role", role)
            self.style().unpolish(self)
            self.style().polish(self)


def small_button(theme: Theme, icon: str, words: str, parent: QWidget) -> QToolButton:
    """A button with an icon, 24 x 24, named for screen readers."""
    button = QToolButton(parent)
    button.setIconSize(QSize(14, 14))
    button.setFixedSize(24, 24)
    button.setToolTip(words)
    button.setAccessibleName(words)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def dress() -> None:
        button.setIcon(theme.qicon(icon, 14, "weak"))

    theme.changed.connect(dress)
    dress()
    return button


def show_wrong(line: QLineEdit, sentence: str) -> None:
    """Show whether what stands in a line can be, and tell a screen reader why not."""
    line.setAccessibleDescription(sentence)
    if bool(line.property("wrong")) != bool(sentence):
        line.setProperty("wrong", bool(sentence))
        line.style().unpolish(line)
        line.style().polish(line)


class VaryRow(QWidget):
    """One parameter that varies: what it is called, and its values or the pattern of its files.

    ``edited``: another thing is said. ``gone``: it is not wanted any more. ``asked``: the user
    wants to pick a folder.
    """

    edited = Signal()
    gone = Signal()
    asked = Signal()

    def __init__(self, theme: Theme, knob: Knob, vary: Vary, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.knob = knob
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.title = QLabel(knob.title, self)
        write_in(self.title, Role.VALUE)
        self.title.setProperty("role", "strong")
        self.node = QLabel(knob.node, self)
        self.node.setProperty("role", "weak")
        self.count = QLabel(self)
        self.count.setProperty("role", "weak")
        for label in (self.title, self.node):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setMinimumWidth(1)
        self.remove = small_button(theme, "x", tr("Do not vary {name}", name=knob.words), self)
        self.remove.clicked.connect(self.gone)
        self.kinds = Segments(theme, (tr("Values"), tr("Files")), self)
        self.kinds.setAccessibleName(tr("How {name} varies", name=knob.words))
        self.kinds.setVisible(knob.kind in _PATHS)
        self.kinds.choose(int(vary.files))
        self.kinds.pressed.connect(self._turn)
        self.line = QLineEdit(vary.said, self)
        self.line.textEdited.connect(lambda _: self.edited.emit())
        self.folder = small_button(theme, "folder", tr("Pick a folder of files"), self)
        self.folder.clicked.connect(self.asked)
        self.words = Words(parent=self)
        self._lay_out()
        self._dress()

    def _lay_out(self) -> None:
        top, below = QHBoxLayout(), QHBoxLayout()
        for row in (top, below):
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(8)
        top.addWidget(self.title)
        top.addWidget(self.node, 1)
        top.addWidget(self.count)
        top.addWidget(self.remove)
        below.addWidget(self.kinds)
        below.addWidget(self.line, 1)
        below.addWidget(self.folder)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(2)
        column.addLayout(top)
        column.addLayout(below)
        column.addWidget(self.words)

    @property
    def vary(self) -> Vary:
        """What is said of it now."""
        return Vary(self.knob.name, self.line.text(), self.kinds.chosen == 1)

    def put(self, text: str) -> None:
        """Have a text stand in the line, as if it were typed."""
        self.line.setText(text)
        self.edited.emit()

    def show_said(self, said: Said | None) -> None:
        """Show what became of it; ``None`` where that is not known yet."""
        problem = said.problem if said is not None else ""
        empty = not self.line.text().strip()
        count = said.count if said is not None else 0
        files = self.kinds.chosen == 1
        one, many = ("{n} file", "{n} files") if files else ("{n} value", "{n} values")
        self.count.setText(counted(count, one, many) if count else "")
        self.words.say(problem, "weak" if empty else "danger")
        show_wrong(self.line, "" if empty else problem)

    def _turn(self, chosen: int) -> None:
        self.kinds.choose(chosen)
        self._dress()
        self.edited.emit()

    def _dress(self) -> None:
        files = self.kinds.chosen == 1
        self.folder.setVisible(files)
        said = tr("Pattern of {name}") if files else tr("Values of {name}")
        self.line.setAccessibleName(said.replace("{name}", self.knob.words))
        self.line.setPlaceholderText(_hint(self.knob.kind, files))


def _hint(kind: str, files: bool) -> str:
    """What can be said of a parameter of a kind."""
    if files:
        return tr("photos/*.png")
    if kind in ("number", "integer", "seed"):
        return tr("1, 2, 4   or   1:5:9")
    if kind == "boolean":
        return tr("yes, no")
    return tr('one, two, "with, comma"')


class TablePart(QWidget):
    """The table of a batch: its file, and what each of its columns sets.

    ``edited``: another file is named. ``gone``: no table is wanted. ``asked``: the user wants to
    pick one.
    """

    edited = Signal()
    gone = Signal()
    asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._columns: tuple[Column, ...] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        title = QLabel(tr("Table"), self)
        write_in(title, Role.VALUE)
        title.setProperty("role", "strong")
        self.count = QLabel(self)
        self.count.setProperty("role", "weak")
        self.remove = small_button(theme, "x", tr("Use no table"), self)
        self.remove.clicked.connect(self.gone)
        self.line = QLineEdit(self)
        self.line.setAccessibleName(tr("File of the table"))
        self.line.setPlaceholderText(tr("rows.csv or rows.jsonl"))
        self.line.textEdited.connect(lambda _: self.edited.emit())
        self.folder = small_button(theme, "folder", tr("Pick a table"), self)
        self.folder.clicked.connect(self.asked)
        self.words = Words(parent=self)
        self.columns = QWidget(self)
        self._grid = QGridLayout(self.columns)
        self._grid.setContentsMargins(0, 4, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(2, 1)
        top, below = QHBoxLayout(), QHBoxLayout()
        for row in (top, below):
            row.setSpacing(8)
        top.addWidget(title, 1)
        top.addWidget(self.count)
        top.addWidget(self.remove)
        below.addWidget(self.line, 1)
        below.addWidget(self.folder)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(2)
        column.addLayout(top)
        column.addLayout(below)
        column.addWidget(self.words)
        column.addWidget(self.columns)
        theme.changed.connect(self._dress)

    def put(self, path: Path | str) -> None:
        """Name a file, as if it were typed."""
        self.line.setText(str(path))
        self.edited.emit()

    def show_outlook(self, outlook: Outlook) -> None:
        """Show what the columns set, and what is wrong."""
        self.count.setText(counted(outlook.rows, "{n} row", "{n} rows") if outlook.rows else "")
        said = outlook.table
        if not self.line.text().strip():
            said = tr("Its first line names parameters, each other line is a job.")
        self.words.say(said, "danger" if outlook.table else "weak")
        show_wrong(self.line, outlook.table)
        if outlook.columns != self._columns:
            self._columns = outlook.columns
            self._list(outlook.columns)

    def _list(self, columns: Sequence[Column]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        shown = sorted(columns, key=lambda each: not each.problem)[:SHOWN]
        for at, column in enumerate(shown):
            self._grid.addWidget(self._mark(bool(column.problem)), at, 0, Qt.AlignmentFlag.AlignTop)
            name = QLabel(column.name if len(column.name) <= 40 else f"{column.name[:40]} ...")
            write_in(name, Role.VALUE)
            name.setTextFormat(Qt.TextFormat.PlainText)
            self._grid.addWidget(name, at, 1, Qt.AlignmentFlag.AlignTop)
            words = Words()
            words.say(column.problem or tr("sets {what}", what=column.sets),
                      "danger" if column.problem else "weak")  # fmt: skip
            words.setAccessibleName(f"{column.name}: {words.text()}")
            self._grid.addWidget(words, at, 2)
        if len(columns) > len(shown):
            more = Words()
            more.say(tr("and {n} more columns", n=len(columns) - len(shown)))
            self._grid.addWidget(more, len(shown), 1, 1, 2)
        self.columns.setVisible(bool(columns))

    def _mark(self, wrong: bool) -> QLabel:
        mark = QLabel()
        icon, token = ("circle-alert", "danger") if wrong else ("check", "success")
        mark.setPixmap(self._theme.pixmap(icon, 14, token, self.devicePixelRatioF()))
        return mark

    def _dress(self) -> None:
        if self._columns is not None:
            self._list(self._columns)
