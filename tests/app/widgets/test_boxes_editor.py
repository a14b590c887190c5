"""Boxes of a layout, drawn and typed."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.labels import value_words
from app.widgets.boxes import GROUND
from backend.graph.spec import Param

BOXES = Param("boxes", "boxes", ())
LEFT = Qt.MouseButton.LeftButton
CAT = {"box": [0.1, 0.1, 0.3, 0.4], "caption": "a cat"}
DOG = {"box": [0.5, 0.5, 0.4, 0.4], "caption": "a dog"}


@pytest.fixture
def ground(edit):
    """The ground of an editor with two boxes, what it says, and the editor."""
    editor, said = edit(BOXES, [CAT, DOG], width=300, height=28 + GROUND)
    assert editor.ground.isVisible()
    return editor.ground, said, editor


def at(ground, x, y):
    return ground.to_widget(QPointF(1000 * x, 1000 * y)).toPoint()


def drag(ground, start, end, keep=True):
    QTest.mousePress(ground, LEFT, pos=start)
    for share in (0.3, 0.7, 1.0):
        QTest.mouseMove(ground, start + (end - start) * share)
    if keep:
        QTest.mouseRelease(ground, LEFT, pos=end)


def test_a_drag_draws_a_box_and_asks_for_its_caption(ground):
    view, said, editor = ground
    drag(view, at(view, 0.55, 0.1), at(view, 0.85, 0.4))
    assert len(said) == 1
    drawn = said[0][0][2]
    assert drawn["box"] == pytest.approx([0.55, 0.1, 0.3, 0.3], abs=0.01)
    assert view.line is not None
    QTest.keyClicks(view.line, "a bird")
    QTest.keyClick(view.line, Qt.Key.Key_Return)
    assert said[-1] == ([CAT, DOG, {**drawn, "caption": "a bird"}], True)
    assert editor.value == said[-1][0]


def test_a_box_moves_with_the_hand_and_stays_in_the_picture(ground):
    view, said, _ = ground
    drag(view, at(view, 0.2, 0.3), at(view, 0.2, 0.3) - QPoint(400, 0))
    (value, final) = said[-1]
    assert final
    assert [each for _, each in said].count(True) == 1
    assert value[0]["box"] == pytest.approx([0.0, 0.1, 0.3, 0.4], abs=0.01)
    assert value[1] == DOG


def test_a_corner_sizes_a_box(ground):
    view, said, _ = ground
    QTest.mouseClick(view, LEFT, pos=at(view, 0.7, 0.7))
    drag(view, at(view, 0.9, 0.9), at(view, 0.8, 0.75))
    assert said[-1][0][1]["box"] == pytest.approx([0.5, 0.5, 0.3, 0.25], abs=0.015)
    assert [final for _, final in said].count(True) == 1


def test_esc_takes_a_gesture_back(ground):
    view, said, _ = ground
    drag(view, at(view, 0.2, 0.3), at(view, 0.3, 0.4), keep=False)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    QTest.mouseRelease(view, LEFT, pos=at(view, 0.3, 0.4))
    assert said.reverted
    drag(view, at(view, 0.55, 0.1), at(view, 0.8, 0.3), keep=False)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    QTest.mouseRelease(view, LEFT, pos=at(view, 0.8, 0.3))
    assert not [value for value, final in said if final]


def test_keys_choose_move_size_name_add_and_remove(ground):
    view, said, editor = ground
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_PageDown)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert said[-1][0][0]["box"] == pytest.approx([0.105, 0.1, 0.3, 0.4])
    QTest.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert said[-1][0][0]["box"] == pytest.approx([0.105, 0.1, 0.3, 0.405])
    QTest.keyClick(view, Qt.Key.Key_Return)
    QTest.keyClicks(view.line, "a lion")
    QTest.keyClick(view.line, Qt.Key.Key_Return)
    assert said[-1][0][0]["caption"] == "a lion"
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert said[-1] == ([DOG], True)
    QTest.keyClick(view, Qt.Key.Key_Insert)
    QTest.keyClick(view.line, Qt.Key.Key_Escape)
    assert len(editor.value) == 2
    assert all(final for _, final in said)


def test_keys_of_a_chosen_box_are_no_shortcuts_of_the_window(ground):
    view, _, _ = ground
    view.setFocus()
    for chosen in ("", "0"):
        view.choose(chosen)
        event = QKeyEvent(QKeyEvent.Type.ShortcutOverride, Qt.Key.Key_Delete,
                          Qt.KeyboardModifier.NoModifier)  # fmt: skip
        event.ignore()
        QApplication.sendEvent(view, event)
        assert event.isAccepted() is bool(chosen)


def test_a_box_in_the_place_of_another_goes_back(ground):
    view, said, editor = ground
    editor.show_value([CAT, {**CAT, "box": [0.1, 0.11, 0.3, 0.4]}])
    view.setFocus()
    view.choose("1")
    QTest.keyClick(view, Qt.Key.Key_Up)
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert said.notes[-1][1]
    assert "in the same place" in said.notes[-1][0]
    assert editor.value[1]["box"][1] == pytest.approx(0.105)


def test_json_is_pasted_and_what_is_none_is_told(edit):
    editor, said = edit(BOXES, [], width=300, height=28 + GROUND)
    editor.begin()
    line = editor.line.line
    QApplication.clipboard().setText(json.dumps({"boxes": [CAT]}))
    line.paste()
    assert said.notes[-1] == ("1 box", False)
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert said[-1] == ([CAT], True)
    editor.begin()
    QTest.keyClicks(line, "[1]")
    assert said.notes[-1][1]
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert len(said) == 1


def test_what_is_no_box_shows_none_and_a_node_names_captions(edit):
    editor, _ = edit(BOXES, [{"box": 3}], width=300, height=28 + GROUND)
    assert editor.ground.boxes == ()
    assert value_words([CAT, DOG], "boxes") == "a cat, a dog"
    assert value_words([{**CAT, "caption": ""}], "boxes") == "1"
    assert value_words((), "boxes") == "0"
