"""Every kind of parameter has an editor that works at the size of a node, in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox

from app.widgets.context import EditorContext, ModelChoice
from app.widgets.make import EDITORS, editor_for
from app.widgets.seed import FIXED, NEXT, RANDOMLY
from backend.graph.spec import Param, ParamKind

LEFT = Qt.MouseButton.LeftButton
VALUES = {
    "number": 1.5, "integer": 3, "boolean": True, "text": "a", "multiline": "a\nb",
    "choice": "one", "seed": 7, "color": "#ff0000", "file": "a/b.png", "folder": "a",
    "model": "primer", "expression": "1 + 1", "name": "{node}-{counter:4}", "values": [1, 0.5],
    "boxes": [{"box": [0.1, 0.2, 0.3, 0.4], "caption": "a cat"}],
}  # fmt: skip


def param_of(kind):
    return Param("thing", kind, VALUES[kind], choices=("one", "two") if kind == "choice" else ())


@pytest.mark.parametrize("kind", get_args(ParamKind))
def test_every_kind_can_be_edited_at_any_size_and_in_both_themes(kind, edit, theme):
    assert kind in EDITORS
    editor, said = edit(param_of(kind), VALUES[kind], width=188, height=18, compact=True)
    dark = editor.grab().toImage()
    theme.set_dark(False)
    light = editor.grab().toImage()
    assert dark != light
    assert dark.size() == light.size()
    assert editor.accessibleName() == "Thing"
    assert said == []
    editor.show_value(VALUES[kind], mixed=True)
    assert editor.mixed
    assert editor.grab().toImage() != light


@pytest.mark.parametrize("kind", get_args(ParamKind))
def test_an_editor_says_nothing_of_a_value_that_it_is_shown(kind, edit):
    editor, said = edit(param_of(kind), VALUES[kind])
    editor.show_value(param_of(kind).default)
    editor.show_value(VALUES[kind])
    assert said == []
    assert editor.value == VALUES[kind]


def test_a_switch_turns_by_click_and_by_keys(edit):
    editor, said = edit(Param("tiled", "boolean", False), False)
    QTest.mouseClick(editor, LEFT, pos=QPoint(12, 12))
    editor.setFocus()
    QTest.keyClick(editor, Qt.Key.Key_Space)
    QTest.keyClick(editor, Qt.Key.Key_Right)
    QTest.keyClick(editor, Qt.Key.Key_Right)
    assert said == [(True, True), (False, True), (True, True)]
    assert editor.accessibleDescription() == "Yes"


def test_an_editor_keeps_its_keys_from_the_shortcuts_of_the_window(edit):
    editor, _ = edit(Param("steps", "integer", 1, 1, 9, 1), 1)
    editor.setFocus()
    for key, text, mine in (
        (Qt.Key.Key_Up, "", True), (Qt.Key.Key_5, "5", True), (Qt.Key.Key_A, "a", False)
    ):  # fmt: skip
        event = QKeyEvent(
            QKeyEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier, text
        )
        event.ignore()
        QApplication.sendEvent(editor, event)
        assert event.isAccepted() is mine, key


SOLVER = Param("solver", "choice", "euler", choices=("euler", "heun", "dpmpp_2m"))


def test_a_choice_is_picked_from_its_list(edit):
    editor, said = edit(SOLVER, "euler")
    QTest.mouseClick(editor, LEFT, pos=QPoint(50, 10))
    rows = editor.list.rows
    assert [rows.item(i).text() for i in range(rows.count())] == ["Euler", "Heun", "DPM++ 2m"]
    QTest.keyClick(rows, Qt.Key.Key_Down)
    QTest.keyClick(rows, Qt.Key.Key_Return)
    assert said == [("heun", True)]
    assert editor.list is None


def test_esc_closes_the_list_and_arrows_take_the_next(edit):
    editor, said = edit(SOLVER, "euler")
    editor.setFocus()
    QTest.keyClick(editor, Qt.Key.Key_Space)
    QTest.keyClick(editor.list.rows, Qt.Key.Key_Escape)
    assert editor.list is None
    QTest.keyClick(editor, Qt.Key.Key_Up)
    QTest.keyClick(editor, Qt.Key.Key_Down)
    QTest.keyClick(editor, Qt.Key.Key_Down)
    QTest.keyClick(editor, Qt.Key.Key_Down)
    assert said == [("heun", True), ("dpmpp_2m", True)]


def test_a_long_list_is_searched(edit):
    choices = tuple(f"method_{n}" for n in range(30))
    editor, said = edit(Param("method", "choice", "method_0", choices=choices), "method_0")
    editor.begin()
    QTest.keyClicks(editor.list.search, "27")
    assert editor.list.rows.count() == 1
    QTest.keyClick(editor.list.search, Qt.Key.Key_Return)
    assert said == [("method_27", True)]


MODELS = (
    ModelChoice("primer", "Primer flux", "model", "flux", "flux-1", 640_000_000),
    ModelChoice("sd.safetensors", "Base", "model", "sdxl", "sdxl", 6_940_000_000, here=False),
    ModelChoice("t5.gguf", "T5", "text_encoder", "flux", "flux-1", 4_000_000_000),
)


def test_models_are_filtered_by_part_family_and_space(edit):
    editor, said = edit(Param("model", "model", "primer"), "primer", models=lambda: MODELS)
    assert editor.words() == "Primer flux"
    editor.begin()
    made = editor.list
    assert made.rows.count() == 3
    assert [made.rows.item(i).data(Qt.ItemDataRole.UserRole).note for i in range(3)] == [
        "flux · 640 MB", "sdxl · 6.9 GB · not here", "flux · 4.0 GB"
    ]  # fmt: skip
    boxes = {box.accessibleName(): box for box in made.findChildren(QComboBox)}
    assert set(boxes) == {"Kind", "Family", "Space"}
    boxes["Family"].setCurrentIndex(boxes["Family"].findData("sdxl"))
    assert made.rows.count() == 1
    QTest.keyClick(made.rows, Qt.Key.Key_Return)
    assert said == [("sd.safetensors", True)]


def test_a_model_that_is_not_listed_is_shown_as_it_is_named(edit):
    editor, _ = edit(Param("model", "model", ""), "gone.gguf", models=lambda: MODELS)
    assert editor.words() == "gone.gguf"
    assert editor.entries()[0].note == "Not found"
    editor.show_value("")
    assert editor.words() == "Pick a model"


SEED = Param("seed", "seed", 0, 0, 2**63 - 1, 1)


def test_a_seed_is_fixed_random_or_next(edit):
    editor, said = edit(SEED, 41, width=330)
    QTest.mouseClick(editor.modes, LEFT, pos=editor.modes.box(NEXT).center().toPoint())
    assert said == [(42, True)]
    QTest.mouseClick(editor.modes, LEFT, pos=editor.modes.box(RANDOMLY).center().toPoint())
    assert said[-1] == ("random", True)
    assert editor.field.words() == "Random"
    editor.show_drawn(4127)
    assert editor.field.words() == "4127 drawn"
    QTest.mouseClick(editor.modes, LEFT, pos=editor.modes.box(FIXED).center().toPoint())
    assert said[-1] == (4127, True)


def test_the_seed_after_the_largest_is_the_first(edit):
    editor, said = edit(SEED, 2**63 - 1, width=330)
    editor.modes.pressed.emit(NEXT)
    assert said == [(0, True)]


def test_a_narrow_seed_has_a_sign_instead_of_words(edit):
    editor, said = edit(SEED, 7, width=180, height=20)
    assert not editor.modes.isVisible()
    QTest.mouseClick(editor.field, LEFT, pos=QPoint(170, 10))
    assert said == [("random", True)]
    QTest.mouseClick(editor.field, LEFT, pos=QPoint(40, 10))
    QTest.keyClicks(editor.field.line, "99")
    QTest.keyClick(editor.field.line, Qt.Key.Key_Return)
    assert said[-1] == (99, True)


def test_a_colour_is_typed_or_picked(edit):
    editor, said = edit(Param("color", "color", "#000000"), "#000000")
    editor.begin()
    QTest.keyClicks(editor.line, "#F80")
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    assert said == [("#ff8800", True)]
    editor.begin()
    QTest.keyClicks(editor.line, "orange")
    assert said.notes[-1] == ("Write a colour as #rrggbb or #rrggbbaa.", True)
    QTest.keyClick(editor.line, Qt.Key.Key_Escape)
    assert len(said) == 1
    QTest.mouseClick(editor, LEFT, pos=QPoint(10, 10))
    popup = editor.popup
    QTest.mouseClick(popup.plane, LEFT, pos=QPoint(223, 0))
    assert said[-1][1] is True
    assert said[-1][0].startswith("#ff")
    QTest.mouseClick(popup.cover, LEFT, pos=QPoint(112, 8))
    assert len(said[-1][0]) == 9
    before = said[-1][0]
    popup.hue.setFocus()
    QTest.keyClick(popup.hue, Qt.Key.Key_Right)
    assert said[-1][0] != before
    QTest.keyClick(popup, Qt.Key.Key_Escape)
    assert editor.popup is None


def test_a_file_is_asked_for_granted_and_named(edit, tmp_path):
    picture = tmp_path / "hill.png"
    picture.touch()
    asked, granted = [], []

    def grant(path):
        granted.append(path)
        return f"photos/{path.name}"

    editor, said = edit(
        Param("file", "file", ""), "",
        ask_path=lambda question: asked.append(question) or picture, grant=grant,
    )  # fmt: skip
    assert editor.words() == "Pick a file"
    QTest.mouseClick(editor, LEFT, pos=QPoint(230, 10))
    assert granted == [picture]
    assert said == [("photos/hill.png", True)]
    assert not asked[0].folder
    editor.setFocus()
    QTest.keyClick(editor, Qt.Key.Key_F2)
    QTest.keyClicks(editor.line, "other.png")
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    assert said[-1] == ("other.png", True)
    assert len(granted) == 1, "a path that is typed grants nothing"


def test_a_file_that_is_dropped_is_picked(edit, tmp_path):
    from PySide6.QtCore import QMimeData, QUrl
    from PySide6.QtGui import QDragEnterEvent, QDropEvent

    picture = tmp_path / "hill.png"
    picture.touch()
    editor, said = edit(Param("file", "file", ""), "", grant=lambda path: path.name)

    def offer(path):
        held = QMimeData()
        held.setUrls([QUrl.fromLocalFile(str(path))])
        enter = QDragEnterEvent(
            QPoint(5, 5), Qt.DropAction.CopyAction, held, LEFT, Qt.KeyboardModifier.NoModifier
        )
        enter.ignore()
        QApplication.sendEvent(editor, enter)
        if enter.isAccepted():
            QApplication.sendEvent(
                editor,
                QDropEvent(
                    QPointF(5, 5), Qt.DropAction.CopyAction, held, LEFT,
                    Qt.KeyboardModifier.NoModifier,
                ),
            )  # fmt: skip

    offer(tmp_path)
    assert said == []
    offer(picture)
    assert said == [("hill.png", True)]


def test_where_nobody_picks_nothing_changes(edit):
    editor, said = edit(Param("folder", "folder", ""), "shots", ask_path=lambda question: None)
    editor.ask()
    assert said == []


def test_a_context_needs_only_a_theme(theme, put):
    editor = put(editor_for(Param("file", "file", ""), "", EditorContext(theme)))
    editor.take(Path("a.png"))
    assert editor.value == "a.png"
