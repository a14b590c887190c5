"""Telling people who look elsewhere that a long job is over."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from app.run.state import JobView
from app.run.words import show_seconds
from app.words import tr

LONG = 10.0
"""Seconds from which a job is long."""


def is_away() -> bool:
    """Whether none of this program's windows has the keyboard."""
    return QGuiApplication.applicationState() != Qt.ApplicationState.ApplicationActive


def message_of(job: JobView) -> tuple[str, str] | None:
    """Title and sentence for the end of a job; ``None`` for one that nobody waits for."""
    if job.status not in ("done", "failed") or job.ended - job.begun < LONG:
        return None
    if job.status == "failed":
        return tr("{title} failed", title=job.title), job.error
    took = show_seconds(job.ended - job.begun)
    return tr("{title} is done", title=job.title), tr("It took {took}.", took=took)


class Notifier:
    """Shows a message of the system, where it has a place for such, and marks the window."""

    def __init__(
        self,
        window: QWidget,
        icon: QIcon,
        away: Callable[[], bool] = is_away,
    ) -> None:
        self._window, self._icon, self._away = window, icon, away
        self._tray: QSystemTrayIcon | None = None
        self.shown: list[tuple[str, str]] = []

    def ended(self, job: JobView) -> bool:
        """A job has ended; whether that was told."""
        message = message_of(job)
        if message is None or not self._away():
            return False
        self.shown.append(message)
        QApplication.alert(self._window)
        if QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages():
            if self._tray is None:
                self._tray = QSystemTrayIcon(self._icon, self._window)
            self._tray.show()
            self._tray.showMessage(*message)
        return True
