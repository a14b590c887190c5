"""The studio as a program: ``python -P -m app [FILE ...]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from app.words import tr

if TYPE_CHECKING:
    from app.shell.window import Window

FIRST = Path(__file__).resolve().parents[1] / "workflows" / "text-to-image.weft.json"


def main(arguments: Sequence[str] = ()) -> int:
    """Open the window with these files, or with what was left, and run until it is closed."""
    from app.garbage import Garbage

    application = make_application()
    window = make_window([Path(name) for name in arguments])
    Garbage(window.services.documents, window)
    window.show()
    QTimer.singleShot(0, window.services.room.start)
    return application.exec()


def make_application() -> QApplication:
    """The application: its name, fonts and style."""
    from app.theme.fonts import load_fonts
    from app.widgets.spoken import speak

    held = QApplication.instance()
    application = held if isinstance(held, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("Weft")
    application.setDesktopFileName("weft")
    QGuiApplication.setQuitOnLastWindowClosed(True)
    load_fonts()
    speak()
    return application


def make_window(files: Sequence[Path] = ()) -> Window:
    """The window with its services, and its documents open."""
    from app.panels.settings.desk import SettingsDesk
    from app.shell.dress import colours_for, measures_for
    from app.shell.services import Services
    from app.shell.window import Window
    from app.theme.style import apply
    from app.theme.theme import Theme

    application = QApplication.instance()
    assert isinstance(application, QApplication)
    desk = SettingsDesk()
    theme = Theme()
    theme.put(colours_for(desk.settings), measures_for(desk.settings))
    services = Services(desk, theme)
    apply(application, theme.colours, services.places.icons, theme.measures)
    window = Window(services)
    window.read_settings()
    recovered = services.documents.recover()
    for path in files:
        window.files.open(path)
    if not len(services.documents):
        window.open_text(FIRST.read_text("utf-8"))
    if recovered:
        window.say(
            tr("A graph that was not saved is back.")
            if len(recovered) == 1
            else tr("{n} graphs that were not saved are back.", n=len(recovered))
        )
    if desk.trouble:
        window.toasts.say(desk.trouble, "warning")
    services.models.read()
    return window
