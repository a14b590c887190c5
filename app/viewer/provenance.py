"""How an output was made, as its file tells it: rows to read, and the graph to open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.words import tr

_LONGEST = 300
"""Characters of one row: a file may tell anything."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a file tells: rows of a label and words, and the text of its workflow."""

    rows: tuple[tuple[str, str], ...] = ()
    workflow: str = ""


def read_told(path: Path) -> Told:
    """What an output tells of how it was made; nothing where it carries nothing that is sound.

    Raises:
        UserError: the file cannot be opened.
    """
    from backend.media.metadata import read_provenance

    return told_of(read_provenance(path) or {})


def told_of(provenance: Mapping[str, Any]) -> Told:
    """The rows of a provenance, whatever its fields hold."""
    rows: list[tuple[str, str]] = []

    def add(label: str, words: object) -> None:
        said = " ".join(str(words).split())
        if said:
            rows.append((label, said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"))

    made, seconds = provenance.get("made"), provenance.get("seconds")
    if isinstance(made, str):
        add(tr("Made"), made.replace("T", " ").removesuffix("Z") + " UTC")
    if isinstance(seconds, int | float):
        add(tr("Took"), f"{seconds:.1f} s")
    add(tr("Saved by"), provenance.get("node") or "")
    seeds = provenance.get("seeds")
    if isinstance(seeds, Mapping):
        for name, seed in seeds.items():
            add(tr("Seed") if name == "seed" else tr("Seed of {name}", name=name), seed)
    for model in provenance.get("models") or ():
        if isinstance(model, Mapping):
            add(tr("Model"), model.get("name", ""))
    numerics, versions = provenance.get("numerics"), provenance.get("versions")
    if isinstance(numerics, Mapping):
        add(tr("Device"), numerics.get("device", ""))
    if isinstance(versions, Mapping):
        add("Weft", versions.get("weft", ""))
    text = provenance.get("workflow")
    return Told(tuple(rows), text if isinstance(text, str) else "")


class ProvenanceCard(QFrame):
    """The rows on a card, with a button that opens the graph."""

    open_graph = Signal(str)
    """The text of the workflow."""
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._told = Told()
        self.setProperty("role", "overlay")
        self.setAccessibleName(tr("How it was made"))
        self._title = QLabel(tr("How it was made"))
        write_in(self._title, Role.TITLE)
        self._title.setProperty("role", "strong")
        self._close = QToolButton()
        self._close.setAccessibleName(tr("Close"))
        self._close.clicked.connect(self.closed)
        top = QHBoxLayout()
        top.addWidget(self._title, 1)
        top.addWidget(self._close)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._open = QPushButton(tr("Open its graph"))
        self._open.clicked.connect(lambda: self.open_graph.emit(self._told.workflow))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 12)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self._scroll, 1)
        column.addWidget(self._open)
        theme.changed.connect(self._dress)
        self._dress()
        self.say(tr("Nothing is known of how this was made."))

    @property
    def told(self) -> Told:
        """What it shows."""
        return self._told

    def wanted_height(self, width: int) -> int:
        """How high it is when everything is seen at once."""
        inner = self._rows
        room = max(1, width - 36)
        high = (
            inner.heightForWidth(room) if inner.hasHeightForWidth() else inner.sizeHint().height()
        )
        button = 0 if self._open.isHidden() else self._open.sizeHint().height() + 8
        return high + self._close.sizeHint().height() + button + 32

    def say(self, sentence: str) -> None:
        """Show a sentence in place of rows."""
        self._put(Told(), sentence)

    def set_told(self, told: Told) -> None:
        """Show what a file tells."""
        none = tr(
            "This file carries nothing of how it was made: another program wrote or changed it."
        )
        self._put(told, "" if told.rows or told.workflow else none)

    def _put(self, told: Told, sentence: str) -> None:
        self._told = told
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setContentsMargins(0, 0, 4, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for at, (label, words) in enumerate(told.rows):
            grid.addWidget(_label(label, "weak"), at, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(_label(words, "strong", wraps=True), at, 1)
        if sentence:
            grid.addWidget(_label(sentence, "", wraps=True), len(told.rows), 0, 1, 2)
        grid.setRowStretch(len(told.rows) + 1, 1)
        self._rows = inner
        self._scroll.setWidget(inner)
        self._open.setVisible(bool(told.workflow))

    def _dress(self) -> None:
        self._close.setIcon(self._theme.qicon("x", 16, "weak"))


def _label(words: str, role: str, wraps: bool = False) -> QLabel:
    label = QLabel(words)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setProperty("role", role)
    label.setWordWrap(wraps)
    flags = Qt.TextInteractionFlag.TextSelectableByMouse
    label.setTextInteractionFlags(flags | Qt.TextInteractionFlag.TextSelectableByKeyboard)
    label.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return label
