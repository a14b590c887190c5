"""The layers panel: the stack that the viewer looks at, topmost first."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QStackedLayout, QWidget

from app.panels.layers.cards import layer_card, thumbnail
from app.panels.tools import tool
from app.theme.theme import Theme
from app.viewer.background import Asked, Background
from app.viewer.subject import Subject
from app.widgets.card_list import CardList
from app.widgets.empty import Empty
from app.words import tr
from backend.values import Layers


class LayersPanel(QWidget):
    """Shows the layers of a subject. What is hidden or looked at alone here is so in the viewer
    only; the graph stays as it is. ``looked`` gives the subject that the viewer is to show."""

    looked = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = Background(self)
        self._asked: Asked[list[bytes]] | None = None
        self._subject = Subject(None)
        self._shown: list[bool] = []
        self._alone = -1
        self._pictures: list[bytes] = []
        self.list = CardList(theme, tr("Layers"))
        self._empty = Empty(
            theme, "layers", tr("No layers."),
            tr("Look at what a node of layers gives, and they are shown here."),
        )  # fmt: skip
        self._stack = QStackedLayout(self)
        self._stack.setContentsMargins(0, 8, 0, 0)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.list)
        self._all = tool(theme, self, "eye", tr("Show as the graph has it"), self.show_all)
        self.list.opened.connect(lambda key: self.show_alone(int(key)))
        self.list.acted.connect(lambda key: self.turn(int(key)))
        self._put()

    @property
    def tools(self) -> tuple[QAction, ...]:
        """What stands in the title bar of its dock."""
        return (self._all,)

    @property
    def layers(self) -> Layers | None:
        """The stack that is shown."""
        return self._subject.value if isinstance(self._subject.value, Layers) else None

    def show_subject(self, subject: Subject) -> None:
        """Show the layers of what the viewer looks at; nothing where it is no stack."""
        if self._asked is not None:
            self._asked.cancel()
        self._subject, self._alone, self._pictures = subject, -1, []
        stack = self.layers
        self._shown = [each.visible for each in stack.layers] if stack is not None else []
        if stack is not None:
            ratio = self.devicePixelRatioF()
            self._asked = self._background.ask(
                lambda: [thumbnail(each, ratio) for each in stack.layers], self._pictured
            )
        self._put()

    def turn(self, number: int) -> None:
        """Show or hide a layer in the viewer; ``number`` counts from 0 at the bottom."""
        self._shown[number] = not self._shown[number]
        self._alone = -1
        self._look()

    def show_alone(self, number: int) -> None:
        """Look at one layer alone, or at all again where it is that one already."""
        self._alone = -1 if self._alone == number else number
        self._look()

    def show_all(self) -> None:
        """Look at the stack as the graph has it."""
        stack = self.layers
        if stack is not None:
            self._shown, self._alone = [each.visible for each in stack.layers], -1
            self._look()

    def close_down(self) -> None:
        """Do no more work; before the panel is deleted."""
        self._background.close()

    def _pictured(self, pictures: list[bytes]) -> None:
        self._pictures = pictures
        self._put()

    def _look(self) -> None:
        self._put()
        stack = self.layers
        if stack is None:
            return
        seen = [self._alone in (-1, i) for i in range(stack.count)]
        shown = [i == self._alone or on for i, on in enumerate(self._shown)]
        value = stack.but(
            layers=tuple(
                each.but(visible=one and on)
                for each, one, on in zip(stack.layers, seen, shown, strict=True)
            )
        )
        as_given = self._alone < 0 and all(
            each.visible == on for each, on in zip(stack.layers, self._shown, strict=True)
        )
        self.looked.emit(self._subject if as_given else replace(self._subject, value=value))

    def _put(self) -> None:
        stack = self.layers
        self._all.setEnabled(stack is not None)
        self._stack.setCurrentWidget(self._empty if stack is None else self.list)
        self.list.put(
            [
                layer_card(
                    i, stack.layers[i], self._shown[i], i == self._alone,
                    self._pictures[i] if self._pictures else b"",
                )
                for i in reversed(range(stack.count))
            ]
            if stack is not None
            else []
        )  # fmt: skip
