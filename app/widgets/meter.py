"""A meter: how much of something is used, and how much is planned, with the words beside it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.words import tr

BAR = 80
"""Logical pixels of the bar."""
_GAP = 8
_TIGHT = 0.92
"""From this share on, a meter is amber and says how much is left."""


class Meter(QWidget):
    """``GPU ---- 1.9 of 4.0 GB``. It is hidden as long as nothing is known."""

    def __init__(
        self, theme: Theme, label: str, spoken: str, parent: QWidget | None = None
    ) -> None:
        """``spoken`` is what a screen reader calls it, such as ``Memory of the GPU``."""
        super().__init__(parent)
        self._theme, self._label, self._spoken = theme, label, spoken
        self._used = self._planned = self._total = 0
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setVisible(False)
        theme.changed.connect(self.update)

    def show_bytes(self, used: int, total: int, planned: int = 0) -> None:
        """Show bytes that are used, of all there are; ``planned`` are those that a run will need.

        A ``total`` of 0 hides the meter.
        """
        if (used, planned, total) == (self._used, self._planned, self._total):
            return
        self._used, self._planned, self._total = used, planned, total
        self.setVisible(total > 0)
        self.setAccessibleName(f"{self._spoken}: {self.words}")
        self.setToolTip(self._tip())
        self.updateGeometry()
        self.update()

    @property
    def words(self) -> str:
        """``1.9 of 4.0 GB``."""
        total = self._total / 2**30
        used = f"{self._used / 2**30:.{1 if total < 100 else 0}f}"
        return tr("{used} of {total} GB", used=used, total=_short(total))

    @property
    def tight(self) -> bool:
        """Whether nearly all is used."""
        return self._total > 0 and self._used >= _TIGHT * self._total

    def sizeHint(self) -> QSize:
        """As wide as the words need, so that running figures do not shift what is beside it."""
        label = QFontMetricsF(font(Role.BODY)).horizontalAdvance(self._label)
        value = QFontMetricsF(font(Role.VALUE)).horizontalAdvance(self._widest())
        return QSize(round(label + _GAP + BAR + _GAP + value) + 2, 24)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Label, bar and words."""
        colours = self._theme.colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        painter.setFont(font(Role.BODY))
        painter.setPen(QColor(colours.weak))
        left = painter.fontMetrics().horizontalAdvance(self._label)
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.drawText(QRectF(0, 0, left + 1, self.height()), flags, self._label)
        bar = QRectF(left + _GAP, middle - 3, BAR, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        self._part(painter, bar, 1.0, colours.line if not colours.dark else colours.well)
        if self._total:
            self._part(painter, bar, self._planned / self._total, colours.linestrong)
            token = colours.warning if self.tight else colours.accent
            self._part(painter, bar, self._used / self._total, token)
        painter.setFont(font(Role.VALUE))
        painter.setPen(QColor(colours.strong))
        words = QRectF(QPointF(bar.right() + _GAP, 0), QPointF(self.width(), self.height()))
        painter.drawText(words, flags, self.words)

    def _part(self, painter: QPainter, bar: QRectF, share: float, colour: str) -> None:
        width = bar.width() * max(0.0, min(1.0, share))
        if width > 0:
            painter.setBrush(QColor(colour))
            painter.drawRoundedRect(QRectF(bar.left(), bar.top(), max(width, 4), 6), 3, 3)

    def _widest(self) -> str:
        total = self._total / 2**30
        used = f"{total:.{1 if total < 100 else 0}f}"
        return tr("{used} of {total} GB", used=used, total=_short(total))

    def _tip(self) -> str:
        free = max(0, self._total - self._used) / 2**30
        said = tr("{label}: {words} used, {free} GB free.", label=self._spoken, words=self.words,
                  free=f"{free:.1f}")  # fmt: skip
        if self._planned:
            planned = f"{self._planned / 2**30:.1f}"
            said += " " + tr("The run will need {planned} GB.", planned=planned)
        return said


def _short(gigabytes: float) -> str:
    return f"{gigabytes:.1f}" if gigabytes < 10 else f"{gigabytes:.0f}"
