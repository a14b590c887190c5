"""The body of the window: the graph, and panes to the right of it and below."""

from __future__ import annotations

from PySide6.QtCore import QSettings, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QWidget

from app.shell.pane import Pane

_SIDE, _LOWER = (420, 480), 244
"""Logical pixels: the least and the most that the right side has at first, and the lower one."""


class Stack(QStackedWidget):
    """The graphs, one of them seen; what floats over them follows their size."""

    resized = Signal()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell it."""
        super().resizeEvent(event)
        self.resized.emit()


class Body(QSplitter):
    """What can be dragged to other sizes, and is as large the next time."""

    def __init__(self, host: QWidget) -> None:
        """``host`` holds the graph."""
        super().__init__(Qt.Orientation.Horizontal)
        self._chosen = False
        self.view_pane, self.node_pane = Pane("viewer"), Pane("inspector")
        self.said_pane, self.queue_pane = Pane("problems"), Pane("queue")
        self.time_pane = Pane("timeline")
        self.lower_part, self.work, self.side = (
            QSplitter(Qt.Orientation.Horizontal),
            QSplitter(Qt.Orientation.Vertical),
            QSplitter(Qt.Orientation.Vertical),
        )
        _fill(self.lower_part, (self.queue_pane, 0), (self.time_pane, 1))
        _fill(self.work, (host, 1), (self.lower_part, 0))
        _fill(self.side, (self.view_pane, 3), (self.node_pane, 3), (self.said_pane, 2))
        _fill(self, (self.work, 1), (self.side, 0))
        for _, splitter in self._splits():
            splitter.splitterMoved.connect(self._moved)

    @property
    def panes(self) -> tuple[Pane, ...]:
        """All panes, from the upper right round to the lower right."""
        return (self.view_pane, self.node_pane, self.said_pane, self.queue_pane, self.time_pane)

    def _splits(self) -> tuple[tuple[str, QSplitter], ...]:
        return (("body", self), ("work", self.work), ("side", self.side),
                ("lower", self.lower_part))  # fmt: skip

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a larger window the parts grow with it, until a hand has given them a size."""
        super().resizeEvent(event)
        if not self._chosen:
            self._share(event.size())

    def _share(self, size: QSize) -> None:
        side = max(_SIDE[0], min(_SIDE[1], round(size.width() * 0.273)))
        self.setSizes([size.width() - side, side])
        self.work.setSizes([size.height() - _LOWER, _LOWER])
        self.side.setSizes([400, 330, 190])
        self.lower_part.setSizes([360, 600])

    def _moved(self) -> None:
        self._chosen = True

    def restore(self, store: QSettings) -> None:
        """Be as large as is kept."""
        for name, splitter in self._splits():
            state = store.value(name)
            if state is not None:
                self._chosen = True
                splitter.restoreState(state)

    def keep(self, store: QSettings) -> None:
        """Write down how large all is."""
        for name, splitter in self._splits():
            store.setValue(name, splitter.saveState())


def _fill(splitter: QSplitter, *parts: tuple[QWidget, int]) -> None:
    """Put parts into a splitter, each with its share of more room."""
    splitter.setHandleWidth(1)
    splitter.setChildrenCollapsible(True)
    for index, (part, share) in enumerate(parts):
        splitter.addWidget(part)
        splitter.setStretchFactor(index, share)
