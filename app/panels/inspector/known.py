"""What is known of a node: what it takes and gives, how long it took, and its help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.document.level import graph_of, links_into, name_of
from app.labels import duration, label
from app.open_document import OpenDocument
from app.panels.inspector.rows import FIELD, MARGIN, OUTLINE
from app.panels.inspector.sources import Sources
from app.panels.inspector.subject import Subject
from app.theme.fonts import Role, font
from app.theme.outlines import paint_socket
from app.theme.theme import Theme
from app.theme.types import look_of
from app.widgets.choice import size_words
from app.words import tr

ROW = 20
_TOP = 42


@dataclass(frozen=True, slots=True)
class Fact:
    """A line: what it is about, a socket type to show, and the words."""

    about: str
    words: str
    type: str = ""
    many: bool = False


def facts_of(document: OpenDocument, subject: Subject, sources: Sources) -> tuple[Fact, ...]:
    """What is known of one node: its linked inputs, its outputs, and its last run."""
    if len(subject.paths) != 1 or subject.spec is None:
        return ()
    path, found = subject.paths[0], []
    graph = graph_of(document.workflow, document.level)
    for link in links_into(graph, path):
        socket = subject.spec.input(link.input)
        if socket is not None and name_of(link.source) != "$":
            facts = sources.facts(document, link.source).get(link.output)
            if facts is not None:
                words = sources.words(facts)
                found.append(Fact(label(link.input), words, facts.type, facts.is_list))
    given = sources.facts(document, path)
    for output in subject.spec.outputs:
        facts = given.get(output.name)
        kind = facts.type if facts is not None else output.type
        words = sources.words(facts) if facts is not None else ""
        several = len(subject.spec.outputs) > 1
        said = f"{label(output.name)}: {words}" if several and words else words
        many = facts.is_list if facts is not None else output.arity == "list"
        found.append(Fact(tr("Gives"), said or label(output.name), kind, many))
    run = sources.run(document, path)
    if run is not None and run.seconds > 0:
        found.append(Fact(tr("Took"), duration(run.seconds)))
    if run is not None and run.peak:
        found.append(Fact(tr("Peak"), size_words(run.peak)))
    if run is not None and run.note:
        found.append(Fact(tr("Note"), run.note))
    return tuple(found)


class Known(QWidget):
    """The lines, under a hairline and their heading."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.facts: tuple[Fact, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_facts(self, facts: Sequence[Fact]) -> None:
        """Show other lines."""
        if tuple(facts) != self.facts:
            self.facts = tuple(facts)
            self.setVisible(bool(facts))
            said = "; ".join(f"{fact.about} {fact.words}" for fact in facts)
            self.setAccessibleName(tr("What is known"))
            self.setAccessibleDescription(said)
            self.setToolTip("\n".join(f"{fact.about}: {fact.words}" for fact in facts))
            self.updateGeometry()
            self.update()

    def _row(self) -> int:
        return self._theme.measures.tall(ROW)

    def sizeHint(self) -> QSize:
        """A line for each fact."""
        return QSize(240, _TOP + self._row() * len(self.facts) + 12)

    def minimumSizeHint(self) -> QSize:
        """It gets narrower, never lower."""
        return QSize(FIELD + 60, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """The heading and the lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, row = self._theme.colours, self._row()
        painter.fillRect(QRectF(MARGIN, 8, self.width() - 2 * MARGIN, 1), QColor(colours.line))
        painter.setFont(font(Role.ACTIVE))
        painter.setPen(QColor(colours.strong))
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        width = self.width() - 2 * MARGIN
        painter.drawText(QRectF(MARGIN, 18, width, 20), middle, tr("What is known"))
        body = font(Role.BODY)
        metrics = QFontMetrics(body)
        painter.setFont(body)
        for index, fact in enumerate(self.facts):
            y = float(_TOP + index * row)
            painter.setPen(QColor(colours.weak))
            about = metrics.elidedText(fact.about, Qt.TextElideMode.ElideRight, 96)
            painter.drawText(QRectF(MARGIN, y, 100, row), middle, about)
            if fact.type:
                look = look_of(fact.type.removeprefix("*"))
                paint_socket(
                    painter, QPointF(OUTLINE, y + row / 2), look, colours,
                    ground=colours.panel, joined=True, many=fact.many, scale=0.8,
                )  # fmt: skip
            painter.setPen(QColor(colours.text))
            room = self.width() - FIELD - MARGIN
            words = metrics.elidedText(fact.words, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRectF(FIELD, y, room, row), middle, words)
        painter.end()
