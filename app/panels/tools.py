"""Small things that all panels share: their actions, their menus, words for figures."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QToolButton, QWidget

from app.theme.theme import Theme
from app.words import tr


def tool(
    theme: Theme, owner: QWidget, icon: str, words: str, act: Callable[[], object], keys: str = ""
) -> QAction:
    """An action with an icon of the theme; ``keys`` work while its panel has the keyboard."""
    action = QAction(words, owner)
    action.triggered.connect(lambda _checked=False: act())
    if keys:
        action.setShortcut(QKeySequence(keys))
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.setToolTip(f"{words} ({keys})")
    owner.addAction(action)
    dress_tool(theme, action, icon)
    theme.changed.connect(lambda: dress_tool(theme, action))
    return action


def dress_tool(theme: Theme, action: QAction, icon: str = "") -> None:
    """Give an action its icon, in the colours of now; without one, that which it has."""
    name = icon or str(action.property("glyph"))
    action.setProperty("glyph", name)
    action.setIcon(theme.qicon(name, 16))


def tool_button(action: QAction, parent: QWidget | None = None) -> QToolButton:
    """A button for an action, named for screen readers."""
    button = QToolButton(parent)
    button.setDefaultAction(action)
    button.setAccessibleName(action.text())
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def bytes_words(count: float) -> str:
    """Bytes as people say them: ``640 MB``, ``23.8 GB`` (powers of 1024, as in the meters)."""
    if count >= 2**30:
        return f"{count / 2**30:.1f} GB"
    if count >= 2**20:
        return f"{count / 2**20:.0f} MB"
    return f"{count / 2**10:.0f} kB"


def when_words(moment: float, now: float | None = None) -> str:
    """A moment (seconds since 1970) as people say it: the time today, else with the day."""
    then, today = time.localtime(moment), time.localtime(time.time() if now is None else now)
    clock = time.strftime("%H:%M", then)
    if then[:3] == today[:3]:
        return tr("today {clock}", clock=clock)
    return f"{time.strftime('%Y-%m-%d', then)} {clock}"
