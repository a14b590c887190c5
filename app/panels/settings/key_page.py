"""The page of the keys: every command with its keys, changed by pressing others."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.panels.settings.desk import SettingsDesk
from app.panels.settings.keys import Command, Shortcuts
from app.theme.fonts import Role, font
from app.words import tr

KEY = "studio.shortcuts"


class KeyPage(QWidget):
    """All commands by menu. ``changed`` carries the ``Shortcuts`` after a change."""

    changed = Signal(object)

    def __init__(
        self, desk: SettingsDesk, commands: Sequence[Command], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self.shortcuts = Shortcuts.read(commands, desk.value(KEY))
        self._rows: dict[str, QTreeWidgetItem] = {}
        self.tree = _tree()
        self.edit = QKeySequenceEdit()
        self.edit.setMaximumSequenceLength(1)
        self.edit.setAccessibleName(tr("New keys"))
        for line in self.edit.findChildren(QLineEdit):
            line.setAccessibleName(tr("New keys"))
        self.edit.keySequenceChanged.connect(self._typed)
        self.edit.installEventFilter(self)
        self.told = QLabel(wordWrap=True)
        self.told.setProperty("role", "weak")
        self.take = QPushButton(tr("Use these keys"))
        self.none = QPushButton(tr("No keys"))
        self.back = QPushButton(tr("As Weft has it"))
        self.all_back = QPushButton(tr("All as Weft has them"))
        self.take.clicked.connect(lambda: self._set(self._pressed()))
        self.none.clicked.connect(lambda: self._set(""))
        self.back.clicked.connect(lambda: self._keep(self.shortcuts.reset(self.chosen)))
        self.all_back.clicked.connect(lambda: self._keep(self.shortcuts.without_changes()))
        self.tree.currentItemChanged.connect(self._choose)
        self._lay_out()
        self._fill()
        desk.changed.connect(self._settled)

    @property
    def chosen(self) -> str:
        """The id of the chosen command, or empty."""
        item = self.tree.currentItem()
        return str(item.data(0, Qt.ItemDataRole.UserRole) or "") if item is not None else ""

    def choose(self, command: str) -> None:
        """Make a command the chosen one."""
        self.tree.setCurrentItem(self._rows[command])

    def show_words(self, words: list[str]) -> None:
        """Show only commands that hold all these words, in small letters."""
        for command in self.shortcuts.commands:
            text = f"{command.title} {command.group} {self.shortcuts.keys(command.id)}".casefold()
            self._rows[command.id].setHidden(not all(word in text for word in words))
        for number in range(self.tree.topLevelItemCount()):
            group = self.tree.topLevelItem(number)
            if group is not None:
                title = group.text(0)
                rows = [self._rows[c.id] for c in self.shortcuts.commands if c.group == title]
                group.setHidden(all(row.isHidden() for row in rows))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.tree, 1)
        row = QHBoxLayout()
        row.setSpacing(8)
        for part in (self.edit, self.take, self.none, self.back):
            row.addWidget(part, 1 if part is self.edit else 0)
        column.addLayout(row)
        below = QHBoxLayout()
        below.addWidget(self.told, 1)
        below.addWidget(self.all_back)
        column.addLayout(below)

    def _fill(self) -> None:
        groups: dict[str, QTreeWidgetItem] = {}
        for command in self.shortcuts.commands:
            if command.group not in groups:
                groups[command.group] = group = QTreeWidgetItem(self.tree, [command.group])
                group.setFlags(Qt.ItemFlag.ItemIsEnabled)
                group.setFont(0, font(Role.ACTIVE))
                group.setExpanded(True)
            row = QTreeWidgetItem(groups[command.group], [command.title, ""])
            row.setData(0, Qt.ItemDataRole.UserRole, command.id)
            self._rows[command.id] = row
        self._show()

    def _show(self) -> None:
        for command in self.shortcuts.commands:
            row, keys = self._rows[command.id], self.shortcuts.keys(command.id)
            shown = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
            row.setText(1, shown)
            changed = self.shortcuts.is_changed(command.id)
            row.setFont(1, font(Role.ACTIVE if changed else Role.BODY))
            words = tr("{title}, {keys}", title=command.title, keys=shown or tr("no keys"))
            row.setData(0, Qt.ItemDataRole.AccessibleTextRole, words)
        self._choose()

    def _choose(self) -> None:
        chosen = self.chosen
        self.edit.setEnabled(bool(chosen))
        self.none.setEnabled(bool(chosen and self.shortcuts.keys(chosen)))
        self.back.setEnabled(bool(chosen) and self.shortcuts.is_changed(chosen))
        self.all_back.setEnabled(bool(self.shortcuts.changes))
        self.edit.setKeySequence(QKeySequence(self.shortcuts.keys(chosen) if chosen else ""))
        self._typed()

    def _typed(self) -> None:
        """Say who has these keys now."""
        keys = self._pressed()
        others = [c.title for c in self.shortcuts.users(keys) if c.id != self.chosen]
        new = bool(self.chosen) and bool(keys) and keys != self.shortcuts.keys(self.chosen)
        self.take.setEnabled(new)
        if others and new:
            self.told.setText(tr("{keys} is {other} now, which will have none then.",
                                 keys=keys, other=others[0]))  # fmt: skip
        elif self.chosen:
            self.told.setText(tr("Press the new keys in the field. Tab leaves it."))
        else:
            self.told.setText(tr("Choose a command to change its keys."))

    def _pressed(self) -> str:
        return self.edit.keySequence().toString(QKeySequence.SequenceFormat.PortableText)

    def _set(self, keys: str) -> None:
        self._keep(self.shortcuts.with_keys(self.chosen, keys))

    def _keep(self, shortcuts: Shortcuts) -> None:
        written = shortcuts.written()
        said = self._desk.put(KEY, list(written)) if written else self._desk.reset(KEY)
        if said:
            self.told.setText(said)

    def _settled(self, key: str) -> None:
        if key == KEY:
            commands = self.shortcuts.commands
            self.shortcuts = Shortcuts.read(commands, self._desk.value(KEY))
            self._show()
            self.changed.emit(self.shortcuts)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tab leaves the field, rather than be taken for the new keys."""
        pressed = event.type() == QEvent.Type.KeyPress and watched is self.edit
        if pressed and isinstance(event, QKeyEvent):
            key = event.key()
            if key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
                self.focusNextPrevChild(key == Qt.Key.Key_Tab)
                return True
        return super().eventFilter(watched, event)


def _tree() -> QTreeWidget:
    tree = QTreeWidget()
    tree.setAccessibleName(tr("Commands and their keys"))
    tree.setColumnCount(2)
    tree.setHeaderLabels([tr("Command"), tr("Keys")])
    tree.setRootIsDecorated(False)
    tree.setIndentation(12)
    tree.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    tree.header().setStretchLastSection(False)
    tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    tree.header().resizeSection(1, 160)
    return tree
