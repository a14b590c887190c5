"""Moving nodes by hand: on the grid, into links, as copies; and making them wider."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt

from app.document.edits.place import pin
from backend.graph.document import Node, Placement, Workflow
from tests.app.canvas.bench import ALT, CTRL, LEFT, NONE, chain, laid_out, zoned


def place(here, path):
    found = here.placement(path)
    return found.x, found.y


def test_a_node_is_dragged_on_the_grid_in_one_edit(bench):
    here = bench(chain())
    x, y = here.on("blur")
    here.drag((x, y), (x + 101, y + 53))
    assert place(here, "blur") == (504, 136)
    assert here.document.session.history.at == 1
    here.document.undo()
    assert place(here, "blur") == (400, 80)
    view = here.canvas.board.nodes["blur"]
    assert (view.x, view.y) == (400, 80)


def test_control_lets_go_of_the_grid(bench):
    here = bench(chain())
    x, y = here.on("blur")
    here.press(x, y)
    here._mouse_move(here.at(x + 101, y + 53), LEFT, CTRL)
    here.release(x + 101, y + 53, keys=CTRL)
    assert place(here, "blur") == (501, 133)


def test_all_selected_nodes_go_along(bench):
    here = bench(chain())
    here.document.select(["paper", "save"])
    x, y = here.on("save")
    here.drag((x, y), (x, y + 80))
    assert place(here, "paper") == (80, 160)
    assert place(here, "save") == (720, 160)
    assert place(here, "blur") == (400, 80)


def test_a_pinned_node_stays(bench):
    here = bench(chain())
    here.document.edit("Pin", lambda w: pin(w, "", ["blur"], True))
    here.document.select(["paper", "blur"])
    x, y = here.on("paper")
    here.drag((x, y), (x, y + 80))
    assert place(here, "blur") == (400, 80)
    assert place(here, "paper") == (80, 160)
    x, y = here.on("blur")
    here.document.select([])
    here.drag((x, y), (x, y + 80))
    assert place(here, "blur") == (400, 80)
    assert here.canvas.board.nodes["blur"].y == 80


def test_escape_takes_a_drag_back(bench):
    here = bench(chain())
    x, y = here.on("blur")
    here.press(x, y)
    here._mouse_move(here.at(x + 104, y), LEFT, NONE)
    assert here.canvas.board.nodes["blur"].x == 504
    here.key(Qt.Key.Key_Escape)
    assert here.canvas.board.nodes["blur"].x == 400
    here.release(x + 100, y)
    assert not here.document.session.is_changed


def test_a_press_that_hardly_moves_is_a_click(bench):
    here = bench(chain())
    x, y = here.on("blur")
    here.drag((x, y), (x + 2, y + 1))
    assert not here.document.session.is_changed


def test_alt_takes_a_copy_with_its_links_and_leaves_the_node(bench):
    here = bench(chain())
    x, y = here.on("blur")
    here.press(x, y)
    here._mouse_move(here.at(x, y + 80), LEFT, ALT)
    here._mouse_move(here.at(x, y + 240), LEFT, ALT)
    here.release(x, y + 240, keys=ALT)
    (copy,) = here.selection
    assert copy != "blur"
    assert place(here, "blur") == (400, 80)
    assert place(here, copy) == (400, 320)
    assert f"paper.image > {copy}.image" in here.wires()
    assert here.document.session.history.at == 1, "a copy that is dragged is one edit"


def test_a_cancelled_copy_is_no_copy(bench):
    here = bench(chain())
    x, y = here.on("blur")
    here.press(x, y)
    here._mouse_move(here.at(x, y + 80), LEFT, ALT)
    here.key(Qt.Key.Key_Escape)
    here.release(x, y + 80, keys=ALT)
    assert set(here.workflow.graph.nodes) == {"paper", "blur", "save"}


def test_a_lone_node_dropped_on_a_link_is_inserted_in_one_edit(bench):
    nodes = {**chain().graph.nodes, "resize": Node("resize")}
    places = {"paper": (80, 80), "blur": (600, 80), "save": (960, 80), "resize": (340, 400)}
    here = bench(laid_out(nodes, places))
    x, y = here.on("resize")
    _, row = here.middle_of("paper", "blur")
    here.drag((x, y), (440, row))
    assert here.wires() == {
        "paper.image > resize.image", "resize.image > blur.image", "blur.image > save.image",
    }  # fmt: skip
    assert here.document.session.history.at == 1
    here.document.undo()
    assert "paper.image > blur.image" in here.wires()
    assert place(here, "resize") == (340, 400)


def test_what_does_not_fit_into_a_link_says_so_and_is_moved(bench):
    nodes = {**chain().graph.nodes, "number": Node("number")}
    places = {"paper": (80, 80), "blur": (600, 80), "save": (960, 80), "number": (340, 400)}
    here = bench(laid_out(nodes, places))
    x, y = here.on("number")
    _, row = here.middle_of("paper", "blur")
    here.drag((x, y), (440, row))
    assert "paper.image > blur.image" in here.wires()
    assert len(here.said) == 1
    assert "does not fit" in here.said[0]
    assert place(here, "number") != (340, 400)


def test_a_node_with_links_is_not_inserted_where_it_is_dropped(bench):
    here = bench(chain())
    x, y = here.on("save")
    _, row = here.middle_of("paper", "blur")
    here.drag((x, y), (344, row))
    assert here.wires() == {"paper.image > blur.image", "blur.image > save.image"}


def test_the_right_edge_makes_a_node_wider_in_one_edit(bench):
    here = bench(chain())
    right = 80 + 208 - 2
    here.drag((right, 200), (right + 90, 200))
    assert here.placement("paper").width == 296
    assert here.document.session.history.at == 1
    here.drag((80 + 296 - 2, 200), (90, 200))
    assert here.placement("paper").width == 144
    assert here.document.session.history.at == 2


def test_shift_and_arrows_nudge_by_the_grid(bench):
    here = bench(chain())
    here.click(*here.on("blur"))
    for _ in range(3):
        here.key(Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    here.key(Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert place(here, "blur") == (424, 72)


def test_nodes_without_places_stay_where_they_are_shown_when_one_is_moved(bench):
    here = bench(replace(chain(), layout=Workflow().layout))
    before = {path: (v.x, v.y) for path, v in here.canvas.board.nodes.items()}
    assert len(set(before.values())) == 3
    x, y = here.on("blur")
    here.drag((x, y), (x, y + 160))
    assert place(here, "paper") == before["paper"]
    assert place(here, "save") == before["save"]
    assert place(here, "blur") == (before["blur"][0], before["blur"][1] + 160)
    here.document.undo()
    assert here.workflow.layout.nodes == {}
    assert {path: (v.x, v.y) for path, v in here.canvas.board.nodes.items()} == before


def test_a_zone_is_dragged_by_its_title_with_all_inside(bench):
    here = bench(zoned())
    zone = here.canvas.board.nodes["loop"]
    assert zone.rect.contains(here.canvas.board.nodes["loop/blur"].rect)
    x, y = zone.x + 80, zone.y + 16
    here.drag((x, y), (x + 80, y + 40))
    assert here.placement("loop/blur") == Placement(560, 280)
    assert here.canvas.board.nodes["loop"].rect.contains(here.canvas.board.nodes["loop/blur"].rect)


def test_a_node_dropped_on_a_zone_goes_into_it_with_its_links(bench):
    here = bench(zoned())
    zone = here.canvas.board.nodes["loop"]
    x, y = here.on("save")
    here.drag((x, y), (zone.rect.right() - 30, zone.rect.bottom() - 20))
    assert "loop/save" in here.canvas.board.nodes
    assert here.selection == {"loop/save"}
    assert "loop/blur.image > loop/save.image" in here.wires()
    assert not here.said
    assert here.document.session.history.at == 1
    here.document.undo()
    assert set(here.canvas.board.nodes) == {"paper", "loop", "loop/blur", "save"}


def test_a_node_that_the_zone_needs_is_moved_but_not_into_it(bench):
    here = bench(zoned())
    zone = here.canvas.board.nodes["loop"]
    here.drag(here.on("paper"), (zone.rect.left() + 80, zone.rect.bottom() - 20))
    assert "paper" in here.canvas.board.nodes
    assert here.placement("paper").x > 60
    assert len(here.said) == 1


def test_a_node_inside_a_zone_is_dragged_with_the_zone_around_it(bench):
    here = bench(zoned())
    x, y = here.on("loop/blur")
    here.drag((x, y), (x + 400, y + 300))
    assert "loop/blur" in here.canvas.board.nodes
    assert here.canvas.board.nodes["loop"].rect.contains(here.canvas.board.nodes["loop/blur"].rect)
