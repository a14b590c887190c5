"""The line under a picture: what it is, and the pixel under the probe."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.viewer.develop import Development, codes
from app.viewer.picture import Picture
from app.words import tr

HEIGHT = 28
_PAD = 12


def pixel_words(picture: Picture, x: int, y: int, channel: int) -> str:
    """A pixel's place and its own numbers, before exposure: ``x 166  y 150  ·  0.87  0.32``.

    Of more than four channels the one that is shown is told.
    """
    numbers = picture.pixels[y, x]
    if picture.channels > 4:
        numbers = numbers[max(channel, 0) : max(channel, 0) + 1]
    places = 2 if picture.high - picture.low == 1 else 3
    figures = "  ".join(f"{number:.{places}f}" for number in numbers)
    return f"x {x}  y {y}  ·  {figures}"


def swatch(picture: Picture, x: int, y: int, development: Development) -> str:
    """The colour of a pixel as it is shown, over black, as ``#rrggbb``."""
    blue, green, red, _ = codes(picture.pixels[y : y + 1, x : x + 1], picture, development)[0, 0]
    return f"#{red:02x}{green:02x}{blue:02x}"


class Footer(QWidget):
    """Words at the left; at the right a patch of colour and figures."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._words = self._figures = self._colour = ""
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName(tr("About the picture"))
        theme.changed.connect(self.update)

    @property
    def words(self) -> str:
        """What stands at the left."""
        return self._words

    @property
    def figures(self) -> str:
        """What stands at the right."""
        return self._figures

    @property
    def colour(self) -> str:
        """The colour of the patch, empty without one."""
        return self._colour

    def say(self, words: str) -> None:
        """What is looked at."""
        self._words = words
        self._tell()

    def read(self, figures: str, colour: str) -> None:
        """What is under the probe; empty for nothing."""
        self._figures, self._colour = figures, colour
        self._tell()

    def _tell(self) -> None:
        self.setAccessibleDescription(". ".join(filter(None, (self._words, self._figures))))
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(320, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        colours = self._theme.colours
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(colours.panel))
        line = QPen(QColor(colours.line), 0)
        painter.setPen(line)
        painter.drawLine(0, 0, self.width(), 0)
        face = font(Role.CAPTION)
        face.setWeight(face.Weight.Medium)
        metrics = QFontMetricsF(face)
        right = self.width() - _PAD
        begin = right - metrics.horizontalAdvance(self._figures)
        if self._figures:
            painter.setFont(face)
            painter.setPen(QColor(colours.text))
            room = QRectF(begin, 0, right - begin + 1, HEIGHT)
            painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), self._figures)
            begin -= 20
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(colours.linestrong), 1))
            painter.setBrush(QColor(self._colour))
            painter.drawRoundedRect(QRectF(begin + 0.5, 8.5, 11, 11), 2, 2)
            begin -= 8
        painter.setFont(font(Role.CAPTION))
        painter.setPen(QColor(colours.weak))
        room = QRectF(_PAD, 0, max(0.0, begin - _PAD), HEIGHT)
        words = QFontMetricsF(painter.font()).elidedText(
            self._words, Qt.TextElideMode.ElideRight, room.width()
        )
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), words)
