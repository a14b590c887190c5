"""A pane: panels behind tabs, each made when it is first looked at."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
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

Make = Callable[[], QWidget]


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
        self._makers: dict[str, Make] = {}
        self._panels: dict[str, QWidget] = {}
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

    def add(self, title: str, make: Make) -> None:
        """One more tab; ``make`` gives its panel when it is first shown."""
        self._makers[title] = make
        self.bar.addTab(title)

    def panel(self, title: str) -> QWidget:
        """The panel of a tab, made if need be.

        Raises:
            KeyError: there is no such tab.
        """
        if title not in self._panels:
            panel = self._makers[title]()
            self._panels[title] = panel
            self.stack.addWidget(panel)
        return self._panels[title]

    def made(self, title: str) -> QWidget | None:
        """The panel of a tab, if it was ever shown."""
        return self._panels.get(title)

    def show_tab(self, title: str) -> QWidget:
        """Turn to a tab; its panel.

        Raises:
            KeyError: there is no such tab.
        """
        self._begun = True
        panel = self.panel(title)
        self.bar.setCurrentIndex(list(self._makers).index(title))
        self._turn(self.bar.currentIndex())
        return panel

    @property
    def current(self) -> str:
        """The tab that is shown."""
        titles = list(self._makers)
        return titles[self.bar.currentIndex()] if titles else ""

    def set_badge(self, title: str, text: str) -> None:
        """Put a figure behind the title of a tab, or none."""
        index = list(self._makers).index(title)
        self.bar.setTabText(index, f"{title}  {text}" if text else title)
        self.bar.updateGeometry()

    def set_note(self, title: str, text: str) -> None:
        """Put a few words beside the tools of a tab, or none."""
        self._notes[title] = text
        if title == self.current:
            self._show_note(title)

    def _turn(self, index: int) -> None:
        shown = self._begun and self.isVisibleTo(self.window())
        if not shown or not 0 <= index < len(self._makers):
            return
        title = list(self._makers)[index]
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

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
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
