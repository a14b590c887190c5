"""The bars of the window: menus and running at the top, documents, and tools over the canvas."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenuBar,
    QPushButton,
    QSpinBox,
    QTabBar,
    QToolButton,
    QWidget,
)

from app.open_document import OpenDocument
from app.run.meters import Memory
from app.shell.commands import Commands
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.meter import Meter
from app.words import tr


class AppBar(QWidget):
    """40 high: the name, menus, meters, how often to run, Run and Cancel."""

    def __init__(self, theme: Theme, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        name = QLabel("Weft")
        write_in(name, Role.SUBJECT)
        name.setProperty("role", "strong")
        self._mark = QLabel()
        self.menus = QMenuBar()
        self.menus.setNativeMenuBar(False)
        self.gpu = Meter(theme, tr("GPU"), tr("Memory of the GPU"))
        self.ram = Meter(theme, tr("RAM"), tr("Memory of the machine"))
        self.count = QSpinBox(minimum=1, maximum=10_000, value=1)
        self.count.setProperty("bare", True)
        self.count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.count.setToolTip(tr("How many runs, each with its own seed (Up and Down change it)"))
        self.count.setAccessibleName(tr("How many runs"))
        self.count.lineEdit().setAccessibleName(tr("How many runs"))
        words = QLabel(tr("Count"))
        words.setProperty("role", "weak")
        words.setBuddy(self.count)
        self.run = QPushButton(" " + tr("Run") + "  Ctrl ↵")
        self.run.setProperty("kind", "primary")
        self.run.clicked.connect(lambda: commands.do("run.start"))
        self.run.setToolTip(tr("Runs the graph (Ctrl + Enter)"))
        self.cancel = QPushButton(" " + tr("Cancel"))
        self.cancel.setToolTip(tr("Cancels the job that runs (Ctrl + Alt + C)"))
        self.cancel.clicked.connect(lambda: commands.do("run.cancel"))
        self.cancel.setEnabled(False)
        self.palette_button = QToolButton()
        self.palette_button.setAccessibleName(tr("Commands"))
        self.palette_button.setToolTip(tr("Commands (Ctrl + Shift + P)"))
        self.palette_button.clicked.connect(lambda: commands.do("view.commands"))
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(8)
        left: tuple[QWidget, ...] = (self._mark, name, self.menus)
        for widget in left:
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        for widget in (self.gpu, self.ram, words, self.count, self.run, self.cancel):
            row.addWidget(widget)
        row.addWidget(self.palette_button)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        theme = self._theme
        tall = theme.measures.tall
        self.setFixedHeight(tall(40))
        self.menus.setFixedHeight(tall(28))
        self.count.setFixedWidth(tall(56))
        self._mark.setPixmap(theme.pixmap("waypoints", 16, "accent", self.devicePixelRatioF()))
        self.run.setIcon(theme.qicon("play", 14, "onfill"))
        self.cancel.setIcon(theme.qicon("square", 14))
        self.palette_button.setIcon(theme.qicon("command", 16))

    def show_memory(self, memory: Memory) -> None:
        """Show how much memory is used."""
        self.ram.show_bytes(memory.used, memory.total)
        self.gpu.show_bytes(memory.device_used, memory.device_total)


class DocumentBar(QWidget):
    """32 high: a tab for each document, the way into a subgraph, and what is known of the graph."""

    wanted = Signal(object)
    close_wanted = Signal(object)
    new_wanted = Signal()
    level_wanted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._documents: list[OpenDocument] = []
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.tabs = QTabBar(drawBase=False, movable=False, tabsClosable=False)
        self.tabs.setExpanding(False)
        self.tabs.setUsesScrollButtons(True)
        self.tabs.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.tabs.setAccessibleName(tr("Open documents"))
        self.add = QToolButton()
        self.add.setAccessibleName(tr("New graph"))
        self.add.setToolTip(tr("New graph (Ctrl + N)"))
        self.add.clicked.connect(self.new_wanted)
        self.crumbs = QHBoxLayout()
        self.crumbs.setSpacing(2)
        self.words = QLabel()
        write_in(self.words, Role.CAPTION)
        self.words.setProperty("role", "weak")
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 12, 0)
        row.setSpacing(4)
        row.addWidget(self.tabs)
        row.addWidget(self.add)
        row.addLayout(self.crumbs)
        row.addStretch(1)
        row.addWidget(self.words)
        self.tabs.currentChanged.connect(self._turned)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        self.setFixedHeight(self._theme.measures.tall(32))
        self.add.setIcon(self._theme.qicon("plus", 16))
        for index in range(self.tabs.count()):
            button = self.tabs.tabButton(index, QTabBar.ButtonPosition.RightSide)
            if isinstance(button, QToolButton):
                button.setIcon(self._theme.qicon("x", 12, "weak"))

    def put(self, document: OpenDocument) -> None:
        """One more tab."""
        self._documents.append(document)
        index = self.tabs.addTab(document.name)
        button = QToolButton()
        button.setFixedSize(22, 22)
        button.setIconSize(QSize(12, 12))
        button.setAccessibleName(tr("Close {name}", name=document.name))
        button.clicked.connect(lambda: self.close_wanted.emit(document))
        self.tabs.setTabButton(index, QTabBar.ButtonPosition.RightSide, button)
        self._dress()

    def take(self, document: OpenDocument) -> None:
        """A document was closed."""
        index = self._documents.index(document)
        del self._documents[index]
        self.tabs.blockSignals(True)
        self.tabs.removeTab(index)
        self.tabs.blockSignals(False)

    def show_current(self, document: OpenDocument | None) -> None:
        """Turn to the tab of a document."""
        if document in self._documents:
            self.tabs.blockSignals(True)
            self.tabs.setCurrentIndex(self._documents.index(document))
            self.tabs.blockSignals(False)
        self.show_level(document)

    def rename(self, document: OpenDocument) -> None:
        """Show the name of a document, with a dot where it is not saved."""
        index = self._documents.index(document)
        mark = "  •" if document.session.is_changed else ""
        self.tabs.setTabText(index, document.name + mark)
        path = document.session.path
        self.tabs.setTabToolTip(index, str(path) if path is not None else tr("Not saved yet"))

    def show_level(self, document: OpenDocument | None) -> None:
        """Show the way into the subgraph that is looked at."""
        while (item := self.crumbs.takeAt(0)) is not None:
            held = item.widget()
            if held is not None:
                held.hide()
                held.deleteLater()
        if document is None or not document.level:
            return
        title = document.workflow.subgraphs[document.level].title or document.level
        for text, level in ((document.name, ""), (title, document.level)):
            if level:
                arrow = QLabel()
                ratio = self.devicePixelRatioF()
                arrow.setPixmap(self._theme.pixmap("chevron-right", 12, "weak", ratio))
                self.crumbs.addWidget(arrow)
            button = QPushButton(text)
            button.setProperty("kind", "ghost")
            button.setEnabled(not level)
            button.clicked.connect(lambda _=False, level=level: self.level_wanted.emit(level))
            self.crumbs.addWidget(button)

    def _turned(self, index: int) -> None:
        if 0 <= index < len(self._documents):
            self.wanted.emit(self._documents[index])


class ToolBar(QFrame):
    """The floating bar at the bottom of the canvas."""

    def __init__(
        self, theme: Theme, commands: Commands, rows: tuple[str, ...], parent: QWidget
    ) -> None:
        """``rows`` are ids of commands; an empty one is a gap."""
        super().__init__(parent)
        self._theme, self._commands = theme, commands
        self._buttons: dict[str, QToolButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(5, 4, 5, 4)
        row.setSpacing(3)
        for id in rows:
            if not id:
                gap = QFrame()
                gap.setFixedSize(1, 20)
                gap.setProperty("role", "gap")
                row.addWidget(gap)
                continue
            button = QToolButton()
            button.setFixedSize(32, 30)
            button.setIconSize(QSize(16, 16))
            action = commands.action(id)
            button.setAccessibleName(action.text())
            keys = action.shortcut().toString()
            button.setToolTip(f"{action.text()} ({keys})" if keys else action.text())
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _=False, id=id: commands.do(id))
            self._buttons[id] = button
            row.addWidget(button)
        self.adjustSize()
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        for id, button in self._buttons.items():
            button.setIcon(self._theme.qicon(self._commands.deeds[id].icon or "circle-check", 16))
        self.update()

    def show_checked(self, is_on: Callable[[str], bool]) -> None:
        """Show which tool is in hand."""
        for id, button in self._buttons.items():
            button.setCheckable(id.startswith("tool."))
            button.setChecked(is_on(id))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours = QPainter(self), self._theme.colours
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colours.linestrong), 1))
        painter.setBrush(QColor(colours.overlay))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 10, 10)
