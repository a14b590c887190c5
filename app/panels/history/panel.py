"""The history panel: a search field over the jobs that have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QLineEdit, QMenu, QStackedLayout, QVBoxLayout, QWidget

from app.panels.queue.cards import job_title
from app.panels.tools import tool, when_words
from app.run.words import view_of
from app.theme.theme import Theme
from app.widgets.card import Card
from app.widgets.card_list import CardList
from app.widgets.empty import Empty
from app.words import tr
from backend.engine.queue.history import Past, search
from backend.engine.queue.store import Queue

PAGE = 100
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


class Archive(Protocol):
    """Who has the queue open in a thread; ``app.run.room.EngineRoom`` does."""

    def ask(self, act: Callable[[Queue], object], then: Callable[[Any], object] = ...) -> None: ...
    def retry(self, job: int) -> None: ...


Pictures = Callable[[Path, Callable[[bytes], None]], None]
"""Makes a small JPEG of a file and gives it to a listener, sooner or later, or never."""


class HistoryPanel(QWidget):
    """Jobs that have ended, the last first.

    ``graph_wanted`` names a job whose graph is to be opened, ``files_wanted`` the files that are
    to be shown.
    """

    graph_wanted = Signal(int)
    files_wanted = Signal(object)

    def __init__(
        self, theme: Theme, archive: Archive, pictures: Pictures | None = None,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._archive, self._pictures = archive, pictures
        self._most = PAGE
        self._asked = 0
        self._pasts: dict[str, Past] = {}
        self._thumbnails: dict[str, bytes] = {}
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Search prompts, names, seeds, dates"))
        self.field.setAccessibleName(tr("Search the history"))
        self.field.setClearButtonEnabled(True)
        self.list = CardList(theme, tr("History of jobs"))
        self._empty = Empty(theme, "history", "")
        self._wait = QTimer(self, singleShot=True, interval=120)
        self._wait.timeout.connect(self.refresh)
        self.field.textChanged.connect(self._typed)
        self.list.opened.connect(lambda key: self.graph_wanted.emit(int(key)))
        self.list.menu_wanted.connect(self._menu)
        self.list.verticalScrollBar().valueChanged.connect(self._scrolled)
        self._find = tool(theme, self, "search", tr("Search"), self._to_field, "Ctrl+F")
        self._lay_out()
        self._show(())

    @property
    def tools(self) -> tuple[QAction, ...]:
        """What stands in the title bar of its dock."""
        return (self._find,)

    def refresh(self) -> None:
        """Look again, as when a job has ended."""
        self._asked += 1
        number = self._asked

        def arrived(found: tuple[Past, ...]) -> None:
            if number == self._asked:  # else the words are others by now
                self._show(found)

        words, most = self.field.text().split(), self._most
        self._archive.ask(lambda queue: tuple(search(queue, words, most)), arrived)

    def menu_of(self, key: str) -> QMenu:
        """The context menu of a job; it deletes itself when it closes."""
        past, number = self._pasts[key], int(key)
        menu = QMenu(self)
        menu.addAction(tr("Open its graph"), lambda: self.graph_wanted.emit(number))
        if past.ending.outputs:
            menu.addAction(tr("Show its files"), lambda: self.files_wanted.emit(files_of(past)))
        if past.job.state in ("failed", "cancelled"):
            menu.addAction(tr("Run again"), lambda: self._archive.retry(number))
        if past.job.seeds:
            seeds = ", ".join(str(seed) for seed in dict.fromkeys(past.job.seeds.values()))
            menu.addAction(
                tr("Copy seed {seeds}", seeds=seeds),
                lambda: QGuiApplication.clipboard().setText(seeds),
            )
        return menu

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        above = QVBoxLayout()
        above.setContentsMargins(12, 0, 12, 0)
        above.addWidget(self.field)
        column.addLayout(above)
        held = QWidget()
        self._stack = QStackedLayout(held)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        column.addWidget(held, 1)

    def _typed(self) -> None:
        self._most = PAGE
        self._wait.start()

    def _scrolled(self, value: int) -> None:
        """Near the end of the list, more of it is asked for."""
        bar = self.list.verticalScrollBar()
        if value > bar.maximum() - 200 and len(self._pasts) >= self._most:
            self._most += PAGE
            self.refresh()

    def _show(self, found: Sequence[Past]) -> None:
        self._pasts = {str(past.job.id): past for past in found}
        self.list.put([self._card(key, past) for key, past in self._pasts.items()])
        if self.field.text().strip():
            self._empty.say(tr("Nothing holds these words."), tr("Try fewer of them."))
        else:
            self._empty.say(tr("Nothing has run yet."), tr("What runs is kept here."))
        self._stack.setCurrentWidget(self.list if self._pasts else self._empty)

    def _card(self, key: str, past: Past) -> Card:
        if key not in self._thumbnails and self._pictures is not None:
            first = next((f for f in files_of(past) if f.suffix.lower() in _PICTURES), None)
            if first is not None:
                self._thumbnails[key] = b""
                self._pictures(first, lambda jpeg: self._pictured(key, jpeg))
        return past_card(past, self._thumbnails.get(key, b""))

    def _pictured(self, key: str, jpeg: bytes) -> None:
        self._thumbnails[key] = jpeg
        row = self.list.cards.row_of(key)
        if row >= 0:
            cards = list(self.list.cards.cards)
            cards[row] = past_card(self._pasts[key], jpeg)
            self.list.put(cards)

    def _to_field(self) -> None:
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    def _menu(self, key: str, place: QPoint) -> None:
        menu = self.menu_of(key)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(place)


def files_of(past: Past) -> tuple[Path, ...]:
    """The files that a job saved, absolute."""
    return tuple(Path(past.job.output) / saved.path for saved in past.ending.outputs)


def past_card(past: Past, picture: bytes = b"") -> Card:
    """The card of a job that has ended."""
    job, ending = past.job, past.ending
    said = ending.sentence if job.state == "failed" else view_of(job, ending).sentence
    icon, token = {
        "done": ("check", "success"), "failed": ("circle-alert", "danger"),
    }.get(job.state, ("circle-x", "weak"))  # fmt: skip
    title = " · ".join(part for part in (job_title(job.id, job.seeds), job.title) if part)
    sentence = f"{when_words(job.ended)} · {said}"
    return Card(
        key=str(job.id), title=title, sentence=sentence, icon="image",
        token="weak", picture=picture, framed=True, mark=icon, mark_token=token,
        tip=ending.sentence,
    )  # fmt: skip
