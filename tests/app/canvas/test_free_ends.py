"""The free places of a subgraph's ends and of a zone's edge: a link there makes a socket."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt

from app.canvas.hands.pull import PullHand
from app.canvas.port_names import port_at, removed
from app.canvas.shape import Place
from app.document.edits.subgraphs import make_subgraph
from tests.app.canvas.bench import NONE, chain, zoned


@pytest.fixture
def inside(bench, book):
    """The inside of a subgraph around a blur, at 100 %."""
    made = make_subgraph(chain(), "", ["blur"], book.spec_of)
    name = next(iter(made.subgraphs))
    here = bench(made, name)
    here.look(-320, -40)
    return here


def _ports(here):
    subgraph = here.workflow.subgraphs[here.document.level]
    return {name: port.type for name, port in subgraph.inputs.items()}


def test_a_link_pulled_to_outputs_makes_one_more(inside):
    inside.drag(inside.socket("blur", "out", "image"), inside.socket("$out", "in", ""))
    assert inside.wires() == {
        "$.image > blur.image", "blur.image > $out.image", "blur.image > $out.image_2",
    }  # fmt: skip
    sockets = inside.canvas.board.nodes["$out"].shape.sockets
    assert {s.name: s.joined for s in sockets} == {"image": True, "image_2": True, "": False}
    inside.document.undo()
    assert len(inside.wires()) == 2


def test_a_link_let_go_over_the_card_of_outputs_makes_one_more(inside):
    view = inside.canvas.board.nodes["$out"]
    inside.drag(inside.socket("blur", "out", "image"), (view.x + 100, view.y + 14))
    assert "blur.image > $out.image_2" in inside.wires()
    kinds = {s.name: s.type for s in view.shape.sockets}
    assert kinds == {"image": "Image", "image_2": "Image", "": "*"}


def test_a_link_pulled_from_inputs_makes_one_more_of_the_type_that_it_feeds(inside):
    inside.canvas.open_values("blur", True)
    inside.drag(inside.socket("$", "out", ""), inside.socket("blur", "in", "image"))
    assert _ports(inside) == {"image": "Image", "image_2": "Image"}
    assert "$.image_2 > blur.image" in inside.wires()


def test_a_parameter_pulled_to_inputs_becomes_an_input_that_may_be_left_open(inside):
    canvas = inside.canvas
    hand = PullHand(canvas, canvas.pointer(), NONE, Place("blur", "in", "radius"))
    at = canvas.place_of(Place("$", "out", ""))
    hand.release(at, NONE)
    port = inside.workflow.subgraphs[inside.document.level].inputs["radius"]
    assert port.type in ("Number", "Integer")
    assert port.optional


def test_inputs_pulled_to_outputs_say_that_nothing_is_known_yet(inside):
    before = inside.workflow
    inside.drag(inside.socket("$", "out", ""), inside.socket("$out", "in", ""))
    assert inside.workflow is before
    assert inside.said


def test_what_is_joined_to_outputs_is_shown_as_joined_and_nothing_is_said_below(inside):
    nodes = inside.canvas.board.nodes
    joined = {s.name: s.joined for s in nodes["$out"].shape.sockets}
    assert joined == {"image": True, "": False}
    for path in ("$", "$out"):
        assert nodes[path].shape.footer_y >= nodes[path].shape.height
    inside.drag(inside.socket("$out", "in", "image"), (900, 700))
    assert [s.name for s in nodes["$out"].shape.sockets] == [""]


def test_a_link_pulled_to_the_edge_of_a_zone_makes_one_more_result(bench):
    here = bench(zoned())
    here.drag(here.socket("loop/blur", "out", "image"), here.socket("loop/$out", "in", ""))
    assert set(here.node("loop").body.outputs) == {"image", "image_2"}
    assert here.canvas.board.nodes["loop"].shape.socket("out", "image_2")


@pytest.mark.parametrize(
    ("path", "wire"), [("$", "$.sky > blur.image"), ("$out", "blur.image > $out.sky")]
)
def test_a_double_click_on_a_row_gives_it_another_name(inside, spin, path, wire):
    x, y = inside.socket(path, "out" if path == "$" else "in", "image")
    inside.double_click(x + (-60 if path == "$" else 60), y)
    inside.type("Sky")
    inside.tap(Qt.Key.Key_Return)
    assert wire in inside.wires()
    spin(lambda: inside.canvas.editing.widget is None)
    assert set(inside.workflow.graph.nodes["save"].inputs) == {"image"}


def test_a_row_is_taken_out_with_its_links(inside):
    view = inside.canvas.board.nodes["$"]
    port = port_at(view, QPointF(view.x + 60, inside.socket("$", "out", "image")[1]))
    inside.canvas.edit("Take out", removed("$", inside.document.level, port.name))
    assert inside.wires() == {"blur.image > $out.image"}
    assert port_at(view, QPointF(view.x + 60, inside.socket("$", "out", "")[1])) is None


def test_sockets_on_the_edge_of_a_zone_have_the_type_of_what_is_linked(bench):
    here = bench(zoned())
    places = here.canvas.board.nodes["loop"].shape.places
    assert places["in", "carry", "image"].type == "Image"
    assert places["out", "image", None].type == "Image"
