"""How the window is dressed: theme, contrast, text size, density, keys and motion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication

from app.panels.settings.keys import Shortcuts
from app.theme.colours import Colours, colours_of
from app.theme.measures import Measures, density_of

if TYPE_CHECKING:
    from app.shell.window import Window
    from backend.settings import Settings


class Dress(QObject):
    """Does as the settings say, and again whenever they or the system change."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window

    def follow(self) -> None:
        """Listen to the settings, the theme and the system."""
        services, hints = self._window.services, QApplication.styleHints()
        services.theme.changed.connect(self.put_on)
        services.desk.changed.connect(lambda _: self.read())
        hints.colorSchemeChanged.connect(lambda _: self.read())
        hints.accessibility().contrastPreferenceChanged.connect(lambda _: self.read())

    def read(self) -> None:
        """Be as the settings say."""
        window, settings = self._window, self._window.services.desk.settings
        window.services.theme.put(colours_for(settings), measures_for(settings))
        keys = settings.studio.shortcuts
        window.commands.set_keys(Shortcuts.read(window.commands.all(), keys))
        for desk in window.desks:
            desk.canvas.set_reduced_motion(bool(settings.studio.still))

    def put_on(self) -> None:
        """Dress the whole application."""
        from app.theme.style import apply

        application = QApplication.instance()
        assert isinstance(application, QApplication)
        services = self._window.services
        theme = services.theme
        apply(application, theme.colours, services.places.icons, theme.measures)


def colours_for(settings: Settings) -> Colours:
    """The colours that the settings ask for; ``system`` asks the system."""
    hints, studio = QApplication.styleHints(), settings.studio
    dark, high = studio.theme == "dark", studio.contrast == "high"
    if studio.theme == "system":
        dark = hints.colorScheme() != Qt.ColorScheme.Light
    if studio.contrast == "system":
        wanted = hints.accessibility().contrastPreference()
        high = wanted == Qt.ContrastPreference.HighContrast
    return colours_of(dark, high)


def measures_for(settings: Settings) -> Measures:
    """The measures that the settings ask for."""
    return Measures(density_of(settings.studio.density), float(settings.studio.text))
