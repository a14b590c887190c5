"""Numbers are dragged, stepped and typed; each time of the hand ends in one final value."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from backend.graph.spec import Param

STEPS = Param("steps", "integer", 20, 1, 101, 1)
SCALE = Param("scale", "number", 3.5, 0, 30, 0.1)
LEFT = Qt.MouseButton.LeftButton


def drag(editor, by, modifier=Qt.KeyboardModifier.NoModifier, release=True):
    begin = QPoint(100, 10)
    QTest.mousePress(editor, LEFT, modifier, begin)
    for part in range(1, 6):
        move(editor, begin + QPoint(round(by * part / 5), 0), modifier)
    if release:
        QTest.mouseRelease(editor, LEFT, modifier, begin + QPoint(by, 0))


def move(editor, place, modifier):
    """QTest moves without modifiers."""
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent

    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(place), QPointF(editor.mapToGlobal(place)),
        Qt.MouseButton.NoButton, LEFT, modifier,
    )  # fmt: skip
    QApplication.sendEvent(editor, event)


def wheel(editor, turns):
    place = QPointF(10, 10)
    event = QWheelEvent(
        place, QPointF(editor.mapToGlobal(place.toPoint())), QPoint(), QPoint(0, 120 * turns),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(editor, event)
    return event.isAccepted()


def test_a_drag_goes_with_the_hand_and_is_final_when_it_is_let_go(edit):
    editor, said = edit(STEPS, 20, width=200)
    drag(editor, 100)
    assert said[-1] == (70, True)
    assert [final for _, final in said[:-1]] == [False] * (len(said) - 1)
    assert len(said) > 3


def test_shift_is_fine_and_ctrl_is_coarse(edit):
    editor, said = edit(SCALE, 10.0, width=300)
    drag(editor, 30, Qt.KeyboardModifier.ShiftModifier)
    assert said[-1] == (10.3, True)
    drag(editor, 40, Qt.KeyboardModifier.ControlModifier)
    assert (said[-1][0] - 10.3) % 1 == pytest.approx(0)


def test_esc_while_it_is_dragged_takes_it_back(edit):
    editor, said = edit(STEPS, 20, width=200)
    drag(editor, 60, release=False)
    editor.setFocus()
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert said.reverted
    assert editor.value == 20
    QTest.mouseRelease(editor, LEFT, pos=QPoint(160, 10))
    assert not [value for value, final in said if final]


def test_a_click_types(edit):
    editor, said = edit(STEPS, 20)
    QTest.mouseClick(editor, LEFT, pos=QPoint(50, 10))
    assert editor.line.selectedText() == "20"
    QTest.keyClicks(editor.line, "x / 2")
    assert said.notes[-1] == ("= 10", False)
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    assert said == [(10, True)]
    assert editor.line is None
    assert editor.hasFocus()


def test_esc_while_it_is_typed_takes_it_back(edit):
    editor, said = edit(STEPS, 20)
    editor.begin()
    QTest.keyClicks(editor.line, "99")
    QTest.keyClick(editor.line, Qt.Key.Key_Escape)
    assert said == []
    assert said.ended == [False]
    assert editor.value == 20


def test_what_cannot_be_stays_open_and_says_why(edit):
    editor, said = edit(STEPS, 20)
    editor.begin()
    QTest.keyClicks(editor.line, "500")
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    assert said == []
    assert said.notes[-1] == ("Steps is 500, but must be from 1 to 101.", True)
    assert editor.line is not None


def test_going_elsewhere_keeps_what_was_typed(edit):
    editor, said = edit(STEPS, 20)
    editor.begin()
    QTest.keyClicks(editor.line, "30")
    editor.window().other.setFocus()
    assert said == [(30, True)]


def test_arrows_step_and_are_one_edit_when_they_rest(edit, spin):
    editor, said = edit(STEPS, 20)
    editor.setFocus()
    for _ in range(3):
        QTest.keyClick(editor, Qt.Key.Key_Up)
    QTest.keyClick(editor, Qt.Key.Key_PageDown)
    assert [value for value, _ in said] == [21, 22, 23, 13]
    spin(lambda: said[-1] == (13, True))
    assert sum(final for _, final in said) == 1


def test_home_and_end_are_the_limits_and_a_figure_begins_to_type(edit):
    editor, said = edit(STEPS, 20)
    editor.setFocus()
    QTest.keyClick(editor, Qt.Key.Key_End)
    QTest.keyClick(editor, Qt.Key.Key_Home)
    assert said == [(101, True), (1, True)]
    QTest.keyClick(editor, Qt.Key.Key_4)
    QTest.keyClicks(editor.line, "2")
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    assert said[-1] == (42, True)


def test_the_wheel_is_the_pages_until_the_number_has_the_focus(edit):
    editor, said = edit(STEPS, 20)
    assert not wheel(editor, 1)
    assert said == []
    editor.setFocus()
    assert wheel(editor, 1)
    assert said == [(21, False)]


def test_one_keystroke_tells_a_screen_reader(edit):
    editor, _ = edit(STEPS, 20)
    assert editor.accessibleName() == "Steps"
    assert editor.accessibleDescription() == "20"


def test_several_values_become_one_by_typing(edit):
    editor, said = edit(STEPS, 20)
    editor.show_value(20, mixed=True)
    editor.begin()
    assert editor.line.text() == ""
    QTest.keyClicks(editor.line, "20")
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    assert said == [(20, True)]
    assert not editor.mixed
