"""The page on which a batch is put together: what varies, what outputs are called, which jobs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.panels.batch.knobs import FILES, Knob
from app.panels.batch.outlook import Outlook, Vary, Wanted
from app.panels.batch.parts import TablePart, VaryRow, Words, show_wrong, small_button
from app.panels.batch.preview import Preview
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.picklist import Entry, PickList
from app.words import counted, tr

_KNOWN = ("counter", "date", "time", "node", "seed")
"""Fields of a name that are known for every job."""


class BatchForm(QWidget):
    """What is asked of a batch.

    ``edited``: something else is asked. ``queue_wanted``: the batch is to be queued.
    ``table_asked``: the user wants to pick a table; ``folder_asked`` carries the row for which a
    folder is to be picked.
    """

    edited = Signal()
    queue_wanted = Signal()
    table_asked = Signal()
    folder_asked = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._knobs: dict[str, Knob] = {}
        self._fields: tuple[str, ...] = ()
        self.rows: list[VaryRow] = []
        self.list: PickList | None = None
        self.hint = Words()
        self.hint.say(tr("The graph runs once for each row of a table, each value, each file, or "
                         "for all their combinations."))  # fmt: skip
        self.table = TablePart(theme)
        self.table.hide()
        self.vary = QPushButton(tr("Vary a parameter"))
        self.use_table = QPushButton(tr("Use a table"))
        self.name = QLineEdit()
        self.name.setAccessibleName(tr("Names of the outputs"))
        self.name.setPlaceholderText(tr("As in the graph, or like {index:3}-{seed}"))
        self.insert = small_button(theme, "tag", tr("Put in a field"), self)
        self.name_words = Words()
        self.problem = Words()
        self.preview = Preview(theme)
        self.state = QLabel()
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setWordWrap(True)
        self.state.setMinimumWidth(1)
        self.state.setProperty("role", "weak")
        self.queue = QPushButton(tr("Queue the batch"))
        self.queue.setProperty("kind", "primary")
        self._lay_out()
        self.vary.clicked.connect(self.ask_knob)
        self.use_table.clicked.connect(self._show_table)
        self.table.edited.connect(self.edited)
        self.table.gone.connect(self._drop_table)
        self.table.asked.connect(self.table_asked)
        self.name.textEdited.connect(lambda _: self.edited.emit())
        self.insert.clicked.connect(self._ask_field)
        self.queue.clicked.connect(self.queue_wanted)
        theme.changed.connect(self._dress)
        self._dress()
        self.show_outlook(Outlook())

    def _lay_out(self) -> None:
        self._rows = QVBoxLayout()
        self._rows.setSpacing(0)
        more = QHBoxLayout()
        more.setSpacing(8)
        more.addWidget(self.vary)
        more.addWidget(self.use_table)
        more.addStretch(1)
        names = QHBoxLayout()
        names.setSpacing(8)
        names.addWidget(self.name, 1)
        names.addWidget(self.insert)
        self._names, self._jobs = QWidget(), QWidget()
        self._jobs_title = _heading("")
        below = QVBoxLayout(self._names)
        for part in (_heading(tr("Names")), names, self.name_words):
            below.addLayout(part) if isinstance(part, QHBoxLayout) else below.addWidget(part)
        last = QVBoxLayout(self._jobs)
        for widget in (self._jobs_title, self.problem, self.preview):
            last.addWidget(widget)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(4)
        column.addWidget(_heading(tr("What varies")))
        column.addWidget(self.hint)
        column.addSpacing(4)
        column.addWidget(self.table)
        column.addLayout(self._rows)
        column.addLayout(more)
        for group in (self._names, self._jobs):
            layout = group.layout()
            assert layout is not None
            layout.setContentsMargins(0, 12, 0, 0)
            layout.setSpacing(4)
            column.addWidget(group)
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(inside)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(16, 8, 16, 8)
        foot.setSpacing(8)
        foot.addWidget(self.state, 1)
        foot.addWidget(self.queue)
        self._line = QFrame()
        self._line.setProperty("role", "line")
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.area, 1)
        whole.addWidget(self._line)
        whole.addWidget(self._foot)

    def _dress(self) -> None:
        self.vary.setIcon(self._theme.qicon("plus", 14))
        self.use_table.setIcon(self._theme.qicon("table", 14))
        self.queue.setIcon(self._theme.qicon("list-video", 14, "onfill"))

    # What is asked.

    @property
    def wanted(self) -> Wanted:
        """What is asked now."""
        table = self.table.line.text().strip() if not self.table.isHidden() else ""
        return Wanted(table, tuple(row.vary for row in self.rows), self.name.text())

    @property
    def is_empty(self) -> bool:
        """Whether nothing varies yet."""
        return not self.rows and self.table.isHidden()

    def put(self, wanted: Wanted) -> None:
        """Ask for something else."""
        for row in self.rows:
            self._drop(row)
        self.rows = []
        self.table.line.setText(wanted.table)
        self.table.setVisible(bool(wanted.table))
        self.name.setText(wanted.template)
        for vary in wanted.varies:
            self._add(self._knobs.get(vary.name) or Knob(vary.name, vary.name, "", "text"), vary)
        self._show_parts()

    def show_knobs(self, knobs: Sequence[Knob]) -> None:
        """The graph has these parameters now. A row of one that has gone stays: it says so, and an
        undone edit loses nothing."""
        self._knobs = {knob.name: knob for knob in knobs}
        self.vary.setEnabled(bool(knobs))
        for at, row in enumerate(tuple(self.rows)):
            knob = self._knobs.get(row.knob.name, row.knob)
            if knob != row.knob:  # it is called otherwise, or takes something else
                had = row.line.hasFocus()
                self.rows.remove(row)
                self._drop(row)
                made = self._add(knob, row.vary, at)
                if had:
                    made.line.setFocus()

    def ask_knob(self) -> None:
        """Have the user pick a parameter that is to vary."""
        there = {row.knob.name for row in self.rows}
        entries = [
            Entry(knob.name, knob.title, knob.node, knob.name)
            for knob in self._knobs.values()
            if knob.name not in there
        ]
        made = PickList(self._theme, entries, "", self.vary)
        made.picked.connect(self.take_knob)
        made.closed.connect(self._closed)
        self.list = made
        made.open_under(self.vary)

    def _closed(self) -> None:
        self.list = None

    def take_knob(self, name: str) -> None:
        """Have a parameter vary; its line gets the keyboard."""
        knob = self._knobs[name]
        row = self._add(knob, Vary(name, files=knob.kind in FILES))
        self._show_parts()
        row.line.setFocus(Qt.FocusReason.OtherFocusReason)
        self.edited.emit()

    def _add(self, knob: Knob, vary: Vary, at: int = -1) -> VaryRow:
        row = VaryRow(self._theme, knob, vary, self)
        row.edited.connect(self.edited)
        row.gone.connect(lambda: self._remove(row))
        row.asked.connect(lambda: self.folder_asked.emit(row))
        place = at if at >= 0 else len(self.rows)
        self.rows.insert(place, row)
        self._rows.insertWidget(place, row)
        row.show()
        before = self.rows[place - 1] if place else self.table
        _put_behind(before, row)
        return row

    def _remove(self, row: VaryRow) -> None:
        at = self.rows.index(row)
        self.rows.remove(row)
        after = self.rows[at].remove if at < len(self.rows) else self.vary
        after.setFocus(Qt.FocusReason.OtherFocusReason)
        self._drop(row)
        self._show_parts()
        self.edited.emit()

    def _drop(self, row: VaryRow) -> None:
        self._rows.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _show_table(self) -> None:
        self.table.show()
        self._show_parts()
        self.table.line.setFocus(Qt.FocusReason.OtherFocusReason)
        self.table_asked.emit()

    def _drop_table(self) -> None:
        self.table.line.clear()
        self.table.hide()
        self._show_parts()
        self.use_table.setFocus(Qt.FocusReason.OtherFocusReason)
        self.edited.emit()

    def put_table(self, name: str) -> None:
        """Use a table."""
        self.table.show()
        self._show_parts()
        self.table.put(name)

    def _show_parts(self) -> None:
        self.use_table.setVisible(self.table.isHidden())
        for part in (self._names, self._jobs, self._foot, self._line):
            part.setVisible(not self.is_empty)

    def _ask_field(self) -> None:
        menu = QMenu(self)
        for field in dict.fromkeys((*self._fields, *_KNOWN)):
            menu.addAction("{" + field + "}", partial(self._put_field, field))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.insert.mapToGlobal(self.insert.rect().bottomLeft()))

    def _put_field(self, field: str) -> None:
        self.name.insert("{" + field + "}")
        self.name.setFocus(Qt.FocusReason.OtherFocusReason)
        self.edited.emit()

    # What it would be.

    def show_outlook(self, outlook: Outlook, begun: bool = False) -> None:
        """Show what the batch would be; ``begun``: it is gone on with."""
        self._fields = outlook.fields or ("index", "row")
        self.table.show_outlook(outlook)
        said = outlook.varies if len(outlook.varies) == len(self.rows) else ()
        for at, row in enumerate(self.rows):
            row.show_said(said[at] if at < len(said) else None)
        self.name_words.say(outlook.name, "danger")
        show_wrong(self.name, outlook.name)
        self.problem.say(outlook.problem, "danger")
        count = len(outlook.batch.points) if outlook.batch is not None else 0
        self._jobs_title.setText(counted(count, "{n} job", "{n} jobs") if count else tr("Jobs"))
        self.preview.put(outlook.heads, outlook.lines)
        self.preview.setVisible(bool(outlook.lines))
        self.queue.setEnabled(bool(count))
        words = counted(count, "Queue {n} job", "Queue {n} jobs")
        words = words if count else tr("Queue the batch")
        self.queue.setText(tr("Go on with it") if begun else words)
        self.state.setText(_state(outlook))
        self._jobs_title.setVisible(bool(count or outlook.problem))
        self._show_parts()

    def show_waiting(self, words: str = "") -> None:
        """What the batch would be is being found out."""
        self.queue.setEnabled(False)
        self.state.setText(words or tr("Reading ..."))


def _state(outlook: Outlook) -> str:
    """Where outputs go, or why there is no batch yet."""
    if outlook.batch is not None:
        return tr("To {folder}", folder=outlook.batch.out)
    wrong = outlook.table or outlook.name or any(column.problem for column in outlook.columns)
    if wrong or any(said.problem for said in outlook.varies):
        return tr("What is said above has to be put right first.")
    return ""


def _put_behind(before: QWidget, row: VaryRow) -> None:
    """Have Tab come to a row behind another part."""
    last: QWidget = before.folder if isinstance(before, VaryRow | TablePart) else before
    for part in (row.remove, row.kinds, row.line, row.folder):
        QWidget.setTabOrder(last, part)
        last = part


def _heading(text: str) -> QLabel:
    made = QLabel(text)
    write_in(made, Role.ACTIVE)
    made.setProperty("role", "strong")
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made
