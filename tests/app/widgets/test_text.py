"""Words keep every character, are told as they are typed, and can be taken back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.widgets.line import clean
from app.widgets.weights import weighed
from backend.graph.prompts import read_prompt
from backend.graph.spec import Param

PROMPT = Param("prompt", "multiline", "")
TITLE = Param("title", "text", "")


def test_a_line_is_kept_by_enter_and_taken_back_by_esc(edit):
    editor, said = edit(TITLE, "old")
    editor.begin()
    QTest.keyClicks(editor.line, "new")
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    assert said == [("new", True)]
    QTest.keyClicks(editor.line, " words")
    QTest.keyClick(editor.line, Qt.Key.Key_Escape)
    assert editor.line.text() == "new"
    assert len(said) == 1


def test_a_value_from_elsewhere_does_not_disturb_what_is_typed(edit):
    editor, _ = edit(TITLE, "old")
    editor.begin()
    QTest.keyClicks(editor.line, "ne")
    editor.show_value("other")
    assert editor.line.text() == "ne"


def test_every_key_of_a_prompt_is_told_and_is_final_when_it_is_left(edit):
    editor, said = edit(PROMPT, "", height=60)
    editor.begin()
    QTest.keyClicks(editor.box, "red")
    assert said == [("r", False), ("re", False), ("red", False)]
    editor.window().other.setFocus()
    assert said[-1] == ("red", True)
    assert said.ended == [True]


def test_esc_in_a_prompt_takes_back_what_was_typed(edit):
    editor, said = edit(PROMPT, "a", height=60)
    editor.begin()
    QTest.keyClicks(editor.box, "b")
    QTest.keyClick(editor.box, Qt.Key.Key_Escape)
    assert said.reverted
    assert said.ended == [False]


def test_an_input_method_composes_and_commits(edit):
    editor, said = edit(PROMPT, "", height=60)
    editor.begin()
    QApplication.sendEvent(editor.box, QInputMethodEvent("に", []))
    assert said == []
    event = QInputMethodEvent("", [])
    event.setCommitString("日本 🌍👩‍🎨")
    QApplication.sendEvent(editor.box, event)
    assert said[-1][0] == "日本 🌍👩‍🎨"


def test_tokens_are_counted_when_the_keys_rest(edit, spin):
    asked = []

    def count(text, answer):
        asked.append(text)
        answer(f"{len(text.split())} of 77 tokens")

    editor, said = edit(PROMPT, "one", height=60, tokens=count)
    spin(lambda: asked)
    asked.clear()
    editor.begin()
    QTest.keyClicks(editor.box, " two three")
    spin(lambda: asked)
    assert asked == ["one two three"]
    assert said.notes[-1] == ("3 of 77 tokens", False)


def test_an_answer_that_comes_too_late_is_not_shown(edit, spin):
    late = []
    editor, said = edit(PROMPT, "one", height=60, tokens=lambda text, answer: late.append(answer))
    spin(lambda: late)
    editor.begin()
    QTest.keyClicks(editor.box, "!")
    late[0]("1 of 77 tokens")
    assert said.notes == []


def test_a_prompt_grows_with_its_lines(edit):
    editor, _ = edit(PROMPT, "one", height=60)
    low = editor.sizeHint().height()
    editor.show_value("\n".join("abcdef"))
    assert editor.sizeHint().height() > low
    editor.show_value("\n" * 500)
    assert editor.sizeHint().height() < 300


def test_ctrl_up_weighs_what_is_selected_beside_an_emoji(edit):
    editor, said = edit(PROMPT, "🌍 a red circle", height=60)
    editor.begin()
    cursor = editor.box.textCursor()
    cursor.setPosition(5)
    cursor.setPosition(8, QTextCursor.MoveMode.KeepAnchor)
    editor.box.setTextCursor(cursor)
    assert cursor.selectedText() == "red"
    QTest.keyClick(editor.box, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
    assert said[-1][0] == "🌍 a (red:1.1) circle"
    QTest.keyClick(editor.box, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
    assert said[-1][0] == "🌍 a (red:1.2) circle"
    for _ in range(2):
        QTest.keyClick(editor.box, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert said[-1][0] == "🌍 a red circle"


WORDS = st.text("abc ,", min_size=1, max_size=20)


@given(WORDS, st.integers(0, 20), st.integers(0, 20), st.integers(1, 8))
def test_weights_up_and_down_again_leave_the_words(text, begin, end, times):
    begin, end = sorted((min(begin, len(text)), min(end, len(text))))
    said, a, b = weighed(text, begin, end, 0.1)
    if said == text:
        return
    for _ in range(times - 1):
        said, a, b = weighed(said, a, b, 0.1)
    assert said[a:b] in text
    for _ in range(times):
        said, a, b = weighed(said, a, b, -0.1)
    assert said == text


def test_weights_are_those_of_the_prompt_syntax():
    said, begin, end = weighed("a red circle", 2, 5, 0.3)
    assert said == "a (red:1.3) circle"
    assert said[begin:end] == "red"
    (chunk,) = read_prompt(said).at(0)
    assert chunk.text == "a red circle"
    assert [(span.start, span.end, span.weight) for span in chunk.spans] == [(2, 5, 1.3)]


@given(st.text())
def test_a_document_can_hold_whatever_was_typed(text):
    clean(text).encode("utf-8")
    assert "\r" not in clean(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [("\ud83c", "\ufffd"), ("a\udf0db", "a\ufffdb"), ("\ud83c\udf0d", "\U0001f30d")],
)
def test_halves_of_characters_are_joined_or_replaced(text, kept):
    assert clean(text) == kept


def test_a_formula_says_its_result_or_what_is_wrong(edit):
    editor, said = edit(
        Param("expression", "expression", "1"), "1", names=lambda: {"a": 2.0, "b": None}
    )
    editor.begin()
    QTest.keyClicks(editor.line, "a * 3")
    assert said.notes[-1] == ("= 6", False)
    editor.begin("a + b")
    editor.look(editor.line.text())
    assert said.notes[-1] == ("", False)
    editor.look("a +")
    assert said.notes[-1][1]
    assert "column" in said.notes[-1][0]
    editor.look("c")
    assert "c" in said.notes[-1][0]


def test_an_output_name_shows_what_the_file_will_be_called(edit):
    editor, said = edit(Param("name", "name", "x"), "x", fields=lambda: {"node": "save", "seed": 7})
    editor.begin()
    QTest.keyClicks(editor.line, "shots/{node}-{seed}-{counter:4}")
    assert said.notes[-1] == ("shots/save-7-0001", False)
    editor.look("../{node}")
    assert said.notes[-1][1]
    editor.look("{nobody}")
    assert "nobody" in said.notes[-1][0]
