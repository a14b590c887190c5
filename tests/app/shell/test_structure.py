"""Subgraphs and zones: made, entered by keys, mouse and breadcrumbs, left, unpacked, dissolved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from backend.graph.document import Workflow
from tests.app.canvas.bench import chain
from tests.app.shell.desktop import CTRL, SHIFT

Key = Qt.Key


@pytest.fixture
def row(desktop):
    """A paper, a blur and a file."""
    return desktop.open(chain())


@pytest.fixture
def grouped(row, desktop):
    """The same, with the blur in a subgraph, which is selected."""
    row.click(*row.on("blur"))
    desktop.key(Key.Key_G, CTRL)
    return row


def use_of(row) -> str:
    (path,) = [p for p, n in row.workflow.graph.nodes.items() if n.type.startswith("subgraph:")]
    return path


def test_making_a_subgraph_puts_its_use_in_the_place(grouped):
    use = use_of(grouped)
    assert grouped.selection == {use}
    assert grouped.wires() == {f"paper.image > {use}.image", f"{use}.image > save.image"}
    assert set(grouped.workflow.subgraphs) == {"group"}
    assert grouped.document.session.history.at == 1
    assert (grouped.placement(use).x, grouped.placement(use).y) == (400, 80)


@pytest.mark.parametrize("way", ["key", "enter", "double click"])
def test_entering_and_leaving(grouped, desktop, way):
    if way == "key":
        desktop.key(Key.Key_Down, CTRL)
    elif way == "enter":
        desktop.key(Key.Key_Return)
    else:
        view = grouped.canvas.board.nodes[use_of(grouped)]
        grouped.double_click(view.x + 100, view.y + view.shape.height - 6)
    assert grouped.document.level == "group"
    assert set(grouped.canvas.board.nodes) == {"blur", "$", "$out"}
    assert len(grouped.canvas.board.links) == 2
    grouped.canvas.grab()
    desktop.key(Key.Key_Escape)
    assert grouped.document.level == ""
    assert "paper" in grouped.canvas.board.nodes


def test_breadcrumbs_say_where_one_is_and_lead_out(grouped, desktop):
    desktop.key(Key.Key_Down, CTRL)
    bar = desktop.window.documents_bar
    crumbs = [w for w in bar.findChildren(QPushButton) if w.isVisible()]
    assert [crumb.text() for crumb in crumbs] == ["Untitled", "Group"]
    desktop.click(crumbs[0])
    assert grouped.document.level == ""
    desktop.key(Key.Key_Down, CTRL)
    desktop.key(Key.Key_Up, CTRL)
    assert grouped.document.level == ""


def test_each_level_keeps_its_view(grouped, desktop):
    grouped.look(40, 30, 0.8)
    grouped.document.select([use_of(grouped)])
    desktop.key(Key.Key_Down, CTRL)
    inside = grouped.canvas.camera
    seen = grouped.canvas.visible()
    assert all(seen.contains(view.rect) for view in grouped.canvas.board.nodes.values())
    grouped.look(-500, 0, 1.5)
    desktop.key(Key.Key_Up, CTRL)
    assert (grouped.canvas.camera.x, grouped.canvas.camera.zoom) == (40, 0.8)
    desktop.window.document.enter("group")
    assert grouped.canvas.camera.zoom == 1.5
    assert inside.zoom != 1.5


def test_what_is_edited_inside_is_seen_outside(grouped, desktop):
    desktop.key(Key.Key_Down, CTRL)
    grouped.look()
    grouped.drag(grouped.socket("$", "out", "image"), grouped.socket("$out", "in", "image"))
    desktop.key(Key.Key_Up, CTRL)
    inner = grouped.workflow.subgraphs["group"].graph
    assert inner.outputs["image"].node == "$"


def test_a_new_output_is_made_by_a_link_to_the_end(grouped, desktop):
    desktop.key(Key.Key_Down, CTRL)
    grouped.canvas.fit()
    ends = grouped.canvas.board.nodes["$out"]
    assert ends.title == "Outputs"
    assert grouped.canvas.board.nodes["$"].title == "Inputs"


def test_the_ends_are_dragged_and_not_renamed_or_deleted(grouped, desktop):
    desktop.key(Key.Key_Down, CTRL)
    grouped.look(-400, 0)
    x, y = grouped.on("$out")
    before = grouped.placement("$out")
    grouped.drag((x, y), (x, y + 80))
    assert grouped.placement("$out").y == before.y + 80
    grouped.double_click(*grouped.on("$out"))
    assert grouped.canvas.editing.widget is None
    grouped.click(*grouped.on("$out"))
    assert grouped.selection == {"$out"}
    for key, keys in ((Key.Key_Delete, None), (Key.Key_M, None), (Key.Key_D, CTRL),
                      (Key.Key_G, CTRL), (Key.Key_C, CTRL), (Key.Key_H, None), (Key.Key_F2, None),
                      (Key.Key_S, SHIFT)):  # fmt: skip
        desktop.key(key, keys or Qt.KeyboardModifier.NoModifier)
        if desktop.palette.isVisible():
            desktop.key(Key.Key_Escape)
    assert set(grouped.canvas.board.nodes) >= {"blur", "$", "$out"}


def test_unpacking_gives_back_what_was_put_in(grouped, desktop):
    desktop.key(Key.Key_G, CTRL | SHIFT)
    assert grouped.wires() == {"paper.image > blur.image", "blur.image > save.image"}
    assert grouped.selection == {"blur"}


def test_undoing_the_subgraph_that_is_looked_at_leads_out(grouped, desktop):
    desktop.key(Key.Key_Down, CTRL)
    desktop.key(Key.Key_Z, CTRL)
    assert grouped.document.level == ""
    assert set(grouped.canvas.board.nodes) == {"paper", "blur", "save"}
    desktop.key(Key.Key_Z, CTRL | SHIFT)
    assert use_of(grouped) in grouped.canvas.board.nodes


def test_a_subgraph_is_offered_in_the_palette(grouped, desktop):
    grouped.click(100, 600)
    desktop.key(Key.Key_Tab)
    desktop.type("group")
    assert "Group" in desktop.offered()
    desktop.palette.list.setCurrentRow(desktop.offered().index("Group"))
    desktop.key(Key.Key_Return)
    uses = [n for n in grouped.workflow.graph.nodes.values() if n.type == "subgraph:group"]
    assert len(uses) == 2


def test_nodes_without_places_go_into_a_subgraph_where_they_are_shown(desktop):
    row = desktop.open(replace(chain(), layout=Workflow().layout))
    row.canvas.fit()
    shown = row.canvas.board.nodes["blur"].x, row.canvas.board.nodes["blur"].y
    row.document.select(["blur"])
    desktop.key(Key.Key_G, CTRL)
    place = row.placement(use_of(row))
    assert abs(place.x - shown[0]) <= 4
    assert abs(place.y - shown[1]) <= 4


def test_a_zone_is_made_drawn_and_dissolved(row, desktop):
    row.click(*row.on("blur"))
    desktop.window.commands.do("zone.repeat")
    (zone,) = row.canvas.board.zones
    assert zone.node.type == "repeat"
    assert zone.rect.contains(row.canvas.board.nodes[f"{zone.path}/blur"].rect)
    assert f"paper.image > {zone.path}.carry.image" in row.wires()
    assert row.document.session.history.at == 1
    row.canvas.grab()
    row.click(zone.x + 80, zone.y + 16)
    assert row.selection == {zone.path}
    desktop.key(Key.Key_G, CTRL | SHIFT)
    assert row.canvas.board.zones == []
    assert row.wires() == {"paper.image > blur.image", "blur.image > save.image"}


def test_a_zone_is_renamed_by_a_double_click_on_its_title(row, desktop):
    row.click(*row.on("blur"))
    desktop.window.commands.do("zone.repeat")
    (zone,) = row.canvas.board.zones
    assert zone.title == "Repeat"
    row.double_click(zone.x + 80, zone.y + 16)
    row.type("Four times")
    row.tap(Key.Key_Return)
    assert row.node(zone.path).title == "Four times"
