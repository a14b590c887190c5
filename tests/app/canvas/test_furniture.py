"""Frames and notes by hand: moved with what is in them, sized, renamed, written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from backend.graph.document import Frame, Note
from tests.app.canvas.bench import LEFT, NONE, SHIFT, chain
from tests.app.canvas.test_painting_law import different


@pytest.fixture
def framed(bench):
    """A frame around the paper, and a note in it."""
    workflow = chain()
    frame, note = Frame("Ground", 48, 32, 288, 400), Note("**Why**", 64, 300, 160, 96)
    layout = replace(workflow.layout, frames=(frame,), notes=(note,))
    return bench(replace(workflow, layout=layout))


def frame_of(here):
    (frame,) = here.workflow.layout.frames
    return frame.x, frame.y, frame.width, frame.height


def note_of(here):
    (note,) = here.workflow.layout.notes
    return note.x, note.y, note.width, note.height


def test_a_frame_is_dragged_with_all_in_it_in_one_edit(framed):
    framed.drag((200, 46), (280, 86))
    assert frame_of(framed) == (128, 72, 288, 400)
    assert note_of(framed) == (144, 340, 160, 96)
    assert (framed.placement("paper").x, framed.placement("paper").y) == (160, 120)
    assert (framed.placement("blur").x, framed.placement("blur").y) == (400, 80)
    assert framed.document.session.history.at == 1
    framed.document.undo()
    assert framed.placement("paper").x == 80
    assert framed.canvas.board.nodes["paper"].x == 80


def test_with_shift_a_frame_moves_alone(framed):
    framed.drag((200, 46), (280, 86), keys=SHIFT)
    assert frame_of(framed) == (128, 72, 288, 400)
    assert note_of(framed) == (64, 300, 160, 96)
    assert framed.placement("paper").x == 80


def test_escape_takes_the_drag_of_a_frame_back(framed):
    framed.press(200, 46)
    framed._mouse_move(framed.at(280, 86), LEFT, NONE)
    framed.key(Qt.Key.Key_Escape)
    framed.release(280, 86)
    assert not framed.document.session.is_changed
    assert framed.canvas.board.nodes["paper"].x == 80


def test_a_click_on_its_title_chooses_a_frame(framed):
    framed.click(200, 46)
    assert framed.canvas.chosen.frame == 0
    assert not framed.document.session.is_changed


def test_the_corner_sizes_a_frame_and_a_note_in_one_edit_each(framed):
    framed.drag((48 + 288 - 4, 32 + 400 - 4), (48 + 288 + 60, 32 + 400 + 36))
    assert frame_of(framed) == (48, 32, 352, 440)
    assert framed.document.session.history.at == 1
    framed.drag((64 + 160 - 4, 300 + 96 - 4), (64 + 160 + 36, 300 + 96 + 20))
    assert note_of(framed) == (64, 300, 200, 120)
    assert framed.document.session.history.at == 2


def test_a_frame_cannot_be_made_smaller_than_its_title(framed):
    framed.drag((48 + 288 - 4, 32 + 400 - 4), (20, 20))
    assert frame_of(framed)[2] >= 96
    assert frame_of(framed)[3] >= 64


def test_a_note_is_dragged_on_the_grid(framed):
    framed.drag((100, 320), (183, 377))
    assert note_of(framed) == (144, 360, 160, 96)
    assert framed.document.session.history.at == 1


def test_escape_takes_the_drag_of_a_note_back(framed):
    framed.press(100, 320)
    framed._mouse_move(framed.at(183, 377), LEFT, NONE)
    framed.key(Qt.Key.Key_Escape)
    framed.release(183, 377)
    assert note_of(framed) == (64, 300, 160, 96)
    assert not framed.document.session.is_changed


def test_a_double_click_renames_a_frame(framed):
    framed.double_click(200, 46)
    framed.type("Sky")
    framed.tap(Qt.Key.Key_Return)
    (frame,) = framed.workflow.layout.frames
    assert frame.title == "Sky"
    assert framed.canvas.hasFocus()


def test_a_double_click_writes_a_note_and_leaving_it_keeps_it(framed, spin):
    framed.double_click(100, 320)
    editor = framed.canvas.editing.widget
    assert editor.hasFocus()
    editor.selectAll()
    framed.type("Because # it is late")
    framed.click(700, 700)
    (note,) = framed.workflow.layout.notes
    assert note.text == "Because # it is late"
    spin(lambda: framed.canvas.editing.widget is None)


def test_escape_leaves_a_note_as_it_was(framed):
    framed.double_click(100, 320)
    framed.canvas.editing.widget.selectAll()
    framed.type("Something else")
    framed.tap(Qt.Key.Key_Escape)
    (note,) = framed.workflow.layout.notes
    assert note.text == "**Why**"
    assert framed.canvas.hasFocus()
    assert not framed.document.session.is_changed


def test_escape_leaves_a_chosen_note(framed):
    framed.click(100, 320)
    assert framed.canvas.chosen.note == 0
    framed.key(Qt.Key.Key_Escape)
    assert framed.canvas.chosen.note is None


def test_a_note_of_which_a_part_is_painted_anew_is_not_painted_over_itself(framed):
    canvas = framed.canvas
    before = canvas.grab().toImage()
    canvas.spoil((64, 300, 70, 306))
    assert different(canvas.grab().toImage(), before) == 0
