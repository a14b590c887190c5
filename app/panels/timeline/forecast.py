"""The forecast panel: what a run would load when, whether it fits, and what would make it fit."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QToolTip, QVBoxLayout, QWidget

from app.panels.notice import Notice
from app.panels.timeline.forecast_paint import Chart, paint
from app.panels.timeline.forecast_words import (
    Titles,
    cure_words,
    stage_words,
    summary_words,
    verdict_words,
    why_words,
)
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.empty import Empty
from app.words import tr
from backend.engine.checks.wire import Forecast

_KEYS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class ForecastChart(QWidget):
    """Lanes of components and the memory in use, stage by stage. ``go`` carries the step of the
    stage that was clicked, or on which Enter was pressed."""

    spoken_role = QAccessible.Role.Chart

    go = Signal(str)

    def __init__(self, theme: Theme, title_of: Titles, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._title_of = theme, title_of
        self.forecast = Forecast()
        self.chosen = -1
        self._focused = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self.update)
        self._name()

    @property
    def chart(self) -> Chart:
        """Where its parts lie."""
        return Chart(self.forecast, self.width(), self.height())

    def show_forecast(self, forecast: Forecast) -> None:
        """Show a forecast that has stages."""
        self.forecast = forecast
        self.chosen = min(self.chosen, len(forecast.stages) - 1)
        self.setMinimumHeight(self.chart.least_height)
        self._name()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The lanes and the curve."""
        if self.forecast.stages:
            paint(QPainter(self), self.chart, self._theme.colours, self._title_of, self.chosen,
                  self._focused)  # fmt: skip

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a stage, and go to its node."""
        number = self.chart.stage_at(event.position().x())
        if event.button() == Qt.MouseButton.LeftButton and self.forecast.stages:
            self._choose(number)
            self._go()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows lead from stage to stage, Enter goes to the node, Escape chooses none."""
        key, last = Qt.Key(event.key()), len(self.forecast.stages) - 1
        if key in _KEYS and last >= 0:
            self._focused = True
            self._choose(max(0, min(last, self.chosen + _KEYS[key])))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.chosen >= 0:
            self._go()
        elif key == Qt.Key.Key_Escape and self.chosen >= 0:
            self._choose(-1)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring of the keyboard is shown; a stage is chosen, so that it is seen."""
        self._focused = event.reason() != Qt.FocusReason.MouseFocusReason
        came = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if came and self.chosen < 0 and self.forecast.stages:
            self._choose(0)
        self.update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The ring of the keyboard is gone."""
        self._focused = False
        self.update()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        """What a stage needs, as a tool tip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            number = self.chart.stage_at(event.pos().x())
            QToolTip.showText(event.globalPos(), self._words(number), self)
            return True
        return super().event(event)

    def _choose(self, number: int) -> None:
        if number != self.chosen:
            self.chosen = number
            self._name()
            self.update()

    def _go(self) -> None:
        if self.chosen >= 0:
            self.go.emit(self.forecast.stages[self.chosen].steps[0])

    def _name(self) -> None:
        name, words = tr("Forecast of the run"), self._words(self.chosen)
        self.setAccessibleName(f"{name}: {words}" if words else name)

    def _words(self, number: int) -> str:
        return stage_words(self.forecast, number, self._title_of) if number >= 0 else ""


class ForecastPanel(QWidget):
    """The forecast of the document that is looked at, in words and as a chart.

    ``go`` carries the path of a step; ``summary_changed`` a line for the title bar.
    """

    go = Signal(str)
    summary_changed = Signal(str)

    def __init__(self, theme: Theme, title_of: Titles, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chart = ForecastChart(theme, title_of)
        self.chart.go.connect(self.go)
        self.warning = Notice(theme, "triangle-alert", "", kind="warn")
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.verdict.setContentsMargins(16, 6, 16, 0)
        write_in(self.verdict, Role.CAPTION)
        self.empty = Empty(theme, "chart-line", "")
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self.chart)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._notices = QVBoxLayout()
        self._notices.addWidget(self.warning)
        column.addLayout(self._notices)
        column.addWidget(self.verdict)
        column.addWidget(self._scroll, 1)
        column.addWidget(self.empty, 1)
        column.addStretch()
        self.setAccessibleName(tr("Forecast"))
        self.show_forecast(None, "", behind=False)

    def show_forecast(self, forecast: Forecast | None, sentence: str, *, behind: bool) -> None:
        """Show a forecast, or in words why there is none. ``behind``: another is on its way."""
        draws = forecast is not None and bool(forecast.stages)
        misfit = forecast is not None and bool(forecast.misfit)
        self._scroll.setVisible(draws)
        self.warning.setVisible(misfit)
        self._notices.setContentsMargins(12, 8 if misfit else 0, 12, 0)
        self.verdict.setVisible(draws or misfit)
        self.empty.setVisible(not draws and not misfit)
        if forecast is not None and misfit:
            self.warning.say(why_words(forecast))
            self.verdict.setText(cure_words(forecast))
        elif forecast is not None and draws:
            self.verdict.setText(verdict_words(forecast))
            self.chart.show_forecast(forecast)
        self._say(forecast, sentence, behind)
        summary = summary_words(forecast) if forecast is not None and (draws or misfit) else ""
        self.summary_changed.emit(tr("Being told anew") if behind and summary else summary)

    def _say(self, forecast: Forecast | None, sentence: str, behind: bool) -> None:
        if sentence:
            self.empty.say(tr("No forecast yet."), sentence)
        elif forecast is not None:
            said = " ".join(tr("Not known before the run of {what}", what=w)
                            for w in forecast.unknown)  # fmt: skip
            self.empty.say(tr("Nothing to forecast."),
                           said or tr("No step of this graph computes with a model."))  # fmt: skip
        elif behind:
            self.empty.say(tr("No forecast yet."), tr("It is being told."))
        else:
            said = tr("What a run would load, and whether it fits, is told here.")
            self.empty.say(tr("No forecast yet."), said)
