"""Editing on the node itself: titles, numbers that are dragged or typed, choices, texts."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from app.document.edits.place import lock
from backend.graph.document import Node, Ref
from tests.app.canvas.bench import LEFT, NONE, chain, laid_out


def noted():
    """A number, a prompt and a choice."""
    nodes = {
        "paper": Node("solid_image", params={"width": 512}),
        "blend": Node("blend", params={"mode": "multiply"}),
        "words": Node("text", params={"value": "a red circle"}),
    }
    return laid_out(nodes, {"paper": (80, 80), "blend": (400, 80), "words": (720, 80)})


def test_a_double_click_on_the_title_renames_a_node(bench, spin):
    here = bench(chain())
    here.double_click(*here.on("blur"))
    here.type("Soft")
    here.tap(Qt.Key.Key_Return)
    assert here.node("blur").title == "Soft"
    assert here.canvas.board.nodes["blur"].title == "Soft"
    spin(lambda: here.canvas.editing.widget is None)
    assert here.canvas.hasFocus()


def test_escape_leaves_a_title_as_it_was(bench):
    here = bench(chain())
    here.double_click(*here.on("blur"))
    here.type("Soft")
    here.tap(Qt.Key.Key_Escape)
    assert here.node("blur").title == ""
    assert here.canvas.hasFocus()


def test_a_title_is_kept_by_a_click_beside(bench):
    here = bench(chain())
    here.double_click(*here.on("blur"))
    here.type("Soft")
    here.click(700, 700)
    assert here.node("blur").title == "Soft"


def test_an_empty_title_is_that_of_the_type(bench):
    here = bench(chain())
    here.double_click(*here.on("blur"))
    here.type("Soft")
    here.tap(Qt.Key.Key_Return)
    here.double_click(*here.on("blur"))
    here.tap(Qt.Key.Key_Backspace)
    here.tap(Qt.Key.Key_Return)
    assert here.node("blur").title == ""
    assert here.canvas.board.nodes["blur"].title == "Blur"


def test_a_number_is_dragged_in_one_edit(bench):
    here = bench(noted())
    x, y = here.field("paper", "width")
    here.drag((x, y), (x + 60, y))
    assert here.node("paper").params["width"] > 512
    assert here.document.session.history.at == 1
    assert here.placement("paper").x == 80
    here.document.undo()
    assert here.node("paper").params["width"] == 512


def test_a_number_is_clicked_and_typed(bench):
    here = bench(noted())
    here.click(*here.field("paper", "width"))
    here.type("640")
    here.tap(Qt.Key.Key_Return)
    assert here.node("paper").params["width"] == 640
    assert here.canvas.hasFocus()


def test_a_number_may_be_typed_as_an_expression(bench):
    here = bench(noted())
    here.click(*here.field("paper", "width"))
    here.type("2 * 320 + 8")
    here.tap(Qt.Key.Key_Return)
    assert here.node("paper").params["width"] == 648


def test_escape_takes_a_typed_number_back(bench):
    here = bench(noted())
    here.click(*here.field("paper", "width"))
    here.type("640")
    here.tap(Qt.Key.Key_Escape)
    assert here.node("paper").params["width"] == 512
    assert not here.document.session.is_changed
    here.tap(Qt.Key.Key_Escape)
    assert here.canvas.hasFocus()


def test_a_typed_number_is_kept_by_a_click_beside(bench):
    here = bench(noted())
    here.click(*here.field("paper", "width"))
    here.type("640")
    here.click(700, 700)
    assert here.node("paper").params["width"] == 640


def test_a_text_is_written_on_the_node(bench):
    here = bench(noted())
    here.click(*here.field("words", "value"))
    here.canvas.editing.widget.begin()
    here.tap(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    here.type("a blue square")
    here.click(700, 700)
    assert here.node("words").params["value"] == "a blue square"


def test_a_value_that_is_linked_is_not_edited_but_drags_the_node(bench):
    nodes = {
        "n": Node("number"),
        "paper": Node("solid_image", inputs={"width": Ref("n", "number")}),
    }
    here = bench(laid_out(nodes, {"n": (60, 80), "paper": (400, 80)}))
    x, y = here.field("paper", "width")
    here.drag((x, y), (x + 80, y))
    assert here.placement("paper").x == 480


def test_a_locked_node_shows_its_values_and_keeps_them(bench):
    here = bench(noted())
    here.document.edit("Lock", lambda w: lock(w, "", ["paper"], True))
    x, y = here.field("paper", "width")
    here.drag((x, y), (x + 60, y))
    assert here.node("paper").params["width"] == 512


def test_the_editor_goes_where_its_node_goes(bench):
    here = bench(noted())
    here.click(*here.field("paper", "width"))
    editor = here.canvas.editing.widget
    before = editor.pos()
    here.look(40, 20, 1)
    assert (editor.pos() - before).toTuple() == (-40, -20)


def test_the_editor_closes_when_it_becomes_too_small_to_read(bench, spin):
    here = bench(noted())
    here.click(*here.field("paper", "width"))
    here.look(0, 0, 0.3)
    assert here.canvas.editing.widget is None


def test_the_editor_closes_when_its_node_is_undone(bench):
    here = bench(noted())
    from app.document.edits.nodes import add_node, new_node

    spec = here.canvas.specs()["blur"]
    here.document.edit("Add", lambda w: add_node(w, "", new_node(spec), (400, 500), "", "fresh"))
    here.click(*here.field("fresh", "radius"))
    assert here.canvas.editing.widget is not None
    here.document.undo()
    assert here.canvas.editing.widget is None


def test_more_values_are_shown_by_a_click_on_the_row_that_says_so(bench):
    nodes = {"save": Node("save_image")}
    here = bench(laid_out(nodes, {"save": (80, 80)}))
    view = here.canvas.board.nodes["save"]
    shown, more = len(view.shape.fields), view.shape.more
    assert more > 0
    here.click(view.x + 60, view.y + view.shape.more_y + 12)
    assert len(here.canvas.board.nodes["save"].shape.fields) == shown + more


@pytest.mark.parametrize("zoom", [0.8, 1.0, 1.7])
def test_the_editor_covers_its_field_at_every_scale(bench, zoom):
    here = bench(noted())
    here.look(0, 0, zoom)
    x, y = here.field("paper", "width")
    here.press(x, y)
    box = here.canvas.editing.widget.geometry()
    assert box.contains(here.at(x, y))
    here.release(x, y)


def test_a_press_on_a_field_that_is_dragged_and_cancelled_changes_nothing(bench):
    here = bench(noted())
    x, y = here.field("paper", "width")
    here.press(x, y)
    here._mouse_move(here.at(x + 60, y), LEFT, NONE)
    here.key(Qt.Key.Key_Escape)
    here.release(x + 60, y)
    assert here.node("paper").params["width"] == 512
