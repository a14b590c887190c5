"""The theme in use: which colours, and icons in them, and how high rows are."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QIcon, QPixmap

from app.theme.colours import Colours, colours_of
from app.theme.icons import icon
from app.theme.measures import REGULAR, Measures


class Theme(QObject):
    """Holds the colours that everything is painted with, and the measures of rows and fields; who
    paints listens to ``changed``."""

    changed = Signal()

    def __init__(
        self, dark: bool = True, parent: QObject | None = None, *, high: bool = False,
        measures: Measures = REGULAR,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._colours, self._measures = colours_of(dark, high), measures

    @property
    def colours(self) -> Colours:
        """The tokens in use."""
        return self._colours

    @property
    def measures(self) -> Measures:
        """How high rows and fields are."""
        return self._measures

    def set_dark(self, dark: bool) -> None:
        """Change to the dark or the light theme."""
        self.put(colours_of(dark, self._colours.high), self._measures)

    def put(self, colours: Colours, measures: Measures) -> None:
        """Change to these, and tell it once."""
        if colours is not self._colours or measures != self._measures:
            self._colours, self._measures = colours, measures
            self.changed.emit()

    def pixmap(self, name: str, size: int, token: str = "text", ratio: float = 1.0) -> QPixmap:
        """An icon in the colour of a token (``text``, ``weak``, ``accent``).

        Raises:
            KeyError: there is no such icon.
        """
        return icon(name, size, getattr(self._colours, token), ratio)

    def qicon(self, name: str, size: int = 16, token: str = "text") -> QIcon:
        """An icon for a Qt widget, crisp at one and two device pixels, pale where disabled.

        Raises:
            KeyError: there is no such icon.
        """
        made = QIcon()
        for ratio in (1.0, 2.0):
            made.addPixmap(self.pixmap(name, size, token, ratio))
            made.addPixmap(self.pixmap(name, size, "linestrong", ratio), QIcon.Mode.Disabled)
        return made
