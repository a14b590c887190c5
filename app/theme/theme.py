"""The theme in use: which colours, and icons in them."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QIcon, QPixmap

from app.theme.colours import DARK, LIGHT, Colours
from app.theme.icons import icon


class Theme(QObject):
    """Holds the colours that everything is painted with; who paints listens to ``changed``."""

    changed = Signal()

    def __init__(self, dark: bool = True, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._colours = DARK if dark else LIGHT

    @property
    def colours(self) -> Colours:
        """The tokens in use."""
        return self._colours

    def set_dark(self, dark: bool) -> None:
        """Change to the dark or the light theme."""
        colours = DARK if dark else LIGHT
        if colours is not self._colours:
            self._colours = colours
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
