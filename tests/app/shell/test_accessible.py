"""Everything by keyboard and by ear: names, roles, values, the way of Tab, and still motion."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

from app.main import FIRST
from app.shell.tab_way import stops
from app.widgets.spoken import speak
from tests.app.shell.desktop import SHIFT

Key = Qt.Key
TABS = (
    ("view_pane", "Viewer"), ("node_pane", "Inspector"), ("node_pane", "Document"),
    ("node_pane", "History"), ("node_pane", "Batch"), ("node_pane", "Layers"),
    ("said_pane", "Problems"), ("said_pane", "Log"),
    ("said_pane", "Models"), ("said_pane", "Packs"), ("queue_pane", "Queue"),
    ("queue_pane", "Jobs"), ("queue_pane", "Gallery"), ("time_pane", "Run timeline"),
    ("time_pane", "Forecast"),
)  # fmt: skip
NO_ROLES = (QAccessible.Role.NoRole, QAccessible.Role.Client)


@pytest.fixture(autouse=True)
def spoken(application):
    speak()


@pytest.fixture
def template(desktop):
    desktop.window.resize(1440, 900)
    desktop.window.open_text(FIRST.read_text("utf-8"))
    desktop.see()
    desktop.document.select(["sample"])
    QApplication.processEvents()
    return desktop


def reachable(root: QWidget) -> Iterator[QWidget]:
    """The widgets in another that are seen and can have the keyboard."""
    for widget in [root, *root.findChildren(QWidget)]:
        takes = widget.focusPolicy() != Qt.FocusPolicy.NoFocus and widget.isEnabled()
        if widget.focusProxy() is not None:  # another has the keyboard for it
            continue
        if takes and (widget is root or widget.isVisibleTo(root)):
            yield widget


def mute(root: QWidget) -> list[str]:
    """The widgets of which a screen reader would not know the name, or what they are."""
    found = []
    for widget in reachable(root):
        told = QAccessible.queryAccessibleInterface(widget)
        if not told.text(QAccessible.Text.Name).strip() or told.role() in NO_ROLES:
            found.append(f"{type(widget).__name__} in {type(widget.parent()).__name__}")
    return found


@pytest.mark.parametrize(("pane", "title"), TABS, ids=[title for _, title in TABS])
def test_every_widget_of_the_window_has_a_name_and_a_role(template, pane, title):
    getattr(template.window, pane).show_tab(title)
    QApplication.processEvents()
    assert mute(template.window) == []


def test_every_kind_of_value_has_a_name_and_a_role(template):
    kinds = set()
    for path, view in template.bench.canvas.board.nodes.items():
        template.document.select([path])
        QApplication.processEvents()
        assert mute(template.window.node_pane) == [], path
        kinds |= {param.kind for param in view.spec.params}
    assert len(kinds) >= 5


def test_the_form_the_settings_and_the_palette_too(template):
    window = template.window
    window.show_form(True)
    assert mute(window.pages.widget(1)) == []
    window.show_form(False)
    window.adding.ask(QPointF(0, 0))
    assert mute(window.adding.palette) == []
    template.key(Key.Key_Escape)
    window.commands.do("edit.settings")
    from app.panels.settings.window import SettingsWindow

    settings = window.findChildren(SettingsWindow)[-1]
    for page in range(settings.pages.count()):
        settings.pages.setCurrentRow(page)
        QApplication.processEvents()
        assert mute(settings) == [], page
    settings.close()


def test_a_screen_reader_hears_the_value(template):
    from app.widgets.number import NumberEditor

    window = template.window
    window.node_pane.show_tab("Inspector")
    QApplication.processEvents()
    steps = next(
        each for each in window.node_pane.findChildren(NumberEditor)
        if each.accessibleName() == "Steps" and each.isVisible()
    )  # fmt: skip
    told = QAccessible.queryAccessibleInterface(steps)
    assert told.role() == QAccessible.Role.SpinBox
    assert told.text(QAccessible.Text.Value) == "28"
    steps.give(30)
    assert told.text(QAccessible.Text.Value) == "30"


def walk(desktop, start: QWidget, canvas: QWidget) -> dict[int, QWidget]:
    """What Tab comes by from a widget on, until it comes round or to the graph.

    The widgets are held, since the numbers by which they are known are given anew otherwise.
    """
    start.setFocus(Qt.FocusReason.TabFocusReason)
    QApplication.processEvents()
    seen: dict[int, QWidget] = {}
    for _ in range(400):
        held = QApplication.focusWidget()
        if held is None or held is canvas or id(held) in seen:
            break
        seen[id(held)] = held
        QTest.keyClick(held, Key.Key_Tab)
        QApplication.processEvents()
    else:
        pytest.fail("Tab never comes round")
    return seen


def test_tab_goes_as_a_page_is_read_however_far_it_is_scrolled(template):
    pane = template.window.node_pane
    pane.show_tab("Inspector")
    QApplication.processEvents()
    (area,) = (each for each in pane.findChildren(QScrollArea) if each.isVisible())
    order = stops([pane])
    area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())
    assert area.verticalScrollBar().value() > pane.bar.height()
    assert stops([pane]) == order
    assert order[0] is pane.bar
    rows = [each for each in order if area.isAncestorOf(each)]
    heights = [each.mapTo(area.widget(), QPoint(0, each.height() // 2)).y() for each in rows]
    assert all(low <= high + 12 for low, high in pairwise(heights))


@pytest.mark.parametrize(("pane", "title"), TABS, ids=[title for _, title in TABS])
def test_all_of_a_panel_is_reached_by_f6_and_tab(template, pane, title):
    """There is no trap: Tab goes on from every widget, and F6 leads to each pane."""
    window = template.window
    here = getattr(window, pane)
    here.show_tab(title)
    QApplication.processEvents()
    canvas = window.canvas
    canvas.setFocus()
    for _ in range(len(window.panes) + 1):
        template.key(Key.Key_F6)
        if here.bar.hasFocus():
            break
    assert here.bar.hasFocus()
    seen = walk(template, here.bar, canvas)
    for widget in reachable(here):
        by_tab = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if by_tab and not inner(widget):
            assert id(widget) in seen, f"{type(widget).__name__} {widget.accessibleName()}"


def inner(widget: QWidget) -> bool:
    """Whether it is a part of another that has the keyboard for it."""
    parent = widget.parentWidget()
    return parent is not None and parent.focusProxy() is widget


def test_tab_goes_through_the_bars_and_back(template):
    window = template.window
    forward = walk(template, window.bar.count, window.canvas)
    for each in (window.bar.count, window.bar.run, window.bar.palette_button):
        assert id(each) in forward
    window.bar.run.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(window.bar.run, Key.Key_Tab, SHIFT)
    assert QApplication.focusWidget() in (window.bar.count, window.bar.count.lineEdit())


def test_nothing_moves_where_motion_is_reduced(template):
    """The test window has reduced motion on: a fit is there at once."""
    canvas = template.window.canvas
    canvas.fit(["save"])
    first = canvas.camera
    for _ in range(5):
        QApplication.processEvents()
    assert canvas.camera == first


@pytest.mark.parametrize("contrast", ["normal", "high"])
def test_the_contrast_setting_dresses_the_window(template, contrast):
    desk, theme = template.window.services.desk, template.window.services.theme
    try:
        desk.put("studio.contrast", contrast)
        assert theme.colours.high is (contrast == "high")
    finally:
        desk.put("studio.contrast", "system")
    assert not theme.colours.high
