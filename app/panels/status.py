"""The pieces of the status bar: the running job, the problems, the engine, other words."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.panels.problems.panel import Counts
from app.run.state import JobView
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.words import tr

EngineState = Literal["asleep", "starting", "ready", "computing", "dead"]
_BAR = 120
_GAP = 12


class _Piece(QAbstractButton):
    """A piece of the status bar: it is painted, and can be clicked and reached by keyboard."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        write_in(self, Role.CAPTION)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.update)

    def wide(self, text: str) -> int:
        """The width of a text."""
        return round(QFontMetricsF(self.font()).horizontalAdvance(text) + 0.5)

    def begin(self) -> QPainter:
        """A painter with the ground of hover and focus painted."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        if self.underMouse():
            painter.fillRect(self.rect(), QColor(self.theme.colours.hover))
        if self.hasFocus():
            painter.setPen(QColor(self.theme.colours.focus))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 3, -1, -3), 4, 4)
        return painter

    def write(self, painter: QPainter, x: float, text: str, token: str) -> None:
        """A text from a place on, in the middle of the height."""
        painter.setPen(QColor(getattr(self.theme.colours, token)))
        rect = QRectF(x, 0, self.width() - x, self.height())
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(rect, int(flags), text)


class JobLine(_Piece):
    """A bar and ``Job 12: Sample, 6.4 s left``; hidden while nothing runs.

    The bar stands first, so that it does not move as the words change.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._words = ""
        self._share = 0.0
        self.setVisible(False)

    def show_job(self, job: JobView | None) -> None:
        """Show the job that runs, or none."""
        self.setVisible(job is not None)
        if job is None:
            return
        self._words = tr("Job {n}: {said}", n=job.id, said=job.sentence)
        self._share = job.progress
        self.setAccessibleName(self._words)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Room for bar and words."""
        return QSize(8 + _BAR + _GAP + self.wide(self._words) + 8, self.theme.measures.tall(24))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Bar and words."""
        painter, colours = self.begin(), self.theme.colours
        bar = QRectF(8, self.height() / 2 - 2.5, _BAR, 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.well if colours.dark else colours.line))
        painter.drawRoundedRect(bar, 2.5, 2.5)
        painter.setBrush(QColor(colours.accent))
        filled = QRectF(bar)
        filled.setWidth(bar.width() * max(0.0, min(1.0, self._share)))
        if filled.width() >= 1:
            painter.drawRoundedRect(filled, 2.5, 2.5)
        self.write(painter, bar.right() + _GAP, self._words, "text")


class WordLine(_Piece):
    """A few words, such as the zoom."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._words = ""

    def show_words(self, words: str) -> None:
        """Show these words."""
        if words != self._words:
            self._words = words
            self.setAccessibleName(words)
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """Room for the words."""
        return QSize(8 + self.wide(self._words) + 8, self.theme.measures.tall(24))

    def paintEvent(self, event: QPaintEvent) -> None:
        """The words."""
        self.write(self.begin(), 8, self._words, "text")


class ProblemsLine(_Piece):
    """``1 warning, 2 notes`` with the icon of the worst; ``No problems`` where there are none."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._counts = Counts()
        self.show_counts(self._counts)

    def show_counts(self, counts: Counts) -> None:
        """Show how many there are."""
        self._counts = counts
        self.setAccessibleName(self._words)
        self.updateGeometry()
        self.update()

    @property
    def _words(self) -> str:
        return self._counts.words or tr("No problems")

    def sizeHint(self) -> QSize:
        """Room for icon and words."""
        return QSize(8 + 12 + 6 + self.wide(self._words) + 8, self.theme.measures.tall(24))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Icon and words."""
        painter = self.begin()
        icon, token = "check", "success"
        if self._counts.errors:
            icon, token = "circle-alert", "danger"
        elif self._counts.warnings:
            icon, token = "triangle-alert", "warning"
        elif self._counts.notes:
            icon, token = "info", "accent"
        pixmap = self.theme.pixmap(icon, 12, token, self.devicePixelRatioF())
        painter.drawPixmap(8, (self.height() - 12) // 2, pixmap)
        self.write(painter, 26, self._words, "text")


class FitLine(_Piece):
    """``Does not fit in memory`` with the icon of a warning; hidden where a run fits."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self.show_misfit("")

    def show_misfit(self, sentence: str) -> None:
        """Show that the run does not fit; ``sentence`` says why, and is empty where it does."""
        self.setVisible(bool(sentence))
        self.setToolTip(sentence)
        self.setAccessibleName(f"{self._words}. {sentence}")

    @property
    def _words(self) -> str:
        return tr("Does not fit in memory")

    def sizeHint(self) -> QSize:
        """Room for icon and words."""
        return QSize(8 + 12 + 6 + self.wide(self._words) + 8, self.theme.measures.tall(24))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Icon and words."""
        painter = self.begin()
        pixmap = self.theme.pixmap("triangle-alert", 12, "warning", self.devicePixelRatioF())
        painter.drawPixmap(8, (self.height() - 12) // 2, pixmap)
        self.write(painter, 26, self._words, "text")


class EngineLine(_Piece):
    """A dot and ``Engine ready``; a click on a dead one asks for another start."""

    restart_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._state: EngineState = "asleep"
        self.clicked.connect(self._click)
        self.show_state("asleep")

    def show_state(self, state: EngineState, sentence: str = "") -> None:
        """Show how the engine is; ``sentence`` says why it is dead."""
        self._state = state
        self.setToolTip(sentence)
        self.setAccessibleName(f"{self._words} {sentence}".strip())
        self.updateGeometry()
        self.update()

    @property
    def _words(self) -> str:
        return {
            "asleep": tr("Engine not started"), "starting": tr("Engine starts"),
            "ready": tr("Engine ready"), "computing": tr("Engine computes"),
            "dead": tr("Engine stopped"),
        }[self._state]  # fmt: skip

    def sizeHint(self) -> QSize:
        """Room for dot and words."""
        return QSize(8 + 7 + 7 + self.wide(self._words) + 8, self.theme.measures.tall(24))

    def paintEvent(self, event: QPaintEvent) -> None:
        """A dot whose colour repeats the words."""
        painter = self.begin()
        token = {"ready": "success", "computing": "accent", "dead": "danger"}.get(
            self._state, "weak"
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(getattr(self.theme.colours, token)))
        painter.drawEllipse(QRectF(8, self.height() / 2 - 3.5, 7, 7))
        self.write(painter, 22, self._words, "text")

    def _click(self) -> None:
        if self._state == "dead":
            self.restart_wanted.emit()
