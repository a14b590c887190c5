"""What the window says before a run: whether it fits, and what would make it fit."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.main import FIRST
from tests.app.shell.desktop import ALT, CTRL

Key = Qt.Key
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def template(desktop):
    """The template with Primer, of whose memory a test may set the limit."""
    window = desktop.window
    window.services.begin()
    window.services.desk.put("run.device", "cpu")
    window.open_text(FIRST.read_text("utf-8"))
    desktop.see()
    yield desktop
    for key in ("run.device", "run.memory"):
        window.services.desk.reset(key)


def told(desktop, spin, until):
    outlook = desktop.window.desk.outlook
    spin(lambda: not outlook.behind and outlook.forecast is not None and until(outlook), 30.0)


def test_a_run_that_does_not_fit_is_said_and_can_be_started(template, spin, monkeypatch):
    window = template.window
    told(template, spin, lambda outlook: outlook.forecast.stages)
    assert not window.fit_line.isVisibleTo(window)
    assert "fit" not in window.bar.run.toolTip()
    window.services.desk.put("run.memory", "1MiB")
    told(template, spin, lambda outlook: outlook.forecast.misfit)
    assert window.fit_line.isVisibleTo(window)
    for words in (window.fit_line.toolTip(), window.bar.run.toolTip()):
        assert "the budget is 1.0 MiB" in words
        assert "What would make it fit: " in words
    QTest.mouseClick(window.fit_line, LEFT)
    panel = window.time_pane.made("Forecast")
    assert window.time_pane.current == "Forecast"
    assert panel.warning.isVisibleTo(panel)
    started = []
    monkeypatch.setattr(window.services.room, "run", lambda *rest, **more: started.append(rest))
    spin(lambda: not window.desk.checks.behind)
    QTest.keyClick(window.canvas, Key.Key_Return, CTRL)
    spin(lambda: started)


def test_the_panel_follows_the_document_that_is_looked_at(template, spin):
    window = template.window
    told(template, spin, lambda outlook: outlook.forecast.stages)
    QTest.keyClick(window, Key.Key_8, ALT)
    QApplication.processEvents()
    panel = window.time_pane.made("Forecast")
    assert window.time_pane.current == "Forecast"
    assert panel.chart.isVisibleTo(panel)
    assert "Peak" in window.time_pane.note.text()
    titles = [panel.chart._title_of(s.steps[0]) for s in panel.chart.forecast.stages]
    assert "Sample" in titles
    gone = []
    panel.go.connect(gone.append)
    panel.chart.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(panel.chart, Key.Key_Return)
    assert gone == [panel.chart.forecast.stages[0].steps[0]]
    window.services.documents.new()
    spin(lambda: panel.empty.isVisibleTo(panel))
    assert window.time_pane.note.text() == ""
