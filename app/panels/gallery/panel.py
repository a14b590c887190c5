"""The gallery's panel: search, the grid, and what can be done with outputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QFileSystemWatcher,
    QItemSelection,
    QPoint,
    QSize,
    Qt,
    QTimer,
    QUrl,
    Signal,
)
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.panels.gallery.grid import CELL, PICTURE, CellPainter, Cells
from app.panels.gallery.outputs import Kept, Output, matches, outputs_in, words_in
from app.panels.gallery.thumbnails import Thumbnails
from app.panels.gallery.trash import Trashed, put_away, put_back
from app.panels.notice import Notice
from app.panels.tools import tool, tool_button
from app.theme.theme import Theme
from app.viewer.background import Background
from app.viewer.provenance import Told, read_told
from app.widgets.empty import Empty
from app.words import tr

if TYPE_CHECKING:
    from backend.media.apart import Decoder

_WATCHED = 200
"""Folders whose changes are heard of."""


class GalleryPanel(QWidget):
    """Shows what is in the output folder, newest first.

    Files are dragged out to use them; dropped in, they open their graph. Deleted ones go to the
    trash and can be put back as long as the panel is there.
    """

    looked = Signal(object)
    """The ``Path`` of the output that was picked, to be shown in the viewer."""
    open_graph = Signal(str, object)
    """The text of the workflow that a file carries, and the ``Path`` of the file."""
    said = Signal(str)
    """A sentence for the user."""

    def __init__(
        self,
        theme: Theme,
        folder: Path,
        kept: Path,
        decoder: Decoder,
        parent: QWidget | None = None,
    ) -> None:
        """``kept`` is the file that remembers what is kept; ``decoder`` makes the thumbnails, and
        whoever made it closes it."""
        super().__init__(parent)
        self._theme, self._folder = theme, folder
        self._kept = Kept(kept)
        self._background = Background(self)
        self._outputs: tuple[Output, ...] = ()
        self._words: dict[tuple[str, int], str] = {}
        self._undo: list[tuple[Trashed, ...]] = []
        self.thumbnails = Thumbnails(decoder, PICTURE * 2, self)
        self.cells = Cells(self._kept, self)
        self.setAccessibleName(tr("Gallery"))
        self.setAcceptDrops(True)
        self._make_grid()
        self._make_top()
        self._make_rest()
        self._watcher = QFileSystemWatcher(self)
        self._later = QTimer(self, singleShot=True, interval=250)
        self._later.timeout.connect(self.refresh)
        self._watcher.directoryChanged.connect(lambda _: self._later.start())
        self.refresh()

    # Parts

    def _make_grid(self) -> None:
        self.grid = QListView(self)
        self.grid.setModel(self.cells)
        self.grid.setItemDelegate(CellPainter(self._theme, self.thumbnails, self._kept, self.grid))
        self.grid.setViewMode(QListView.ViewMode.IconMode)
        self.grid.setGridSize(CELL + QSize(4, 4))
        self.grid.setUniformItemSizes(True)
        self.grid.setResizeMode(QListView.ResizeMode.Adjust)
        self.grid.setMovement(QListView.Movement.Static)
        self.grid.setDragEnabled(True)
        self.grid.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.grid.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.grid.setMouseTracking(True)
        self.grid.setAccessibleName(tr("Outputs"))
        self.grid.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.grid.customContextMenuRequested.connect(self._menu)
        self.grid.doubleClicked.connect(lambda _: self.open())
        self.grid.selectionModel().selectionChanged.connect(self._picked)
        self.thumbnails.ready.connect(self._repaint)
        self._theme.changed.connect(self.grid.viewport().update)

    def _make_top(self) -> None:
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(tr("Search names, prompts, seeds, models"))
        self.search.setAccessibleName(tr("Search outputs"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._search)
        add, theme = tool, self._theme
        self.only_kept = add(theme, self, "star", tr("Kept only"), self._filter)
        self.only_kept.setCheckable(True)
        self.look = add(theme, self, "eye", tr("Look at it"), self._look)
        self.graph = add(theme, self, "log-out", tr("Open its graph"), self.open, "Return")
        self.keep = add(theme, self, "star", tr("Keep"), self.toggle_kept, "K")
        self.delete = add(theme, self, "trash-2", tr("Move to trash"), self.remove, "Del")
        self.undo = add(theme, self, "undo-2", tr("Put back"), self.put_back, "Ctrl+Z")
        self.reveal = add(theme, self, "folder", tr("Open its folder"), self._reveal)
        self.copy = add(theme, self, "copy", tr("Copy its path"), self._copy)
        # Keys of letters belong to the grid, not to the field where words are typed.
        for action in (self.graph, self.keep, self.delete):
            self.removeAction(action)
            self.grid.addAction(action)
        self.count = QLabel(self)
        self.count.setProperty("role", "weak")

    def _make_rest(self) -> None:
        self.empty = Empty(
            self._theme, "image", tr("Nothing here yet."), tr("What a run saves is shown here.")
        )
        self.notice = Notice(self._theme, "trash-2", "", tr("Put back"))
        self.notice.pressed.connect(self.put_back)
        self.notice.hide()
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self.grid)
        self.pages.addWidget(self.empty)
        top = QHBoxLayout()
        top.setContentsMargins(12, 8, 12, 8)
        top.setSpacing(8)
        top.addWidget(self.search, 1)
        top.addWidget(tool_button(self.only_kept, self))
        top.addWidget(self.count)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.pages, 1)
        column.addWidget(self.notice)

    # What is shown

    @property
    def chosen(self) -> tuple[Output, ...]:
        """The outputs that are picked, in their order."""
        rows = sorted(index.row() for index in self.grid.selectionModel().selectedIndexes())
        return tuple(self.cells.outputs[row] for row in rows)

    def refresh(self) -> None:
        """Look again at what is in the folder."""
        folder = self._folder
        self._background.ask(lambda: outputs_in(folder), self._take)

    def set_folder(self, folder: Path) -> None:
        """Show another folder."""
        self._folder = folder
        self.refresh()

    def close_down(self) -> None:
        """Do no more work; before the panel is deleted."""
        self._later.stop()
        self._background.close()
        self.thumbnails.close()

    def _take(self, outputs: tuple[Output, ...]) -> None:
        self._outputs = outputs
        folders = {str(self._folder), *(str(each.path.parent) for each in outputs)}
        new = [each for each in sorted(folders)[:_WATCHED] if Path(each).is_dir()]
        new = [each for each in new if each not in self._watcher.directories()]
        if new:
            self._watcher.addPaths(new)
        self._search()

    def _search(self) -> None:
        if self.search.text().strip():
            self._learn()
        self._filter()

    def _learn(self) -> None:
        """Read what the files tell, for the search; each once."""
        unread = [each for each in self._outputs if (each.name, each.time_ns) not in self._words]
        if unread:
            self._background.ask(lambda: _read_words(unread), self._take_words)

    def _take_words(self, words: dict[tuple[str, int], str]) -> None:
        self._words.update(words)
        self._filter()

    def _filter(self) -> None:
        asked, only = self.search.text(), self.only_kept.isChecked()
        shown = [
            each
            for each in self._outputs
            if (not only or each.name in self._kept)
            and matches(asked, each.name.lower(), self._words.get((each.name, each.time_ns), ""))
        ]
        held = {each.name for each in self.chosen}
        self.cells.show(shown)
        self._choose(held)
        total = len(self._outputs)
        self.count.setText(str(total) if len(shown) == total else f"{len(shown)} / {total}")
        if not shown and self._outputs:
            self.empty.say(tr("Nothing fits."), tr("Search for other words, or for fewer."))
        elif not shown:
            self.empty.say(tr("Nothing here yet."), tr("What a run saves is shown here."))
        self.pages.setCurrentWidget(self.grid if shown else self.empty)

    def _choose(self, names: set[str]) -> None:
        model = self.grid.selectionModel()
        chosen = QItemSelection()
        for name in names:
            row = self.cells.row_of(name)
            if row >= 0:
                index = self.cells.index(row)
                chosen.select(index, index)
        if not chosen.isEmpty():
            model.select(chosen, model.SelectionFlag.ClearAndSelect)

    def _repaint(self, name: str) -> None:
        row = self.cells.row_of(name)
        if row >= 0:
            self.grid.update(self.cells.index(row))

    def _picked(self) -> None:
        if len(self.chosen) == 1 and self.chosen[0].is_picture:
            self._look()

    # What can be done

    def _look(self) -> None:
        if self.chosen:
            self.looked.emit(self.chosen[0].path)

    def open(self) -> None:
        """Open the graphs of what is picked."""
        self.open_files([each.path for each in self.chosen])

    def open_files(self, paths: Sequence[Path]) -> None:
        """Open the graphs that files carry; of one without, say so."""
        for path in paths:
            self._background.ask(
                partial(read_told, path), partial(self._opened, path), self._cannot
            )

    def _opened(self, path: Path, told: Told) -> None:
        if told.workflow:
            self.open_graph.emit(told.workflow, path)
        else:
            words = tr(
                "{name} carries no graph: another program wrote or changed it.", name=path.name
            )
            self.said.emit(words)

    def toggle_kept(self) -> None:
        """Keep what is picked, or where all of it is kept, no longer."""
        names = [each.name for each in self.chosen]
        if names:
            try:
                self._kept.mark(names, not all(name in self._kept for name in names))
            except OSError as error:
                self.said.emit(tr("This could not be noted: {why}.", why=error.strerror or error))
            self._filter()
            self.grid.viewport().update()

    def remove(self) -> None:
        """Move what is picked to the trash; what is kept stays."""
        chosen = self.chosen
        held = [each for each in chosen if each.name in self._kept]
        gone: list[Trashed] = []
        for each in chosen:
            if each in held:
                continue
            try:
                gone.append(put_away(each.path, self._folder))
            except OSError as error:
                why = error.strerror or str(error)
                self.said.emit(tr("{name} stays: {why}.", name=each.path.name, why=why))
        if len(held) == 1:
            name = held[0].path.name
            self.said.emit(tr("{name} is kept. Press K to keep it no longer.", name=name))
        elif held:
            words = tr("{n} kept files stay. Press K to keep them no longer.", n=len(held))
            self.said.emit(words)
        if gone:
            self._undo.append(tuple(gone))
            self._tell_gone(gone)
            self._take(tuple(each for each in self._outputs if each.path.exists()))

    def put_back(self) -> None:
        """Bring back what was deleted last."""
        if not self._undo:
            return
        for gone in self._undo.pop():
            try:
                put_back(gone)
            except OSError as error:
                why = error.strerror or str(error)
                name = gone.was.name
                self.said.emit(tr("{name} cannot be put back: {why}.", name=name, why=why))
        self.notice.setVisible(bool(self._undo))
        self.refresh()

    def _tell_gone(self, gone: Sequence[Trashed]) -> None:
        where = tr("the trash")
        if gone[0].is_own:
            where = tr(
                "the folder {folder}, as there is no trash here", folder=gone[0].lies.parent.name
            )
        what = gone[0].was.name if len(gone) == 1 else tr("{n} files", n=len(gone))
        verb = tr("{what} is in {where}.") if len(gone) == 1 else tr("{what} are in {where}.")
        self.notice.say(verb.replace("{what}", what).replace("{where}", where), tr("Put back"))
        self.notice.show()

    def _reveal(self) -> None:
        if self.chosen:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.chosen[0].path.parent)))

    def _copy(self) -> None:
        if self.chosen:
            paths = "\n".join(str(each.path) for each in self.chosen)
            QGuiApplication.clipboard().setText(paths)

    def _cannot(self, error: Exception) -> None:
        from backend.sdk import UserError

        if not isinstance(error, UserError):
            raise error
        self.said.emit(str(error))

    def _menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        for action in (self.look, self.graph, self.keep, None, self.reveal, self.copy, None,
                       self.delete, self.undo):  # fmt: skip
            if action is None:
                menu.addSeparator()
                continue
            action.setEnabled(bool(self._undo) if action is self.undo else bool(self.chosen))
            menu.addAction(action)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.aboutToHide.connect(self._allow)
        menu.popup(self.grid.viewport().mapToGlobal(at))

    def _allow(self) -> None:
        """Keys work whatever the menu offered."""
        for action in (self.look, self.graph, self.keep, self.delete, self.undo):
            action.setEnabled(True)

    # Files dropped in

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files of this machine may come."""
        if event.source() is not self.grid and _local(event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open their graphs."""
        self.open_files(_local(event.mimeData().urls()))
        event.acceptProposedAction()


def _local(urls: Sequence[QUrl]) -> list[Path]:
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]


def _read_words(outputs: Sequence[Output]) -> dict[tuple[str, int], str]:
    return {(each.name, each.time_ns): words_in(each.path) for each in outputs}
