"""The settings window: pages at the left, rows at the right, one search over all of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.panels.notice import Notice
from app.panels.settings.desk import SettingsDesk
from app.panels.settings.key_page import KEY, KeyPage
from app.panels.settings.keys import Command
from app.panels.settings.rows import SettingRow
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.words import tr

PAGES = (
    ("studio", "Look", "palette", ("studio",)), ("keys", "Keys", "keyboard", ()),
    ("folders", "Folders", "folder", ("folders", "models")),
    ("engine", "Engine", "cpu", ("run", "host", "queue")),
    ("cache", "Memory and cache", "memory-stick", ("cache",)),
    ("outputs", "Outputs and log", "save", ("provenance", "logs")),
)  # fmt: skip
"""Each page: its id, title, icon and the sections of the settings file that it shows."""


class SettingsWindow(QDialog):
    """Everything that can be set. A change holds at once, and ``changed`` carries its key."""

    changed = Signal(str)

    def __init__(
        self, theme: Theme, desk: SettingsDesk, commands: Sequence[Command],
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setWindowTitle(tr("Settings"))
        self._theme, self._desk = theme, desk
        self.rows: dict[str, SettingRow] = {}
        self.field = QLineEdit(placeholderText=tr("Search settings"), clearButtonEnabled=True)
        self.field.setAccessibleName(tr("Search settings"))
        self.pages = QListWidget()
        self.pages.setAccessibleName(tr("Pages"))
        self.stack = QStackedWidget()
        self.keys = KeyPage(desk, commands)
        self.trouble = Notice(theme, "triangle-alert", desk.trouble, kind="danger")
        self.trouble.setVisible(bool(desk.trouble))
        for name, title, icon, sections in PAGES:
            item = QListWidgetItem(theme.qicon(icon), tr(title), self.pages)
            item.setSizeHint(QSize(0, 32))
            self.stack.addWidget(self._page(name, tr(title), sections))
        self.pages.currentRowChanged.connect(self.stack.setCurrentIndex)
        self.pages.setCurrentRow(0)
        self.field.textChanged.connect(self._search)
        QShortcut(QKeySequence.StandardKey.Find, self, self.field.setFocus)
        desk.changed.connect(self.changed)
        theme.changed.connect(self._dress)
        self._lay_out()
        self._dress()

    def open_page(self, name: str) -> None:
        """Show a page by its id."""
        self.pages.setCurrentRow([page[0] for page in PAGES].index(name))

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(8)
        left.addWidget(self.field)
        left.addWidget(self.pages, 1)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(self.trouble)
        right.addWidget(self.stack, 1)
        place = QLabel(tr("Kept in {file}", file=self._desk.file))
        place.setProperty("role", "weak")
        place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        right.addWidget(place)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 16, 16, 16)
        row.setSpacing(24)
        row.addLayout(left)
        row.addLayout(right, 1)

    def _page(self, name: str, title: str, sections: tuple[str, ...]) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(4)
        head = QLabel(title)
        write_in(head, Role.SUBJECT)
        head.setProperty("role", "strong")
        column.addWidget(head)
        column.addSpacing(8)
        if name == "keys":
            column.addWidget(self.keys, 1)
            return page
        for key, one in self._desk.declared().items():
            if key.partition(".")[0] in sections and key != KEY:
                self.rows[key] = row = SettingRow(self._theme, self._desk, one)
                column.addWidget(row)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(page)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return area

    def _search(self, text: str) -> None:
        """Rows that do not hold the words are hidden, and pages that have none left."""
        words = text.casefold().split()
        for row in self.rows.values():
            row.setVisible(row.holds(words))
        self.keys.show_words(words)
        left = [number for number in range(len(PAGES)) if self._has(number, words)]
        for number in range(len(PAGES)):
            self.pages.item(number).setHidden(bool(words) and number not in left)
        if left and words and self.pages.currentRow() not in left:
            self.pages.setCurrentRow(left[0])

    def _has(self, number: int, words: list[str]) -> bool:
        name, _, _, sections = PAGES[number]
        if name == "keys":
            commands = self.keys.shortcuts.commands
            return any(all(w in f"{c.title} {c.group}".casefold() for w in words) for c in commands)
        rows = (row for key, row in self.rows.items() if key.partition(".")[0] in sections)
        return any(row.holds(words) for row in rows)

    def _dress(self) -> None:
        tall = self._theme.measures.tall
        self.pages.setFixedWidth(tall(184))
        self.resize(max(self.width(), tall(840)), max(self.height(), tall(560)))
        for number, (_, _, icon, _) in enumerate(PAGES):
            self.pages.item(number).setIcon(self._theme.qicon(icon))
