"""The mask editor: the picture, a bar of tools over it, and what is done with the mask under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.theme.theme import Theme
from app.widgets.context import EditorContext
from app.widgets.number import NumberEditor
from app.widgets.paint.mask_view import LEAST_BRUSH, MOST_BRUSH, MaskView, Tool
from app.words import tr
from backend.graph.spec import Param

_SIZE = Param("size", "integer", 48, LEAST_BRUSH, 512, 1)
_SOFT = Param("hardness", "number", 0.8, 0, 1, 0.01)


class MaskEditor(QWidget):
    """Paints a mask over a picture. ``kept`` gives it; ``closed`` where it is not wanted."""

    kept = Signal(QImage)
    closed = Signal()

    def __init__(
        self, theme: Theme, picture: QImage, mask: QImage | None = None,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._theme = theme
        self.setAutoFillBackground(True)
        self.view = MaskView(theme)
        self.view.show_mask(picture, mask)
        self.buttons: dict[str, QToolButton] = {}
        context = EditorContext(theme)
        self.size_field = NumberEditor(_SIZE, 48, replace(context, label=tr("Brush size")))
        self.hardness = NumberEditor(_SOFT, 0.8, replace(context, label=tr("Hardness")))
        for field in (self.size_field, self.hardness):
            field.setFixedSize(88, 24)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar())
        column.addWidget(self.view, 1)
        column.addWidget(self._foot())
        self.view.brush_changed.connect(self._show)
        self.view.painted.connect(self._show)
        self.size_field.edited.connect(lambda v, _: self._set_size(float(v)))
        self.hardness.edited.connect(lambda v, _: self._set_hardness(float(v)))
        self.setFocusProxy(self.view)
        self._show()

    def _bar(self) -> QWidget:
        bar = QWidget()
        row = QHBoxLayout(bar)
        row.setContentsMargins(12, 4, 12, 4)
        row.setSpacing(4)
        tools = (
            ("brush", "brush", tr("Brush (B)"), lambda: self._take(Tool.BRUSH)),
            ("lasso", "lasso", tr("Lasso (L)"), lambda: self._take(Tool.LASSO)),
            ("fill", "paint-bucket", tr("Fill (F)"), lambda: self._take(Tool.FILL)),
            ("erase", "eraser", tr("Erase (E, or hold Shift)"), self._erase),
        )
        acts = (
            ("undo", "undo-2", tr("Undo"), lambda: self.view.do("undo")),
            ("redo", "redo-2", tr("Redo"), lambda: self.view.do("redo")),
            ("invert", "contrast", tr("Turn the mask inside out"), lambda: self.view.do("invert")),
            ("clear", "trash-2", tr("Empty the mask"), lambda: self.view.do("clear")),
            ("fit", "maximize", tr("Show the whole picture (0)"), self.view.fit),
        )
        for name, icon, words, act in tools:
            self._button(row, name, icon, words, act).setCheckable(True)
        row.addSpacing(12)
        for words, field in ((tr("Size"), self.size_field), (tr("Hardness"), self.hardness)):
            title = QLabel(words)
            title.setProperty("role", "weak")
            row.addWidget(title)
            row.addWidget(field)
            row.addSpacing(8)
        row.addStretch(1)
        for name, icon, words, act in acts:
            self._button(row, name, icon, words, act)
        return bar

    def _button(
        self, row: QHBoxLayout, name: str, icon: str, words: str, act: Callable[[], None]
    ) -> QToolButton:
        button = QToolButton()
        button.setIcon(self._theme.qicon(icon, 16))
        button.setIconSize(QSize(16, 16))
        button.setFixedSize(28, 28)
        button.setToolTip(words)
        button.setAccessibleName(words)
        button.clicked.connect(lambda _=False: act())
        row.addWidget(button)
        self.buttons[name] = button
        return button

    def _foot(self) -> QWidget:
        foot = QWidget()
        row = QHBoxLayout(foot)
        row.setContentsMargins(12, 8, 12, 8)
        self.hint = QLabel(tr("Paint what is to change. Shift erases, Space moves the picture."))
        self.hint.setProperty("role", "weak")
        row.addWidget(self.hint, 1)
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.closed)
        self.keep = QPushButton(tr("Use the mask"))
        self.keep.setProperty("kind", "primary")
        self.keep.clicked.connect(lambda: self.kept.emit(self.view.painting.image.copy()))
        row.addWidget(close)
        row.addWidget(self.keep)
        return foot

    def _take(self, tool: Tool) -> None:
        self.view.tool = tool
        self.view.update()
        self._show()

    def _erase(self) -> None:
        self.view.set_brush(replace(self.view.brush, erase=not self.view.brush.erase))

    def _set_size(self, size: float) -> None:
        self.view.set_brush(replace(self.view.brush, size=size))

    def _set_hardness(self, hardness: float) -> None:
        self.view.set_brush(replace(self.view.brush, hardness=hardness))

    def _show(self) -> None:
        view = self.view
        for tool in Tool:
            self.buttons[tool.value].setChecked(view.tool is tool)
        self.buttons["erase"].setChecked(view.brush.erase)
        self.buttons["undo"].setEnabled(view.painting.can_undo)
        self.buttons["redo"].setEnabled(view.painting.can_redo)
        self.size_field.show_value(round(min(view.brush.size, MOST_BRUSH)))
        self.hardness.show_value(view.brush.hardness)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes it, once no stroke is under way."""
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)
