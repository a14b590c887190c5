"""Whether a run of the current document fits into memory, wherever the window says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.run.state import JobView
from app.words import tr

if TYPE_CHECKING:
    from app.panels.timeline.forecast import ForecastPanel
    from app.shell.desk import Desk
    from app.shell.window import Window


class Forecasts(QObject):
    """Shows the forecast of the document that is looked at in its panel, and in the status line and
    at the Run button where it does not fit. A run stays possible: a plan may be wrong."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self.misfit = ""
        """Why a run of the current document does not fit and what would make it fit, or empty."""

    def listen(self) -> None:
        """Listen to what may change a forecast without an edit."""
        services = self._window.services
        services.desk.changed.connect(lambda _: self._look_at_machine())
        services.room.memory_changed.connect(lambda _: self._look_at_machine())

    def show(self, desk: Desk | None) -> None:
        """Show what is known of a document, if it is the one that is looked at."""
        if desk is not self._window.desk:
            return
        forecast = desk.outlook.forecast if desk is not None else None
        misfit = ""
        if forecast is not None and forecast.misfit:
            from app.panels.timeline.forecast_words import misfit_words

            misfit = misfit_words(forecast)
        self.misfit = misfit
        self._window.fit_line.show_misfit(misfit)
        self._window.running.show_tip()
        panel = self._window.panels.forecast_tab.made
        if panel is not None:
            self.fill(panel)

    def fill(self, panel: ForecastPanel) -> None:
        """Show the forecast of the current document in the panel."""
        desk = self._window.desk
        if desk is None:
            panel.show_forecast(None, "", behind=False)
        else:
            known = desk.outlook
            panel.show_forecast(known.forecast, known.sentence, behind=known.behind)

    def turn_to(self) -> None:
        """Turn to the panel."""
        from app.shell.window_commands import show_pane

        show_pane(self._window, "time_pane", tr("Forecast"))

    def ended(self, job: JobView) -> None:
        """A job is over: what it took was measured, so its document's forecast is told anew."""
        for desk in self._window.desks:
            if desk.document.id == job.document:
                desk.outlook.ask_again()

    def _look_at_machine(self) -> None:
        for desk in self._window.desks:
            desk.outlook.look_at_machine()
