"""Lists of numbers, typed and drawn as a curve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.widgets.values import CURVE, listed, numbers
from backend.graph.spec import Param

SIGMAS = Param("sigmas", "values", ())
LEFT = Qt.MouseButton.LeftButton


@given(st.lists(st.floats(-1e9, 1e9)))
def test_what_is_written_is_read_again_exactly(values):
    assert numbers(listed(values)) == values


def test_blanks_semicolons_and_formulas_are_read():
    assert numbers("1 0.5 0") == [1, 0.5, 0]
    assert numbers("1; 1/2; 0,") == [1, 0.5, 0]
    assert numbers("") == []


def test_what_is_no_number_is_said():
    with pytest.raises(ValueError, match="apples"):
        numbers("1, apples")


def test_the_list_is_typed(edit):
    editor, said = edit(SIGMAS, [1, 0.5])
    editor.begin()
    QTest.keyClicks(editor.line.line, "1, 0.25, 0")
    assert said.notes[-1] == ("3 numbers", False)
    QTest.keyClick(editor.line.line, Qt.Key.Key_Return)
    assert said == [([1, 0.25, 0], True)]
    editor.begin()
    QTest.keyClicks(editor.line.line, "1, two")
    QTest.keyClick(editor.line.line, Qt.Key.Key_Return)
    assert len(said) == 1
    assert said.notes[-1][1]


@pytest.fixture
def curve(edit):
    editor, said = edit(SIGMAS, [1.0, 0.5, 0.0], width=300, height=28 + CURVE)
    QTest.mouseClick(editor.line, LEFT, pos=QPoint(290, 12))
    assert editor.curve.isVisible()
    return editor.curve, said


def test_a_point_goes_with_the_hand(curve):
    widget, said = curve
    place = widget.place(1).toPoint()
    QTest.mousePress(widget, LEFT, pos=place)
    QTest.mouseMove(widget, QPoint(place.x(), 12))
    QTest.mouseRelease(widget, LEFT, pos=QPoint(place.x(), 12))
    assert said[-1] == ([1.0, 1.0, 0.0], True)
    assert said[0][1] is False


def test_esc_lets_a_point_go_back(curve):
    widget, said = curve
    place = widget.place(1).toPoint()
    QTest.mousePress(widget, LEFT, pos=place)
    QTest.mouseMove(widget, QPoint(place.x(), 12))
    QTest.keyClick(widget, Qt.Key.Key_Escape)
    QTest.mouseRelease(widget, LEFT, pos=QPoint(place.x(), 12))
    assert said.reverted
    assert not [value for value, final in said if final]


def test_points_are_chosen_moved_added_and_removed_by_keys(curve):
    widget, said = curve
    widget.setFocus()
    QTest.keyClick(widget, Qt.Key.Key_Right)
    QTest.keyClick(widget, Qt.Key.Key_Up)
    assert said[-1] == ([1.0, 0.51, 0.0], True)
    QTest.keyClick(widget, Qt.Key.Key_Insert)
    assert said[-1] == ([1.0, 0.51, 0.51, 0.0], True)
    QTest.keyClick(widget, Qt.Key.Key_Delete)
    QTest.keyClick(widget, Qt.Key.Key_Delete)
    assert said[-1] == ([1.0, 0.51], True)
    assert "Point 2 of 2" in widget.accessibleDescription()


def test_a_double_click_puts_the_first_point_in(edit):
    editor, said = edit(SIGMAS, [], width=300, height=28 + CURVE)
    editor.unfold()
    middle = QPoint(150, int(editor.curve.area().center().y()))
    QTest.mouseDClick(editor.curve, LEFT, pos=middle)
    assert said[-1] == ([0.5], True)
