"""The forecast of a run with a real mouse and keyboard, and in words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest

from app.panels.timeline.forecast import ForecastPanel
from app.panels.timeline.forecast_paint import Chart
from app.panels.timeline.forecast_words import misfit_words, stage_words, verdict_words
from backend.engine.checks.wire import Forecast, ForecastStage, Lane, Stay

MIB = 2**20
LANES = (Lane("primer/text_encoder", "text_encoder", 2 * MIB), Lane("primer/vae", "vae", 8 * MIB))
STAGES = (
    ForecastStage(("prompt",), 1, 1.0, 0.25, MIB, (Stay(0, 2 * MIB, 2 * MIB, used=True),),
                  (2 * MIB, 3 * MIB)),
    ForecastStage(("decode", "again"), 4, 3.0, 0.0, 2 * MIB,
                  (Stay(1, 4 * MIB, 64 * MIB, streams=True, used=True),), (6 * MIB, 6 * MIB)),
)  # fmt: skip
FITS = Forecast(
    device_budget=8 * MIB, host_budget=64 * MIB, device_peak=6 * MIB, host_peak=3 * MIB,
    loaded=66 * MIB, least_loaded=60 * MIB, read=5 * MIB, lanes=LANES, stages=STAGES,
)  # fmt: skip
TIMED = Forecast(
    device_budget=8 * MIB, device_peak=6 * MIB, loaded=MIB, least_loaded=MIB, lanes=LANES,
    stages=STAGES, timed=True, seconds=4.0, waiting=0.25, least_waiting=0.2,
)  # fmt: skip
MISFIT = Forecast(
    misfit="Step 'decode' needs 9.0 MiB at once; the budget is 1.0 MiB.",
    cures=("compute in less", "a device budget of 9.0 MiB"), lanes=LANES,
)  # fmt: skip


def title(step: str) -> str:
    return step.capitalize()


@pytest.fixture
def panel(theme, mount):
    made = mount(ForecastPanel(theme, title), 800, 260)
    made.show_forecast(FITS, "", behind=False)
    return made


def middle(panel, number):
    left, right = panel.chart.chart.edges[number : number + 2]
    return QPoint(round((left + right) / 2), 30)


def test_a_click_on_a_stage_goes_to_its_node(panel):
    gone = []
    panel.go.connect(gone.append)
    left = Qt.MouseButton.LeftButton
    QTest.mouseClick(panel.chart, left, pos=middle(panel, 1))
    QTest.mouseClick(panel.chart, left, pos=middle(panel, 0))
    QTest.mouseClick(panel.chart, left, pos=QPoint(10, 30))
    assert gone == ["decode", "prompt"]


def test_arrows_lead_from_stage_to_stage_and_say_what_it_needs(panel):
    gone = []
    panel.go.connect(gone.append)
    panel.chart.setFocus(Qt.FocusReason.TabFocusReason)
    assert "Prompt, stage 1 of 2" in panel.chart.accessibleName()
    QTest.keyClick(panel.chart, Qt.Key.Key_Right)
    QTest.keyClick(panel.chart, Qt.Key.Key_Right)
    assert "primer/vae streams, 64.0 MiB in all." in panel.chart.accessibleName()
    QTest.keyClick(panel.chart, Qt.Key.Key_Return)
    assert gone == ["decode"]
    QTest.keyClick(panel.chart, Qt.Key.Key_Escape)
    assert panel.chart.accessibleName() == "Forecast of the run"


def test_widths_follow_seconds_and_are_equal_where_these_are_not_known():
    widths = [right - left for left, right in pairwise(Chart(FITS, 800, 260).edges)]
    assert widths[0] == pytest.approx(widths[1])
    assert "Widths are equal" in verdict_words(FITS)
    widths = [right - left for left, right in pairwise(Chart(TIMED, 800, 260).edges)]
    assert widths[1] == pytest.approx(3 * widths[0])
    said = verdict_words(TIMED)
    assert "4.0 s" in said
    assert "no plan waits less than" in said
    assert "equal" not in said


def test_the_verdict_tells_peak_bytes_and_the_bound():
    said = verdict_words(FITS)
    for figure in ("6.0 MiB of 8.0 MiB", "3.0 MiB of host", "66.0 MiB", "less than 60.0 MiB"):
        assert figure in said
    assert "the least that can be" in verdict_words(TIMED)


def test_a_misfit_says_why_and_what_would_help(panel):
    heard = []
    panel.summary_changed.connect(heard.append)
    panel.show_forecast(MISFIT, "", behind=False)
    assert panel.warning.isVisible()
    assert "needs 9.0 MiB" in panel.warning.sentence
    assert "· compute in less\n· a device budget of 9.0 MiB" in panel.verdict.text()
    assert not panel.chart.isVisible()
    assert heard == ["Does not fit"]
    assert misfit_words(MISFIT).endswith("compute in less, or a device budget of 9.0 MiB.")
    panel.show_forecast(FITS, "", behind=True)
    assert not panel.warning.isVisible()
    assert panel.chart.isVisible()
    assert heard[-1] == "Being told anew"


def test_what_is_empty_says_why(panel):
    for forecast, sentence, word in (
        (None, "The model abc is not there.", "The model abc is not there."),
        (Forecast(), "", "computes with a model"),
        (Forecast(unknown=("sample: its list is long.",)), "", "sample: its list is long."),
        (None, "", "whether it fits"),
    ):
        panel.show_forecast(forecast, sentence, behind=False)
        assert panel.empty.isVisible()
        assert not panel.chart.isVisible()
        assert word in panel.empty.accessibleName()


def test_the_budget_is_an_amber_line_above_the_curve(panel, theme):
    picture = panel.chart.grab().toImage()
    rect, amber = panel.chart.chart.curve, QColor(theme.colours.warning)
    row = [picture.pixelColor(x, int(rect.top())) for x in range(200, 600)]
    near = [c for c in row if abs(c.red() - amber.red()) + abs(c.blue() - amber.blue()) < 60]
    assert len(near) > 100


def test_a_stage_of_unknown_need_says_so():
    stage = ForecastStage(("sample",), 1, 1.0, 0.0, -1, (), (0,))
    assert "not known yet" in stage_words(Forecast(stages=(stage,)), 0, title)
