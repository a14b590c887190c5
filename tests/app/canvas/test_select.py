"""Selecting: by click, box and lasso, and from node to node by the arrows."""

from __future__ import annotations

from PySide6.QtCore import Qt

from backend.graph.document import Node, Ref
from tests.app.canvas.bench import ALT, CTRL, SHIFT, chain, laid_out


def test_a_click_selects_one_and_a_click_beside_selects_nothing(bench):
    here = bench(chain())
    here.click(*here.on("blur"))
    assert here.selection == {"blur"}
    assert here.document.active == "blur"
    here.click(*here.on("save"))
    assert here.selection == {"save"}
    here.click(100, 700)
    assert here.selection == set()


def test_shift_adds_and_control_changes_one(bench):
    here = bench(chain())
    here.click(*here.on("blur"))
    here.click(*here.on("save"), keys=SHIFT)
    assert here.selection == {"blur", "save"}
    here.click(*here.on("blur"), keys=CTRL)
    assert here.selection == {"save"}
    here.click(*here.on("paper"), keys=CTRL)
    assert here.selection == {"save", "paper"}


def test_a_box_selects_what_it_touches(bench):
    here = bench(chain())
    here.drag((60, 60), (420, 120))
    assert here.selection == {"paper", "blur"}
    here.drag((700, 60), (760, 120), keys=SHIFT)
    assert here.selection == {"paper", "blur", "save"}
    here.drag((60, 60), (120, 120), keys=CTRL)
    assert here.selection == {"blur", "save"}


def test_a_box_from_the_lower_right_is_the_same(bench):
    here = bench(chain())
    here.drag((620, 700), (390, 60))
    assert here.selection == {"blur"}


def test_escape_takes_a_box_back(bench):
    here = bench(chain())
    here.click(*here.on("save"))
    here.press(60, 60, keys=SHIFT)
    here._mouse_move(here.at(420, 120), Qt.MouseButton.LeftButton, SHIFT)
    assert here.selection == {"paper", "blur", "save"}
    here.key(Qt.Key.Key_Escape)
    assert here.selection == {"save"}
    here.release(420, 120)
    assert here.selection == {"save"}


def test_a_lasso_selects_the_nodes_whose_middle_it_goes_around(bench):
    here = bench(chain())
    middle = here.canvas.board.nodes["blur"].rect.center()
    x, y = middle.x(), middle.y()
    around = [(300, 40), (660, 40), (660, y + 120), (x, y + 140), (300, y + 100)]
    here.drag(*around, keys=ALT)
    assert here.selection == {"blur"}
    here.click(100, 700)
    here.canvas.set_tool("lasso")
    here.drag(*around)
    assert here.selection == {"blur"}


def test_the_arrows_follow_links_and_go_to_the_nearest(bench):
    nodes = {
        "paper": Node("solid_image"),
        "blur": Node("blur", inputs={"image": Ref("paper", "image")}),
        "below": Node("solid_image"),
    }
    here = bench(laid_out(nodes, {"paper": (80, 80), "blur": (400, 200), "below": (80, 500)}))
    here.click(*here.on("paper"))
    here.key(Qt.Key.Key_Right)
    assert here.selection == {"blur"}
    here.key(Qt.Key.Key_Left)
    assert here.document.active == "paper"
    here.key(Qt.Key.Key_Down)
    assert here.document.active == "below"
    here.key(Qt.Key.Key_Up)
    assert here.document.active == "paper"
    here.key(Qt.Key.Key_Up)
    assert here.document.active == "paper"


def test_the_first_arrow_takes_the_node_in_the_middle_of_the_view(bench):
    here = bench(chain())
    here.look(300, -200)
    here.key(Qt.Key.Key_Right)
    assert here.selection == {"save"} or here.selection == {"blur"}


def test_a_node_that_the_arrows_reach_comes_into_view(bench):
    here = bench(chain(), size=(420, 400))
    here.click(*here.on("paper"))
    here.key(Qt.Key.Key_Right)
    here.key(Qt.Key.Key_Right)
    assert here.canvas.visible().contains(here.canvas.board.nodes["save"].rect)


def test_escape_goes_back_by_one_thing_at_a_time(bench):
    here = bench(chain())
    here.click(*here.middle_of("paper", "blur"))
    assert here.canvas.chosen.link is not None
    here.key(Qt.Key.Key_Escape)
    assert here.canvas.chosen.link is None
    here.click(*here.on("blur"))
    here.key(Qt.Key.Key_Escape)
    assert here.selection == set()


def test_what_is_undone_is_not_selected_any_more(bench):
    here = bench(chain())
    from app.document.edits.nodes import add_node, new_node

    spec = here.canvas.specs()["blur"]
    here.document.edit("Add", lambda w: add_node(w, "", new_node(spec), (0, 400), "", "fresh"))
    here.document.select(["fresh", "blur"])
    here.document.undo()
    assert here.selection == {"blur"}


def test_the_selected_node_is_told_to_screen_readers(bench):
    here = bench(chain())
    here.click(*here.on("blur"))
    assert here.canvas.accessibleDescription().startswith("Blur")
    here.click(100, 700)
    assert here.canvas.accessibleDescription() == ""
