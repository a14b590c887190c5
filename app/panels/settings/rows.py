"""One row per setting: what it is for, a field of its kind, where its value is from, and a way
back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.panels.settings.desk import SettingsDesk
from app.theme.theme import Theme
from app.words import tr
from backend.settings import Declaration, show_value

TITLES = {
    "folders.cache": "Cache", "folders.data": "Data", "folders.logs": "Log",
    "folders.output": "Outputs", "models.folders": "Folders of models",
    "cache.memory": "Results in memory", "cache.disk": "Results on disk",
    "cache.costly": "Keep on disk from", "run.device": "Device", "run.threads": "Threads",
    "run.memory": "Memory for models", "run.host_memory": "Host memory for models",
    "run.isolated": "A process of its own for weft run", "host.grace": "Patience at cancel",
    "host.memory": "Memory of the engine", "host.standby": "A second engine waits",
    "queue.attempts": "Attempts", "provenance.embed": "Workflow in outputs",
    "logs.keep": "Old log files", "logs.size": "Size of a log file", "studio.theme": "Theme",
    "studio.density": "Density", "studio.text": "Size of texts", "studio.contrast": "Contrast",
    "studio.still": "Reduced motion",
}  # fmt: skip
"""What people read for a key; of one that is not here, its name."""

_AT_START = ("folders.cache", "folders.data", "folders.logs", "cache.", "run.device",
             "run.threads", "run.memory", "run.host_memory", "host.", "queue.",
             "provenance.")  # fmt: skip
"""What the engine and its folders are made with, once, when the studio starts."""


def title_of(key: str) -> str:
    """What a setting is called on screen."""
    name = key.partition(".")[2].replace("_", " ")
    return tr(TITLES.get(key, name[:1].upper() + name[1:]))


class SettingRow(QWidget):
    """One setting. What is wrong with what was typed stands below it."""

    done = Signal(str)

    def __init__(self, theme: Theme, desk: SettingsDesk, one: Declaration) -> None:
        super().__init__()
        self._theme, self._desk, self._one = theme, desk, one
        self.field, self._put = self._make()
        self.field.setAccessibleName(title_of(one.key))
        self.field.setAccessibleDescription(one.text)
        self.wrong = QLabel(wordWrap=True)
        self.wrong.setVisible(False)
        self.wrong.setProperty("role", "danger")
        self._origin = QLabel()
        self._origin.setProperty("role", "weak")
        self.back = QToolButton()
        self.back.setToolTip(tr("As Weft has it"))
        self.back.setAccessibleName(tr("{title} as Weft has it", title=title_of(one.key)))
        self.back.clicked.connect(self._reset)
        self.later = QLabel(tr("It takes effect when the studio starts again."), wordWrap=True)
        self.later.setVisible(False)
        self._under = [self.wrong, self.later]
        self._lay_out()
        desk.changed.connect(self._changed)
        theme.changed.connect(self._dress)
        self._dress()
        self.refresh()

    @property
    def key(self) -> str:
        """Of the setting."""
        return self._one.key

    def holds(self, words: list[str]) -> bool:
        """Whether every word (in small letters) is in its name or its explanation."""
        text = f"{self.key} {title_of(self.key)} {self._one.text}".casefold()
        return all(word in text for word in words)

    def refresh(self) -> None:
        """Show what is set."""
        with QSignalBlocker(self.field):
            self._put(self._desk.value(self.key))
        origin = self._desk.origin(self.key)
        fixed = self._desk.is_fixed(self.key)
        self._origin.setText(origin)
        self.back.setVisible(bool(origin) and not fixed)
        self.field.setEnabled(not fixed)

    def give(self, given: Any) -> None:
        """Set it, as when it was typed."""
        said = self._desk.put(self.key, given)
        self.wrong.setText(said)
        self.wrong.setVisible(bool(said))
        self._mark(bool(said))
        if not said:
            self.refresh()
            self.done.emit(self.key)

    def _make(self) -> tuple[QWidget, Callable[[Any], None]]:
        """The field of its kind, and what shows a value in it."""
        one = self._one
        if one.choices:
            box = QComboBox()
            for choice in one.choices:
                box.addItem(tr(choice[:1].upper() + choice[1:]), choice)
            box.activated.connect(lambda: self.give(box.currentData()))
            return box, lambda value: box.setCurrentIndex(box.findData(value))
        if one.kind == "yes":
            check = QCheckBox(one.text)
            check.toggled.connect(self.give)
            return check, lambda value: check.setChecked(bool(value))
        line = QLineEdit()
        line.editingFinished.connect(lambda: self._typed(line))
        if one.key.startswith("folders."):
            line.setPlaceholderText(tr("The place that the system has for it"))
        return line, lambda value: line.setText(show_value(one, value))

    def _typed(self, line: QLineEdit) -> None:
        if line.text() != show_value(self._one, self._desk.value(self.key)):
            self.give(line.text())
        elif not self.wrong.isHidden():
            self.wrong.setVisible(False)
            self._mark(False)

    def _mark(self, wrong: bool) -> None:
        self.field.setProperty("wrong", wrong)
        self.field.style().unpolish(self.field)
        self.field.style().polish(self.field)

    def _reset(self) -> None:
        said = self._desk.reset(self.key)
        self.wrong.setText(said)
        self.wrong.setVisible(bool(said))
        self._mark(bool(said))
        self.refresh()
        self.done.emit(self.key)

    def _changed(self, key: str) -> None:
        if key == self.key:
            self.later.setVisible(key.startswith(_AT_START))
            self.refresh()

    def _lay_out(self) -> None:
        name = QLabel(title_of(self.key))
        self._name = name
        name.setBuddy(self.field)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(name)
        row.addWidget(self.field, 1)
        if self._one.key.startswith("folders."):
            row.addWidget(self._chooser())
        row.addWidget(self._origin)
        row.addWidget(self.back)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(2)
        column.addLayout(row)
        if self._one.kind != "yes":
            about = QLabel(self._one.text, wordWrap=True)
            about.setProperty("role", "weak")
            column.addWidget(about)
            self._under.append(about)
        column.addWidget(self.wrong)
        column.addWidget(self.later)

    def _chooser(self) -> QPushButton:
        button = QPushButton(tr("Choose ..."))
        button.setAccessibleName(tr("Choose a folder for {title}", title=title_of(self.key)))

        def choose() -> None:
            dialog = QFileDialog(self, tr("Choose a folder"))
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.fileSelected.connect(self.give)
            dialog.open()

        button.clicked.connect(choose)
        return button

    def _dress(self) -> None:
        tall = self._theme.measures.tall
        self._name.setFixedWidth(tall(168))
        for label in self._under:
            label.setContentsMargins(tall(168) + 8, 0, 0, 0)
        self.back.setIcon(self._theme.qicon("rotate-ccw", 14, "weak"))
