"""The log panel: entries of the log and lines of the engine, filtered, followed and copied."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.panels.errands import Errands
from app.panels.log.reading import Entry, entries_of, newest, stamp
from app.panels.tools import tool
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.empty import Empty
from app.words import tr
from backend.logs import Log

PACE = 1000
"""Milliseconds between two looks at the log, while it is seen."""
MOST_LINES = 4000
"""Lines of the engine that are kept."""


class LogPanel(QWidget):
    """The log of all processes, and what the engine prints.

    ``folder_wanted`` carries the folder of the log, to be shown.
    """

    folder_wanted = Signal(object)

    def __init__(self, theme: Theme, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._log = Log(folder, 2**20, 0)
        self._errands = Errands("weft-log", (OSError,), self)
        self._stamp: tuple[tuple[str, int, int], ...] = ()
        self._logged: tuple[Entry, ...] = ()
        self._printed: deque[Entry] = deque(maxlen=MOST_LINES)
        self._shown: list[Entry] = []
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Filter"))
        self.field.setAccessibleName(tr("Filter the log"))
        self.field.setClearButtonEnabled(True)
        self.source = QComboBox()
        self.source.setAccessibleName(tr("Which lines"))
        for words, value in ((tr("All"), ""), (tr("Log"), "log"), (tr("Engine"), "engine")):
            self.source.addItem(words, value)
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setAccessibleName(tr("Log"))
        write_in(self.text, Role.CODE)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setTabChangesFocus(True)
        self._empty = Empty(theme, "check", "")
        self._timer = QTimer(self, interval=PACE)
        self._timer.timeout.connect(self.refresh)
        self._tools = (
            tool(theme, self, "search", tr("Filter"), self._to_field, "Ctrl+F"),
            tool(theme, self, "copy", tr("Copy what is shown"), self.copy),
            tool(theme, self, "folder", tr("Open the folder of the log"),
                 lambda: self.folder_wanted.emit(folder)),
        )  # fmt: skip
        self._lay_out()
        self.field.textChanged.connect(self._filter)
        self.source.currentIndexChanged.connect(self._filter)
        self._filter()

    @property
    def tools(self) -> tuple[QAction, ...]:
        """What stands in the title bar of its dock."""
        return self._tools

    def add_output(self, text: str) -> None:
        """Take in what the engine's process printed."""
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        self._printed.extend(Entry(when, 0, line, "engine") for line in text.splitlines())
        self._filter()

    def refresh(self) -> None:
        """Look at the files again, in a thread; nothing is read where nothing has changed."""
        if self._errands.waiting:
            return
        known = self._stamp

        def look() -> tuple[tuple[tuple[str, int, int], ...], tuple[Entry, ...] | None]:
            files = self._log.files()
            now = stamp(files)
            return now, None if now == known else entries_of(newest(files))

        def seen(found: tuple[tuple[tuple[str, int, int], ...], tuple[Entry, ...] | None]) -> None:
            self._stamp, entries = found
            if entries is not None:
                self._logged = entries
                self._filter()

        self._errands.do(look, seen)

    def copy(self) -> None:
        """Copy what is shown, as text."""
        QGuiApplication.clipboard().setText(self.text.toPlainText())

    def close_files(self) -> None:
        """Read no more; at the end of the program."""
        self._timer.stop()
        self._errands.close()

    def showEvent(self, event: QShowEvent) -> None:
        """Looked at: the log is followed."""
        self.refresh()
        self._timer.start()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Not seen: nothing is read."""
        self._timer.stop()
        super().hideEvent(event)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(self.field, 1)
        row.addWidget(self.source)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        held = QWidget()
        self._stack = QStackedLayout(held)
        self._stack.addWidget(self.text)
        self._stack.addWidget(self._empty)
        column.addWidget(held, 1)

    def _filter(self) -> None:
        """Show what the filter lets through; what only came at the end is added there."""
        words = self.field.text().casefold().split()
        source = self.source.currentData()
        both = sorted([*self._logged, *self._printed], key=lambda entry: entry.when)
        wanted = [e for e in both if source in ("", e.source) and e.holds(words)]
        self._put(wanted)
        if self.field.text().strip():
            self._empty.say(tr("No line holds these words."), tr("Try fewer of them."))
        else:
            self._empty.say(tr("The log is empty."), tr("What goes wrong is written down here."))
        self._stack.setCurrentWidget(self.text if wanted else self._empty)

    def _put(self, wanted: list[Entry]) -> None:
        bar = self.text.verticalScrollBar()
        follows = bar.value() >= bar.maximum() - 4
        count = len(self._shown)
        if wanted[:count] == self._shown and count:
            if wanted[count:]:
                self.text.appendPlainText(_text(wanted[count:]))
        else:
            self.text.setPlainText(_text(wanted))
        self._shown = wanted
        if follows:
            bar.setValue(bar.maximum())

    def _to_field(self) -> None:
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()


def _text(entries: Sequence[Entry]) -> str:
    return "\n".join(entry.shown for entry in entries)
