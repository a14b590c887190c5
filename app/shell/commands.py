"""Everything that can be asked for by name: in menus, by keys, in the command palette."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from app.panels.settings.keys import Command, Shortcuts

Run = Callable[[], object]


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Deed:
    """What a command does, and whether it can be done now."""

    command: Command
    run: Run
    is_possible: Callable[[], bool] = _always
    icon: str = ""
    on_canvas: bool = False
    """Its keys count only while the canvas has the keyboard."""


class Commands(QObject):
    """All commands by their id. Each has one action, which menus and keys share."""

    did = Signal(str)
    """A command was given."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._deeds: dict[str, Deed] = {}
        self._actions: dict[str, QAction] = {}
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(lambda: self.refresh())

    def add(
        self,
        id: str,
        title: str,
        group: str,
        run: Run,
        keys: str = "",
        *,
        possible: Callable[[], bool] = _always,
        icon: str = "",
        on: QWidget | None = None,
    ) -> QAction:
        """Declare a command.

        Args:
            id: Such as ``run.start``.
            title: A verb and what it is done to, as menus show it.
            group: The menu it is in.
            run: Does it.
            keys: Its keys in Qt's portable text.
            possible: Whether it can be done now.
            icon: Of the set of icons.
            on: Only there do its keys count; else in the whole window.
        """
        action = QAction(title, self._window)
        action.setObjectName(id)
        if keys:
            action.setShortcut(QKeySequence(keys))
        if on is not None:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(lambda: self.do(id))
        (on or self._window).addAction(action)
        self._deeds[id] = Deed(Command(id, title, group, keys), run, possible, icon, on is not None)
        self._actions[id] = action
        return action

    def do(self, id: str) -> bool:
        """Give a command; whether it could be done.

        Raises:
            KeyError: there is no such command.
        """
        deed = self._deeds[id]
        if not deed.is_possible():
            return False
        deed.run()
        self.did.emit(id)
        return True

    def action(self, id: str) -> QAction:
        """The action of a command.

        Raises:
            KeyError: there is no such command.
        """
        return self._actions[id]

    def refresh(self, *ids: str) -> None:
        """Look again what can be done now, of all commands or only of these."""
        for id in ids or self._deeds:
            self._actions[id].setEnabled(self._deeds[id].is_possible())

    def refresh_edited(self) -> None:
        """The document is another one: look at once whether it can be undone, and soon at all."""
        self.refresh("edit.undo", "edit.redo")
        self._soon.start()

    @property
    def deeds(self) -> Mapping[str, Deed]:
        """All of them, in the order in which they were declared."""
        return self._deeds

    def all(self) -> tuple[Command, ...]:
        """What there is, for the editor of shortcuts."""
        return tuple(deed.command for deed in self._deeds.values())

    def set_keys(self, shortcuts: Shortcuts) -> None:
        """Give commands the keys that the user wants."""
        for id, action in self._actions.items():
            action.setShortcut(QKeySequence(shortcuts.keys(id)))
