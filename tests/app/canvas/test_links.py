"""Links by hand: made, moved, refused, bridged, cut, led through points, asked for."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt

from app.canvas.shape import Place
from backend.graph.document import Node
from tests.app.canvas.bench import CTRL, LEFT, NONE, RIGHT, SHIFT, chain, laid_out, zoned


def loose():
    """A paper, a blur, a mask and a blend, of which nothing is linked."""
    nodes = {
        "paper": Node("solid_image"), "blur": Node("blur"), "mask": Node("shape_mask"),
        "blend": Node("blend"),
    }  # fmt: skip
    places = {"paper": (80, 80), "blur": (480, 80), "mask": (80, 400), "blend": (480, 400)}
    return laid_out(nodes, places)


def test_a_link_is_pulled_from_an_output_to_an_input(bench):
    here = bench(loose())
    here.drag(here.socket("paper", "out", "image"), here.socket("blur", "in", "image"))
    assert here.wires() == {"paper.image > blur.image"}
    assert here.document.session.history.at == 1


def test_a_link_is_pulled_from_an_input_to_an_output(bench):
    here = bench(loose())
    here.drag(here.socket("blur", "in", "image"), here.socket("paper", "out", "image"))
    assert here.wires() == {"paper.image > blur.image"}


def test_dropped_on_a_node_a_link_takes_its_first_input_that_fits(bench):
    here = bench(loose())
    view = here.canvas.board.nodes["blend"]
    here.drag(here.socket("mask", "out", "mask"), (view.x + 100, view.y + view.shape.height - 12))
    assert here.wires() == {"mask.mask > blend.mask"}


def test_a_second_link_replaces_the_first(bench):
    nodes = {**chain().graph.nodes, "other": Node("solid_image")}
    here = bench(laid_out(nodes, {"paper": (80, 80), "blur": (480, 80), "save": (800, 80),
                                  "other": (80, 400)}))  # fmt: skip
    here.drag(here.socket("other", "out", "image"), here.socket("blur", "in", "image"))
    assert here.wires() == {"other.image > blur.image", "blur.image > save.image"}


def test_a_joined_end_is_pulled_off_and_onto_another(bench):
    nodes = {**chain().graph.nodes, "other": Node("blur")}
    here = bench(laid_out(nodes, {"paper": (80, 80), "blur": (480, 80), "save": (800, 80),
                                  "other": (480, 400)}))  # fmt: skip
    here.drag(here.socket("blur", "in", "image"), here.socket("other", "in", "image"))
    assert here.wires() == {"paper.image > other.image", "blur.image > save.image"}
    assert here.document.session.history.at == 1


def test_a_joined_end_dropped_on_nothing_is_taken_away(bench):
    here = bench(chain())
    here.drag(here.socket("blur", "in", "image"), (340, 600))
    assert here.wires() == {"blur.image > save.image"}
    assert here.asked == []


def test_a_joined_end_put_back_changes_nothing(bench):
    here = bench(chain())
    at = here.socket("blur", "in", "image")
    here.drag(at, (340, 600), at)
    assert here.wires() == {"paper.image > blur.image", "blur.image > save.image"}
    assert not here.document.session.is_changed


def test_with_shift_a_joined_input_asks_for_what_fits_it(bench):
    here = bench(chain())
    here.drag(here.socket("blur", "in", "image"), (340, 600), keys=SHIFT)
    assert "paper.image > blur.image" in here.wires()
    ((_, place),) = here.asked
    assert place == Place("blur", "in", "image")


def test_a_link_dropped_on_empty_canvas_asks_what_to_add(bench):
    here = bench(loose())
    here.drag(here.socket("paper", "out", "image"), (360, 700))
    assert here.asked == [(QPointF(360, 700), Place("paper", "out", "image"))]
    assert not here.document.session.is_changed


def test_a_short_twitch_at_a_socket_asks_for_nothing(bench):
    here = bench(loose())
    x, y = here.socket("paper", "out", "image")
    here.drag((x, y), (x + 4, y))
    assert here.asked == []


def test_while_a_link_is_pulled_what_fits_is_marked(bench):
    here = bench(loose())
    here.press(*here.socket("mask", "out", "mask"))
    fits = here.canvas._fits
    assert ("blend", "in", "mask") in fits
    assert ("mask", "out", "mask") in fits
    assert ("paper", "in", "width") not in fits
    here.release(*here.socket("mask", "out", "mask"))
    assert here.canvas._fits is None


def test_a_link_that_cannot_be_made_says_why(bench):
    here = bench(loose())
    here.drag(here.socket("blur", "out", "image"), here.socket("blur", "in", "image"))
    assert here.wires() == set()
    (sentence,) = here.said
    assert sentence.endswith(".")
    here.said.clear()
    nodes = chain().graph.nodes
    here = bench(laid_out(dict(nodes), {"paper": (80, 80), "blur": (480, 80), "save": (800, 80)}))
    here.drag(here.socket("save", "out", "image"), here.socket("blur", "in", "image"), keys=SHIFT)
    assert "blur.image > save.image" in here.wires()
    assert "save.image > blur.image" not in here.wires()
    assert len(here.said) == 1


def test_enter_puts_in_what_bridges_a_link_that_does_not_fit(bench):
    nodes = {
        "model": Node("load_model"),
        "latent": Node("empty_latent"),
        "save": Node("save_image"),
    }
    here = bench(laid_out(nodes, {"model": (40, 60), "latent": (340, 60), "save": (860, 60)}))
    here.press(*here.socket("latent", "out", "latent"))
    at = here.socket("save", "in", "image")
    here._mouse_move(here.at(*at), LEFT, NONE)
    refusal = here.canvas._hand._refusal
    assert refusal is not None
    assert refusal.bridge
    here.canvas.grab()
    here.key(Qt.Key.Key_Return)
    here.release(*at)
    (step,) = refusal.bridge
    fresh = set(here.workflow.graph.nodes) - nodes.keys()
    assert [here.node(path).type for path in fresh] == [step.type]
    (path,) = fresh
    assert any(wire.startswith("latent.latent > " + path) for wire in here.wires())
    assert any(wire.startswith(path) and wire.endswith("> save.image") for wire in here.wires())
    assert here.said == []
    assert here.document.session.history.at == 1


def test_a_stroke_with_the_right_button_cuts_what_it_crosses(bench):
    here = bench(chain())
    here.drag((344, 100), (344, 160), button=RIGHT, keys=CTRL)
    assert here.wires() == {"blur.image > save.image"}


def test_one_stroke_with_the_tool_cuts_many_in_one_edit(bench):
    here = bench(chain())
    here.canvas.set_tool("cut")
    here.drag((344, 100), (344, 300), (660, 300), (660, 60))
    assert here.wires() == set()
    assert here.document.session.history.at == 1


def test_a_cut_that_is_cancelled_cuts_nothing(bench):
    here = bench(chain())
    here.canvas.set_tool("cut")
    here.press(344, 100)
    here._mouse_move(here.at(344, 160), LEFT, NONE)
    here.key(Qt.Key.Key_Escape)
    here.release(344, 160)
    assert len(here.wires()) == 2


def test_a_double_click_on_a_link_makes_a_reroute_which_is_dragged(bench):
    here = bench(chain())
    here.double_click(*here.middle_of("paper", "blur"))
    (way,) = here.workflow.layout.ways
    assert [(p.x, p.y) for p in way.via] == [(344, 128)]
    here.drag((344, 128), (344, 320))
    (way,) = here.workflow.layout.ways
    assert [(p.x, p.y) for p in way.via] == [(344, 320)]
    assert here.document.session.history.at == 2
    (link,) = [v for v in here.canvas.board.links.values() if v.link.target == "blur"]
    assert link.via == (QPointF(344, 320),)
    assert here.wires() == {"paper.image > blur.image", "blur.image > save.image"}


def test_a_second_reroute_lies_where_the_link_was_clicked(bench):
    here = bench(chain())
    here.double_click(*here.middle_of("paper", "blur"))
    here.drag((344, 128), (344, 320))
    (view,) = [v for v in here.canvas.board.links.values() if v.link.target == "blur"]
    for percent in (0.25, 0.75):
        point = view.path.pointAtPercent(percent)
        if percent == 0.25:
            here.double_click(point.x(), point.y())
    (way,) = here.workflow.layout.ways
    assert len(way.via) == 2
    assert way.via[1] == way.via[1].__class__(344, 320)


def test_shift_and_a_click_on_a_link_makes_a_reroute_too(bench):
    here = bench(chain())
    here.click(*here.middle_of("paper", "blur"), keys=SHIFT)
    assert len(here.workflow.layout.ways) == 1


@pytest.mark.parametrize("zoom", [0.5, 1.0, 2.0])
def test_a_link_is_pointed_at_and_chosen_at_every_scale(bench, zoom):
    here = bench(chain())
    here.look(0, 0, zoom)
    here.move(*here.middle_of("paper", "blur"))
    assert here.canvas.chosen.hover_link.target == "blur"
    here.click(*here.middle_of("paper", "blur"))
    assert here.canvas.chosen.link.target == "blur"
    here.move(344, 40)
    assert here.canvas.chosen.hover_link is None


def test_links_go_into_a_growing_row_one_after_the_other(bench):
    nodes = {"one": Node("solid_image"), "two": Node("solid_image"), "list": Node("make_list")}
    here = bench(laid_out(nodes, {"one": (80, 80), "two": (80, 360), "list": (480, 80)}))
    here.drag(here.socket("one", "out", "image"), here.socket("list", "in", "items", 0))
    here.drag(here.socket("two", "out", "image"), here.socket("list", "in", "items", 1))
    assert here.wires() == {"one.image > list.items.0", "two.image > list.items.1"}
    here.drag(here.socket("list", "in", "items", 0), (300, 700))
    assert here.wires() == {"two.image > list.items.0"}


def test_a_link_into_a_zone_and_out_of_it(bench):
    here = bench(zoned(linked=False))
    here.drag(here.socket("loop", "out", "image"), here.socket("save", "in", "image"))
    assert "loop.image > save.image" in here.wires()
    x, y = here.socket("loop/$out", "in", "image")
    here.drag((x - 4, y), (500, 700))  # the inner side of the edge
    assert "loop/blur.image > loop/$out.image" not in here.wires()


def test_the_first_link_finds_the_order_for_its_check_made(bench, spin, monkeypatch):
    here = bench(loose())
    nodes = here.workflow.graph.nodes
    spin(lambda: here.canvas.reads._seen is nodes)
    monkeypatch.setattr(here.canvas.reads, "_sort_all", None)  # it need not be found again
    here.drag(here.socket("paper", "out", "image"), here.socket("blur", "in", "image"))
    assert here.wires() == {"paper.image > blur.image"}
