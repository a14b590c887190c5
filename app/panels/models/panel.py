"""The models panel: missing models of the document above, the table, details, and getting more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QItemSelectionModel, QPoint, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.panels.models.needs import Missing, missing_models
from app.panels.models.shelf import ModelShelf, Work
from app.panels.models.table import (
    ModelTable,
    Sieve,
    facts_of,
    families_of,
    kind_of,
    kind_words,
)
from app.panels.notice import Notice
from app.panels.tools import bytes_words, tool
from app.theme.theme import Theme
from app.widgets.card import Act, Card
from app.widgets.card_list import CardList
from app.widgets.empty import Empty
from app.words import tr
from backend.catalog.index import Entry
from backend.graph.document import Workflow

MOST_MISSING = 3
"""Cards of missing models that are seen at once; the others scroll."""


class ModelsPanel(QWidget):
    """What models there are, and what the open document lacks.

    ``folder_asked`` wants a folder to be chosen, which ``ModelShelf.add_folder`` then gets;
    ``shown_in_folder`` carries a path to be shown.
    """

    folder_asked = Signal()
    shown_in_folder = Signal(object)

    def __init__(self, theme: Theme, shelf: ModelShelf, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shelf = shelf
        self._workflow = Workflow()
        self._missing: dict[str, Missing] = {}
        self._memory = self._device = 0
        self.table_model = ModelTable(theme, self)
        self.sieve = Sieve(self.table_model, self)
        self.missing = CardList(theme, tr("Missing models"))
        self.field = QLineEdit(placeholderText=tr("Search models"), clearButtonEnabled=True)
        self.kind, self.family = QComboBox(), QComboBox()
        self.table = _table(self.sieve)
        self.details = _details()
        self.notice = Notice(theme, "info", "")
        self.source = QLineEdit(placeholderText=tr("hf:ORG/REPO/FILE, or a web address"))
        self.get = QPushButton(tr("Get it"))
        self._bar = _WorkBar(shelf)
        self._empty = Empty(
            theme, "box", tr("No models."), tr("Add a folder that holds some, or get one."),
            tr("Add folder"),
        )  # fmt: skip
        self._tools = (
            tool(theme, self, "plus", tr("Add a folder"), self.folder_asked.emit),
            tool(theme, self, "refresh-cw", tr("Scan"), shelf.scan, "F5"),
            tool(theme, self, "hash", tr("Verify what is selected"), self._verify),
            tool(theme, self, "folder", tr("Folders"), self._folders),
        )
        self._lay_out()
        self._join()
        self._show()

    @property
    def tools(self) -> tuple[QAction, ...]:
        """What stands in the title bar of its dock."""
        return self._tools

    def show_document(self, workflow: Workflow) -> None:
        """Tell which models this document lacks."""
        if workflow.models != self._workflow.models:
            self._workflow = workflow
            self._show_missing()

    def show_memory(self, memory: int, device: int = 0) -> None:
        """Tell how many bytes are free in memory, and in that of the GPU (0: there is none), so
        that missing models say whether they fit."""
        if (memory >> 27, device >> 27) != (self._memory >> 27, self._device >> 27):
            self._memory, self._device = memory, device
            if self._missing:
                self._show_missing()

    def selected(self) -> tuple[Entry, ...]:
        """The models of the selected rows."""
        rows = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        return tuple(self.sieve.entry(row) for row in rows)

    def folders_menu(self) -> QMenu:
        """The folders that are looked through, each to be shown or left out."""
        menu = QMenu(self)
        menu.addAction(tr("Add a folder"), self.folder_asked.emit)
        menu.addSeparator()
        for folder in self._shelf.folders:
            inner = menu.addMenu(str(folder))
            inner.addAction(tr("Show it"), partial(self.shown_in_folder.emit, folder))
            inner.addAction(tr("Leave it out"), partial(self._shelf.remove_folder, folder))
        return menu

    def _lay_out(self) -> None:
        self.field.setAccessibleName(tr("Search models"))
        self.kind.setAccessibleName(tr("Kind"))
        self.family.setAccessibleName(tr("Family"))
        self.source.setAccessibleName(tr("What to get"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        column.setSpacing(8)
        column.addWidget(self.notice)
        column.addWidget(self.missing)
        column.addLayout(_row(self.field, self.kind, self.family))
        held = QWidget()
        self._stack = QStackedLayout(held)
        self._stack.addWidget(self.table)
        self._stack.addWidget(self._empty)
        column.addWidget(held, 1)
        column.addLayout(_row(self.details))
        column.addWidget(self._bar)
        column.addLayout(_row(self.source, self.get))
        self.notice.setVisible(False)

    def _join(self) -> None:
        shelf = self._shelf
        shelf.changed.connect(self._show)
        shelf.told.connect(lambda said: self._say(said, ""))
        shelf.refused.connect(lambda said: self._say(said, "danger"))
        self.field.textChanged.connect(self._filter)
        self.kind.currentIndexChanged.connect(self._filter)
        self.family.currentIndexChanged.connect(self._filter)
        self.table.selectionModel().selectionChanged.connect(self._show_details)
        self.table.customContextMenuRequested.connect(self._menu)
        self.missing.acted.connect(self._get_missing)
        self.missing.opened.connect(self._look_for)
        self.get.clicked.connect(self._get)
        self.source.returnPressed.connect(self._get)
        self._empty.pressed.connect(self.folder_asked)

    def _say(self, sentence: str, kind: str) -> None:
        self.notice.say(sentence, kind=kind)
        self.notice.setVisible(bool(sentence))

    def _show(self) -> None:
        """What there is has changed."""
        chosen = {entry.path for entry in self.selected()}
        entries = self._shelf.entries
        self.table_model.put(entries)
        _fill(self.kind, tr("Every kind"), {kind_of(e): kind_words(kind_of(e)) for e in entries})
        families = sorted({family for entry in entries for family in families_of(entry)})
        _fill(self.family, tr("Every family"), {family: family for family in families})
        self._filter()
        self._select(chosen)
        self._show_missing()
        self._stack.setCurrentWidget(self.table if entries else self._empty)

    def _select(self, paths: set[Path]) -> None:
        flags = QItemSelectionModel.SelectionFlag
        for row in range(self.sieve.rowCount()):
            if self.sieve.entry(row).path in paths:
                place = self.sieve.index(row, 0)
                self.table.selectionModel().select(place, flags.Select | flags.Rows)

    def _show_missing(self) -> None:
        shelf = self._shelf
        found = missing_models(self._workflow, shelf.entries, shelf.shipped)
        self._missing = {f"{number} {each.need.name}": each for number, each in enumerate(found)}
        room = Room(shelf.free, self._memory or shelf.memory, self._device)
        cards = [missing_card(key, each, room) for key, each in self._missing.items()]
        self.missing.put(cards)
        rows = min(len(cards), MOST_MISSING)
        self.missing.setVisible(bool(cards))
        self.missing.setFixedHeight(rows * self.missing.row_height)

    def _filter(self) -> None:
        self.sieve.let_through(
            self.kind.currentData() or "", self.family.currentData() or "", self.field.text()
        )

    def _show_details(self) -> None:
        chosen = self.selected()
        lines = [f"{label}: {value}" for label, value in facts_of(chosen[0])] if chosen else []
        if len(chosen) > 1:
            size = bytes_words(sum(entry.size for entry in chosen))
            lines = [tr("{n} models, {size}", n=len(chosen), size=size)]
        self.details.setText("\n".join(lines))
        self.details.setVisible(bool(lines))

    def _menu(self, place: QPoint) -> None:
        chosen = self.selected()
        if not chosen:
            return
        menu = QMenu(self)
        menu.addAction(tr("Verify"), self._verify)
        path = chosen[0].path
        menu.addAction(tr("Show in its folder"), lambda: self.shown_in_folder.emit(path))
        names = "\n".join(entry.name for entry in chosen)
        menu.addAction(tr("Copy its name"), lambda: QGuiApplication.clipboard().setText(names))
        _pop(menu, self.table.viewport().mapToGlobal(place))

    def _folders(self) -> None:
        _pop(self.folders_menu(), self.mapToGlobal(QPoint(self.width() // 2, 0)))

    def _verify(self) -> None:
        chosen = self.selected()
        if chosen:
            self._shelf.verify(chosen)
        else:
            self._say(tr("Select the models that are to be verified."), "")

    def _get(self) -> None:
        source = self.source.text().strip()
        if source:
            self._shelf.get(source)
            self.source.clear()

    def _get_missing(self, key: str) -> None:
        """Get it, where the document says from where; else look for what would do instead."""
        missing = self._missing[key]
        if missing.source:
            self._shelf.get(missing.source)
        else:
            self._look_for(key)

    def _look_for(self, key: str) -> None:
        missing = self._missing[key]
        with QSignalBlocker(self.kind), QSignalBlocker(self.family):
            self.kind.setCurrentIndex(0)
            self.family.setCurrentIndex(0)
        name = missing.instead.entry.name if missing.instead else missing.need.name
        self.field.setText(name)
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)


class _WorkBar(QWidget):
    """What is under way, how far it is, and a button that gives it up."""

    def __init__(self, shelf: ModelShelf) -> None:
        super().__init__()
        self._words = QLabel()
        self._bar = QProgressBar(textVisible=False)
        self._bar.setAccessibleName(tr("Progress"))
        stop = QPushButton(tr("Give up"))
        stop.clicked.connect(shelf.cancel)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(self._words)
        column.addWidget(self._bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(8)
        row.addLayout(column, 1)
        row.addWidget(stop)
        self.setVisible(False)
        shelf.working.connect(self._show)

    def _show(self, work: Work | None) -> None:
        self.setVisible(work is not None)
        if work is not None:
            self._words.setText(work.words)
            self._bar.setRange(0, 1000 if work.share >= 0 else 0)
            self._bar.setValue(round(work.share * 1000))


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that are free: on the disk that models are got to, in memory, and in that of the GPU
    (0: not known, or there is none)."""

    disk: int
    memory: int = 0
    device: int = 0


def fit_words(size: int, room: Room) -> str:
    """Whether weights of so many bytes fit: ``12.9 GB of weights fit into 18.2 GB of free
    memory.`` Of two memories the larger counts, since weights may lie in either."""
    most = max(room.memory, room.device)
    if not size or not most:
        return ""
    said = tr("{size} of weights fit into {free} of free memory.") if size <= most else (
        tr("{size} of weights do not fit into {free} of free memory.")
    )  # fmt: skip
    return said.replace("{size}", bytes_words(size)).replace("{free}", bytes_words(most))


def missing_card(key: str, missing: Missing, room: Room) -> Card:
    """The card of a missing model: what to get, and whether there is room for it."""
    need = missing.need
    title = tr("{name} is missing.", name=need.name.rsplit("/", 1)[-1])
    fits = fit_words(need.size, room)
    if need.source and 0 < room.disk < need.size:
        fits = tr("{size} are to be got, and {free} are free on the disk.",
                  size=bytes_words(need.size), free=bytes_words(room.disk))  # fmt: skip
    if need.source and fits:
        said = fits
    elif need.source:
        said = tr("It is at {source}; {free} are free.", source=need.source,
                  free=bytes_words(room.disk))  # fmt: skip
    elif missing.instead is not None:
        said = tr("{name} would fit in its place.", name=missing.instead.entry.name)
    else:
        said = tr("The document does not say where it is from. Add the folder that holds it.")
    words = tr("Get it") if missing.source else tr("Find it")
    return Card(key, title, said, "triangle-alert", "warning", "text", act=Act(words),
                tip="\n".join(filter(None, (need.name, said, need.source))))  # fmt: skip


def _table(sieve: Sieve) -> QTableView:
    table = QTableView()
    table.setAccessibleName(tr("Models"))
    table.setModel(sieve)
    table.setSortingEnabled(True)
    table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTabKeyNavigation(False)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(28)
    head = table.horizontalHeader()
    head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    head.setHighlightSections(False)
    for column, width in enumerate((240, 110, 100, 80, 72)):
        table.setColumnWidth(column, width)
    head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return table


def _details() -> QLabel:
    label = QLabel(wordWrap=True)
    label.setVisible(False)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse
        | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return label


def _fill(box: QComboBox, every: str, rows: dict[str, str]) -> None:
    """Fill a filter, and keep what is chosen where it is still there."""
    wanted = [("", every), *sorted(rows.items(), key=lambda row: row[1])]
    now = [(box.itemData(number), box.itemText(number)) for number in range(box.count())]
    if wanted == now:
        return
    chosen = box.currentData()
    with QSignalBlocker(box):
        box.clear()
        for value, words in wanted:
            box.addItem(words, value)
        box.setCurrentIndex(max(0, box.findData(chosen)))


def _row(first: QWidget, *others: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(12, 0, 12, 0)
    row.setSpacing(8)
    row.addWidget(first, 1)
    for each in others:
        row.addWidget(each)
    return row


def _pop(menu: QMenu, place: QPoint) -> None:
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(place)
