"""How often each brightness occurs in a picture: counted, and drawn over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.viewer.develop import exposed
from app.viewer.picture import Picture
from app.words import tr
from backend.values import Float32

BINS = 256
COUNTED = 4_000_000
"""Pixels that are counted at most; of a larger picture every so many one."""

_TRACES = {"R": "#FF6B6B", "G": "#5BD68A", "B": "#6AA8FF"}
"""On the dark ground that the histogram has in both themes; also told apart by their letters."""


@dataclass(frozen=True, eq=False, slots=True)
class Counts:
    """``bins`` ``[channels, 256]`` of what is shown, from black to white.

    ``low`` and ``high`` are the lowest and highest finite number of the picture itself, before
    exposure; ``below`` and ``above`` the shares of numbers that are cut at black and white.
    """

    bins: NDArray[np.int64]
    names: tuple[str, ...]
    low: float
    high: float
    below: float
    above: float
    bad: int
    step: int

    def words(self) -> str:
        """Range, and what is cut off."""
        said = tr("{low} to {high}", low=f"{self.low:.3g}", high=f"{self.high:.3g}")
        for share, words in ((self.below, tr("{n} % black")), (self.above, tr("{n} % white"))):
            if share > 0:
                figure = f"{share * 100:.1f}" if share >= 0.0005 else "< 0.1"
                said += " · " + words.replace("{n}", figure)
        if self.bad:
            said += " · " + tr("{n} not finite", n=self.bad)
        return said


def count(picture: Picture, stops: float = 0.0) -> Counts:
    """Count a picture's colours, or its channels up to four; alpha is left out."""
    step = max(1, int(np.ceil(np.sqrt(picture.width * picture.height / COUNTED))))
    number = 3 if picture.is_colour else min(picture.channels, 4)
    pixels = picture.pixels[::step, ::step, :number]
    finite = np.isfinite(pixels)
    bad = int(pixels.size - np.count_nonzero(finite))
    sound = pixels if not bad else pixels[finite]
    low, high = (float(sound.min()), float(sound.max())) if sound.size else (0.0, 0.0)
    shown = exposed(pixels, picture, stops)
    levels = np.minimum((shown * BINS).astype(np.int16), BINS - 1)
    bins = np.stack(
        [np.bincount(levels[..., each].ravel(), minlength=BINS) for each in range(number)]
    )
    cut = _cut(pixels, picture, stops)
    return Counts(bins, picture.names[:number], low, high, *cut, bad, step)


def _cut(pixels: Float32, picture: Picture, stops: float) -> tuple[float, float]:
    """The shares of numbers that are darker than black and brighter than white."""
    gain = 2.0**stops
    white = picture.high
    if picture.curve == "plain":
        white = picture.low + (picture.high - picture.low) / gain
    elif picture.curve == "linear":
        white = 1 / gain
    elif stops:
        from backend.media.color import srgb_from_linear

        white = float(srgb_from_linear(1 / gain))
    below = np.count_nonzero(pixels < picture.low) / pixels.size
    # A rounding of the curve is not a loss.
    above = np.count_nonzero(pixels > white + 1e-6) / pixels.size
    return below, above


class HistogramCard(QWidget):
    """The counts as curves on a dark card over the picture."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._counts: Counts | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName(tr("Histogram"))
        self.resize(self.sizeHint())

    @property
    def counts(self) -> Counts | None:
        """What it shows."""
        return self._counts

    def set_counts(self, counts: Counts | None) -> None:
        """Show these, or nothing while they are counted."""
        self._counts = counts
        self.setAccessibleDescription(counts.words() if counts else "")
        self.update()

    def sizeHint(self) -> QSize:
        """One bin to a pixel, and room for a line of words."""
        return QSize(BINS + 16, 116)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor("#101113")
        ground.setAlphaF(0.88)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        painter.setFont(font(Role.CAPTION))
        room = QRectF(8, 8, BINS, 80)
        if self._counts is None:
            painter.setPen(QColor("#C9CCD1"))
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), tr("Counting"))
            return
        painter.setPen(QPen(QColor("#3A3C40"), 1))
        for share in (0.25, 0.5, 0.75):
            x = room.left() + round(share * room.width()) + 0.5
            painter.drawLine(QPointF(x, room.top()), QPointF(x, room.bottom()))
        self._paint_curves(painter, room, self._counts)
        words = QFontMetricsF(painter.font()).elidedText(
            self._counts.words(), Qt.TextElideMode.ElideRight, room.width()
        )
        painter.setPen(QColor("#C9CCD1"))
        painter.drawText(QRectF(8, 92, BINS, 18), int(Qt.AlignmentFlag.AlignVCenter), words)

    def _paint_curves(self, painter: QPainter, room: QRectF, counts: Counts) -> None:
        # The ends hold what is cut off and would flatten all the rest.
        inner = counts.bins[:, 1:-1]
        most = float(max(inner.max(initial=0), counts.bins.max() * 0.05, 1))
        painter.save()
        painter.setClipRect(room)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Screen)
        for name, bins in zip(counts.names, counts.bins, strict=True):
            colour = QColor(_TRACES.get(name, "#B8BCC4"))
            points = [QPointF(room.left(), room.bottom())]
            for at, number in enumerate(bins):
                high = min(float(number) / most, 1.0) * room.height()
                points.append(QPointF(room.left() + at + 0.5, room.bottom() - high))
            points.append(QPointF(room.right(), room.bottom()))
            area = QColor(colour)
            area.setAlphaF(0.45)
            painter.setPen(QPen(colour, 1))
            painter.setBrush(area)
            painter.drawPolygon(QPolygonF(points))
        painter.restore()
