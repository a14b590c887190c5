"""A pane: panels behind tabs, each made when it is first looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.theme.fonts import Role, write_in

Panel = TypeVar("Panel", bound=QWidget)
Panel_co = TypeVar("Panel_co", bound=QWidget, covariant=True)


class Tab(Generic[Panel_co]):
    """A tab of a pane: its panel, of a known type although its module may not be loaded yet."""

    def __init__(self, pane: Pane, title: str, make: Callable[[], Panel_co]) -> None:
        self._pane, self._title, self._make = pane, title, make
        self._made: Panel_co | None = None

    @property
    def made(self) -> Panel_co | None:
        """The panel, if it was ever needed."""
        return self._made

    def panel(self) -> Panel_co:
        """The panel, made if need be."""
        if self._made is None:
            self._made = self._make()
            self._pane.stack.addWidget(self._made)
        return self._made

    def show(self) -> Panel_co:
        """Turn to the tab; its panel."""
        self._pane.show_tab(self._title)
        return self.panel()


class Pane(QWidget):
    """Tabs 32 high over the panel that is shown, with that panel's tools at the right."""

    shown = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.bar = QTabBar(drawBase=False)
        self.bar.setExpanding(False)
        self.bar.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.bar.setAccessibleName(name)
        self.stack = QStackedWidget()
        self._begun = False
        self._tabs: dict[str, Tab[QWidget]] = {}
        self._tools = QHBoxLayout()
        self._tools.setSpacing(2)
        top = QHBoxLayout()
        top.setContentsMargins(4, 0, 8, 0)
        top.addWidget(self.bar)
        top.addStretch(1)
        self.note = QLabel()
        write_in(self.note, Role.CAPTION)
        self.note.setProperty("role", "weak")
        self.note.hide()
        top.addWidget(self.note)
        top.addSpacing(4)
        top.addLayout(self._tools)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.stack, 1)
        self.bar.currentChanged.connect(self._turn)
        self._notes: dict[str, str] = {}

    def begin(self) -> None:
        """Make the panel that is shown. Before that tabs are empty: a window is seen sooner where
        its panels are made behind the first picture of it."""
        self._begun = True
        self._turn(self.bar.currentIndex())

    def add(self, title: str, make: Callable[[], Panel]) -> Tab[Panel]:
        """One more tab; ``make`` gives its panel when it is first needed."""
        tab = Tab(self, title, make)
        self._tabs[title] = tab
        self.bar.addTab(title)
        return tab

    def panel(self, title: str) -> QWidget:
        """The panel of a tab, made if need be.

        Raises:
            KeyError: there is no such tab.
        """
        return self._tabs[title].panel()

    def made(self, title: str) -> QWidget | None:
        """The panel of a tab, if it was ever needed."""
        tab = self._tabs.get(title)
        return tab.made if tab is not None else None

    def show_tab(self, title: str) -> QWidget:
        """Turn to a tab; its panel.

        Raises:
            KeyError: there is no such tab.
        """
        self._begun = True
        panel = self.panel(title)
        self.bar.setCurrentIndex(list(self._tabs).index(title))
        self._turn(self.bar.currentIndex())
        return panel

    @property
    def current(self) -> str:
        """The tab that is shown."""
        titles = list(self._tabs)
        return titles[self.bar.currentIndex()] if titles else ""

    def set_badge(self, title: str, text: str) -> None:
        """Put a figure behind the title of a tab, or none."""
        index = list(self._tabs).index(title)
        self.bar.setTabText(index, f"{title}  {text}" if text else title)
        self.bar.updateGeometry()

    def set_note(self, title: str, text: str) -> None:
        """Put a few words beside the tools of a tab, or none."""
        self._notes[title] = text
        if title == self.current:
            self._show_note(title)

    def _turn(self, index: int) -> None:
        shown = self._begun and self.isVisibleTo(self.window())
        if not shown or not 0 <= index < len(self._tabs):
            return
        title = list(self._tabs)[index]
        panel = self.panel(title)
        self.stack.setCurrentWidget(panel)
        self._show_tools(panel)
        self._show_note(title)
        self.bar.updateGeometry()  # the tab that is shown is bold, so all of them are wider now
        self.shown.emit(title)

    def _show_note(self, title: str) -> None:
        said = self._notes.get(title, "")
        self.note.setText(said)
        self.note.setVisible(bool(said))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._turn(self.bar.currentIndex())

    def _show_tools(self, panel: QWidget) -> None:
        while (item := self._tools.takeAt(0)) is not None:
            held = item.widget()
            if held is not None:
                held.hide()
                held.deleteLater()
        found: object = getattr(panel, "tools", ())
        for action in found if isinstance(found, tuple) else ():
            if isinstance(action, QAction):
                button = QToolButton(self)
                button.setDefaultAction(action)
                button.setAutoRaise(True)
                button.setAccessibleName(action.text())
                self._tools.addWidget(button)
