"""The line at the bottom of the window."""

from __future__ import annotations

from PySide6.QtWidgets import QStatusBar

from app.panels.status import EngineLine, FitLine, JobLine, ProblemsLine, WordLine
from app.theme.theme import Theme


class StatusLines:
    """24 high: the job that runs; at the right whether a run fits, problems, engine and zoom."""

    def __init__(self, theme: Theme, bar: QStatusBar) -> None:
        self.job, self.problems, self.fit = JobLine(theme), ProblemsLine(theme), FitLine(theme)
        self.engine, self.zoom = EngineLine(theme), WordLine(theme)
        self._theme, self._bar = theme, bar
        theme.changed.connect(self._dress)
        self._dress()
        bar.setSizeGripEnabled(False)
        bar.addWidget(self.job)
        for line in (self.fit, self.problems, self.engine, self.zoom):
            bar.addPermanentWidget(line)

    def _dress(self) -> None:
        self._bar.setFixedHeight(self._theme.measures.tall(24))
