"""What is done to selected nodes by keys and menus."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from backend.graph.document import Node, Ref, Workflow
from backend.graph.format import dump
from tests.app.canvas.bench import chain, laid_out, zoned
from tests.app.shell.desktop import ALT, CTRL, SHIFT

Key = Qt.Key


@pytest.fixture
def row(desktop):
    """A paper, a blur and a file."""
    return desktop.open(chain())


def test_selecting_up_and_downstream(row, desktop):
    row.click(*row.on("blur"))
    desktop.key(Key.Key_L)
    assert row.selection == {"blur", "save"}
    row.click(*row.on("blur"))
    desktop.key(Key.Key_L, SHIFT)
    assert row.selection == {"blur", "paper"}
    desktop.key(Key.Key_A, CTRL)
    assert row.selection == {"paper", "blur", "save"}
    desktop.key(Key.Key_A, CTRL | SHIFT)
    assert row.selection == set()


def test_selecting_upstream_goes_through_a_zone(desktop):
    row = desktop.open(zoned())
    row.click(*row.on("save"))
    desktop.key(Key.Key_L, SHIFT)
    assert row.selection >= {"save", "loop", "paper"}


@pytest.mark.parametrize(
    ("key", "attribute", "on", "off"),
    [(Key.Key_M, "mode", "mute", "on"), (Key.Key_B, "mode", "bypass", "on")],
)
def test_modes_by_keys(row, desktop, key, attribute, on, off):
    row.click(*row.on("blur"))
    desktop.key(key)
    assert getattr(row.node("blur"), attribute) == on
    row.canvas.grab()
    desktop.key(key)
    assert getattr(row.node("blur"), attribute) == off


def test_collapse_and_pin_by_keys_and_lock_by_its_command(row, desktop):
    row.click(*row.on("blur"))
    desktop.key(Key.Key_H)
    assert row.placement("blur").collapsed
    assert row.canvas.board.nodes["blur"].shape.height == 28
    row.canvas.grab()
    desktop.key(Key.Key_H)
    assert not row.placement("blur").collapsed
    desktop.key(Key.Key_P)
    assert row.placement("blur").pinned
    desktop.window.commands.do("node.lock")
    assert row.placement("blur").locked
    desktop.key(Key.Key_Delete)
    assert "blur" in row.workflow.graph.nodes
    assert len(desktop.said) == 1


def test_delete_and_heal(row, desktop):
    row.click(*row.on("blur"))
    desktop.key(Key.Key_Delete)
    assert row.wires() == set()
    assert row.selection == set()
    desktop.key(Key.Key_Z, CTRL)
    row.click(*row.on("blur"))
    desktop.key(Key.Key_Delete, CTRL)
    assert row.wires() == {"paper.image > save.image"}


def test_a_chosen_link_is_deleted(row, desktop):
    row.click(*row.middle_of("paper", "blur"))
    desktop.key(Key.Key_Delete)
    assert row.wires() == {"blur.image > save.image"}


def test_detach_takes_a_node_out_and_links_its_neighbours(row, desktop):
    row.click(*row.on("blur"))
    desktop.key(Key.Key_D, ALT)
    assert row.wires() == {"paper.image > save.image"}
    assert "blur" in row.workflow.graph.nodes


def test_unlink_takes_all_links_of_a_node(row, desktop):
    row.click(*row.on("blur"))
    desktop.window.commands.do("node.unlink")
    assert row.wires() == set()


def test_swapping_inputs(desktop):
    nodes = {
        "one": Node("solid_image"), "two": Node("solid_image"),
        "blend": Node("blend", inputs={"image": Ref("one", "image"),
                                       "background": Ref("two", "image")}),
    }  # fmt: skip
    row = desktop.open(laid_out(nodes, {"one": (80, 80), "two": (80, 340), "blend": (480, 80)}))
    row.click(*row.on("blend"))
    desktop.key(Key.Key_S, ALT)
    assert row.wires() == {"two.image > blend.image", "one.image > blend.background"}


def test_linking_the_selected_from_left_to_right(desktop):
    nodes = {"save": Node("save_image"), "blur": Node("blur"), "paper": Node("solid_image")}
    row = desktop.open(laid_out(nodes, {"paper": (80, 80), "blur": (400, 80), "save": (720, 80)}))
    desktop.key(Key.Key_A, CTRL)
    desktop.key(Key.Key_F)
    assert row.wires() == {"paper.image > blur.image", "blur.image > save.image"}
    assert row.document.session.history.at == 1


def test_duplicate_selects_the_copies_which_keep_their_links(row, desktop):
    row.click(*row.on("blur"))
    desktop.key(Key.Key_D, CTRL)
    (copy,) = row.selection
    assert copy != "blur"
    assert f"paper.image > {copy}.image" in row.wires()
    assert row.placement(copy) != row.placement("blur")


def test_copy_and_paste_as_text_with_links(row, desktop):
    row.document.select(["paper", "blur"])
    desktop.key(Key.Key_C, CTRL)
    assert '"blur"' in QApplication.clipboard().text()
    row.move(600, 400)
    desktop.key(Key.Key_V, CTRL)
    assert len(row.selection) == 2
    fresh = sorted(row.selection)
    assert f"{fresh[1]}.image > {fresh[0]}.image" in row.wires()
    places = [row.placement(path) for path in fresh]
    assert min(p.x for p in places) == 600
    assert places[0].y == 400
    row.document.undo()
    assert set(row.workflow.graph.nodes) == {"paper", "blur", "save"}


def test_cut_takes_away_what_it_copies(row, desktop):
    row.click(*row.on("blur"))
    desktop.key(Key.Key_X, CTRL)
    assert "blur" not in row.workflow.graph.nodes
    desktop.key(Key.Key_V, CTRL)
    assert "paper.image > blur.image" in row.wires()


def test_what_was_copied_is_pasted_into_another_document(row, desktop):
    row.document.select(["paper", "blur"])
    desktop.key(Key.Key_C, CTRL)
    other = desktop.open(Workflow())
    desktop.key(Key.Key_V, CTRL)
    assert other.wires() == {"paper.image > blur.image"}


def test_naming_a_link_and_drawing_it_again(row, desktop):
    row.click(*row.middle_of("paper", "blur"))
    desktop.window.commands.do("link.name")
    (view,) = [v for v in row.canvas.board.links.values() if v.link.target == "blur"]
    assert view.name
    assert row.wires() == chain_wires()
    row.canvas.grab()
    desktop.window.commands.do("link.draw")
    assert all(not v.name for v in row.canvas.board.links.values())


def chain_wires() -> set[str]:
    return {"paper.image > blur.image", "blur.image > save.image"}


def test_a_frame_is_made_around_the_selection_and_named(row, desktop):
    row.document.select(["paper", "blur"])
    desktop.key(Key.Key_J, CTRL)
    desktop.type("Ground")
    desktop.key(Key.Key_Return)
    (frame,) = row.workflow.layout.frames
    assert frame.title == "Ground"
    for path in ("paper", "blur"):
        assert row.canvas.board.frames[0].rect.contains(row.canvas.board.nodes[path].rect)
    assert not row.canvas.board.frames[0].rect.contains(row.canvas.board.nodes["save"].rect)
    row.click(frame.x + 150, frame.y + 10)
    desktop.window.graph.color_frame("#336699")
    assert row.workflow.layout.frames[0].color == "#336699"
    desktop.key(Key.Key_Delete)
    assert row.workflow.layout.frames == ()
    assert "paper" in row.workflow.graph.nodes


def test_a_note_is_made_where_the_pointer_is_and_written(row, desktop):
    row.move(304, 480)
    desktop.key(Key.Key_N, CTRL | SHIFT)
    desktop.type("Keep it calm")
    row.click(700, 600)
    (note,) = row.workflow.layout.notes
    assert (note.x, note.y, note.text) == (304, 480, "Keep it calm")
    row.click(350, 520)
    desktop.key(Key.Key_Delete)
    assert row.workflow.layout.notes == ()


@pytest.mark.parametrize(
    ("edge", "line"),
    [("left", lambda v: v.rect.left()), ("right", lambda v: v.rect.right()),
     ("center", lambda v: v.rect.center().x()), ("top", lambda v: v.rect.top()),
     ("middle", lambda v: v.rect.center().y()), ("bottom", lambda v: v.rect.bottom())],
)  # fmt: skip
def test_aligning(desktop, edge, line):
    nodes = {path: Node(kind) for path, kind in
             (("a", "solid_image"), ("b", "blur"), ("c", "save_image"))}  # fmt: skip
    row = desktop.open(laid_out(nodes, {"a": (80, 80), "b": (397, 147), "c": (720, 211)}))
    desktop.key(Key.Key_A, CTRL)
    desktop.window.commands.do(f"arrange.{edge}")
    lines = [line(view) for view in row.canvas.board.nodes.values()]
    assert max(lines) - min(lines) <= 1


def test_distributing_makes_equal_gaps(desktop):
    nodes = {path: Node("blur") for path in "abc"}
    row = desktop.open(laid_out(nodes, {"a": (80, 80), "b": (310, 80), "c": (800, 80)}))
    desktop.key(Key.Key_A, CTRL)
    desktop.window.commands.do("arrange.across")
    rects = [row.canvas.board.nodes[path].rect for path in "abc"]
    gaps = [right.left() - left.right() for left, right in pairwise(rects)]
    assert abs(gaps[0] - gaps[1]) <= 8


def test_tidying_puts_what_reads_right_of_what_is_read(desktop):
    workflow = chain()
    places = {"paper": (500, 300), "blur": (520, 320), "save": (100, 310)}
    row = desktop.open(laid_out(dict(workflow.graph.nodes), places))
    desktop.key(Key.Key_T, CTRL | SHIFT)
    rects = [row.canvas.board.nodes[path].rect for path in ("paper", "blur", "save")]
    assert rects[0].right() < rects[1].left()
    assert rects[1].right() < rects[2].left()


def test_undo_and_redo_by_keys_give_the_first_bytes(row, desktop):
    first = dump(row.workflow)
    row.click(*row.on("blur"))
    desktop.key(Key.Key_M)
    desktop.key(Key.Key_D, CTRL)
    desktop.key(Key.Key_Delete)
    last = dump(row.workflow)
    for _ in range(3):
        desktop.key(Key.Key_Z, CTRL)
    assert dump(row.workflow) == first
    for _ in range(3):
        desktop.key(Key.Key_Z, CTRL | SHIFT)
    assert dump(row.workflow) == last


def test_commands_that_need_a_selection_are_off_without_one(row, desktop):
    desktop.window.commands.refresh()
    assert not desktop.window.commands.action("node.mute").isEnabled()
    row.click(*row.on("blur"))
    assert desktop.window.commands.action("node.mute").isEnabled()


def test_what_is_pasted_over_a_zone_goes_into_it_and_comes_out_by_a_command(desktop):
    here = desktop.open(zoned())
    here.document.select(["save"])
    desktop.key(Key.Key_C, CTRL)
    zone = here.canvas.board.nodes["loop"].rect
    here.move(zone.right() - 20, zone.bottom() - 12)
    desktop.key(Key.Key_V, CTRL)
    assert here.selection == {"loop/save_2"}
    desktop.key(Key.Key_P, ALT)
    assert here.selection == {"save_2"}
    assert {"loop", "save", "save_2"} <= set(here.workflow.graph.nodes)
