"""The timeline with a real mouse and keyboard: a bar leads to its node, a drag measures."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.panels.timeline import Record, Sample, Span, TimelinePanel
from app.panels.timeline.paint import LEFT, Frame
from app.theme.colours import LIGHT, mix
from app.theme.types import category_look
from tests.app.panels.conftest import drag

GB = 2**30
SPANS = (
    Span("prepare", "Layout boxes", "cpu", "Layout", 0.0, 0.5),
    Span("load", "Load model", "device", "Model", 0.5, 1.0),
    Span("sample", "Sample", "device", "Sampling", 1.0, 5.0),
    Span("save", "Save image", "file", "Image/File", 5.0, 6.0, failed=True),
)
SAMPLES = tuple(Sample(second / 10, (second % 30) * GB // 10) for second in range(61))
RUN = Record(SPANS, SAMPLES)


@pytest.fixture
def panel(theme, mount):
    made = mount(TimelinePanel(theme), 900, 240)
    made.show_record(RUN)
    return made


def place(panel, number):
    frame = Frame(panel.width(), panel.height())
    span = panel.record.spans[number]
    return frame.bar(span, panel.record.end_of(span), panel.axis).center().toPoint()


def x_of(panel, second):
    return round(LEFT + panel.axis.x(second))


def test_a_click_on_a_bar_goes_to_its_node(panel):
    gone = []
    panel.go.connect(gone.append)
    for number in (2, 3, 0):
        QTest.mouseClick(panel, Qt.MouseButton.LeftButton, pos=place(panel, number))
    QTest.mouseClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(x_of(panel, 3), 200))
    assert gone == ["sample", "save", "prepare"]


def test_a_drag_measures_time_and_peak(panel):
    drag(panel, QPoint(x_of(panel, 1.0), 200), QPoint(x_of(panel, 3.0), 200))
    begin, end = panel.marks.measure
    assert end - begin == pytest.approx(2.0, abs=0.02)
    assert panel.summary == "Measured 2.0 s · peak 2.9 GB"
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    assert panel.marks.measure is None
    assert panel.summary == "Peak 2.9 GB"


def test_a_drag_that_begins_on_a_bar_measures_and_does_not_go(panel):
    gone = []
    panel.go.connect(gone.append)
    drag(panel, place(panel, 2), place(panel, 2) + QPoint(80, 0))
    assert gone == []
    assert panel.marks.measure is not None


def test_a_measure_ends_where_the_run_does(panel):
    drag(panel, QPoint(x_of(panel, 3.0), 200), QPoint(panel.width() + 400, 200))
    assert panel.marks.measure[1] <= panel.record.length * 1.06


def test_arrows_and_enter_do_what_the_mouse_does(panel):
    gone = []
    panel.go.connect(gone.append)
    panel.setFocus(Qt.FocusReason.TabFocusReason)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Right, Qt.Key.Key_Return):
        QTest.keyClick(panel, key)
    assert gone == ["sample"]
    assert panel.accessibleName() == "Run timeline: Sample, 4.0 s, from 1.0 s on"
    assert panel.marks.focused


def wheel(panel, second, turn, modifiers=Qt.KeyboardModifier.NoModifier):
    where = QPointF(x_of(panel, second), 100)
    event = QWheelEvent(
        where, panel.mapToGlobal(where), QPoint(), QPoint(0, turn), Qt.MouseButton.NoButton,
        modifiers, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(panel, event)


def test_the_wheel_zooms_to_the_pointer_and_shift_scrolls(panel):
    before = x_of(panel, 3.0)
    wheel(panel, 3.0, 960)
    assert panel.axis.seconds < 2.5
    assert x_of(panel, 3.0) == pytest.approx(before, abs=2)
    begin = panel.axis.begin
    wheel(panel, 3.0, -240, Qt.KeyboardModifier.ShiftModifier)
    assert panel.axis.begin > begin
    QTest.keyClick(panel, Qt.Key.Key_0)
    assert (panel.axis.begin, panel.axis.seconds) == (0.0, pytest.approx(6.3))


def test_an_arrow_scrolls_a_bar_into_sight(panel):
    panel.zoom(8, 0)
    assert panel.axis.begin == 0
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down):
        QTest.keyClick(panel, key)
    axis = panel.axis
    assert panel.record.spans[panel.marks.chosen].step == "save"
    assert axis.begin <= 5.0 <= axis.begin + axis.seconds


def test_what_is_zoomed_stays_while_the_run_grows_and_another_run_is_seen_whole(panel):
    panel.zoom(3, 0)
    seconds = panel.axis.seconds
    panel.show_record(Record(SPANS, SAMPLES, now=9.0))
    assert panel.axis.seconds == seconds
    panel.show_record(Record((Span("x", "X", "cpu", "Image", 0.0, 2.0),)))
    assert panel.axis.seconds == pytest.approx(2.1)
    assert panel.marks.chosen == -1


def test_bars_have_the_hue_of_their_category_in_both_themes(panel, theme):
    theme.set_dark(False)
    image = panel.grab().toImage()
    spot = place(panel, 2) + QPoint(100, 0)
    hue = category_look("Sampling").hue(LIGHT)
    assert image.pixelColor(spot) == QColor(mix(LIGHT.panel, hue, 0.5))
    failed = image.pixelColor(place(panel, 3) + QPoint(0, 8))
    assert failed == QColor(mix(LIGHT.panel, LIGHT.danger, 0.5))


def test_the_playhead_stands_at_now_and_only_while_it_runs(panel, theme):
    strong = QColor(theme.colours.strong)

    def column(second):
        image = panel.grab().toImage()
        x = x_of(panel, second)
        return sum(image.pixelColor(x, y) == strong for y in range(40, 220))

    assert column(5.5) < 20
    panel.show_record(Record(SPANS, SAMPLES, now=5.5))
    assert column(5.5) > 100
    assert panel.summary.startswith("Peak so far")


def test_a_bar_tells_what_it_is(panel):
    assert panel.span_words(SPANS[3]) == "Save image, 1.0 s, from 5.0 s on, failed"
    QTest.mouseMove(panel, place(panel, 2))
    assert panel.marks.hovered == 2
    assert panel.cursor().shape() == Qt.CursorShape.PointingHandCursor


def test_no_run_is_told(theme, mount):
    panel = mount(TimelinePanel(theme), 600, 240)
    assert panel._empty.isVisible()
    assert not any(action.isEnabled() for action in panel.tools)
    QTest.keyClick(panel, Qt.Key.Key_Right)
    wheel(panel, 0, 120)


def test_twenty_thousand_steps_are_painted_in_time(theme, mount):
    panel = mount(TimelinePanel(theme), 1200, 240)
    spans = tuple(
        Span(f"s{n}", f"Step {n}", "device", "Image", n / 100, n / 100 + 0.01)
        for n in range(20_000)
    )
    samples = tuple(Sample(n / 100, n * 1000) for n in range(20_000))
    panel.show_record(Record(spans, samples))
    began = time.perf_counter()
    panel.grab()
    assert time.perf_counter() - began < 0.5
    QTest.mouseClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(x_of(panel, 100.005), 40))
    assert panel.marks.chosen >= 0
