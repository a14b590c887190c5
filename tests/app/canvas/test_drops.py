"""A parameter of the inspector is dragged onto the canvas."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QUrl

from app.canvas.shape import Place
from app.carried import carry_parameter
from app.document.edits.ports import add_port
from app.document.edits.subgraphs import make_subgraph
from backend.graph.document import Node, Ref
from tests.app.canvas.bench import chain, laid_out


def figures():
    """A number, a text, and a blur whose radius may be linked."""
    nodes = {"sum": Node("number"), "words": Node("text"), "blur": Node("blur")}
    return laid_out(nodes, {"sum": (80, 80), "words": (80, 400), "blur": (560, 80)})


def test_let_go_on_an_output_that_fits_it_is_linked(bench):
    here = bench(figures())
    assert here.drop(carry_parameter("blur", "radius"), *here.socket("sum", "out", "number"))
    assert here.wires() == {"sum.number > blur.radius"}
    assert here.canvas._fits is None
    here.document.undo()
    assert here.wires() == set()


def test_it_takes_the_place_of_a_link_that_was_there(bench):
    nodes = {**figures().graph.nodes, "other": Node("number")}
    nodes["blur"] = Node("blur", inputs={"radius": Ref("other", "number")})
    here = bench(laid_out(nodes, {"sum": (80, 80), "other": (80, 400), "blur": (560, 80)}))
    here.drop(carry_parameter("blur", "radius"), *here.socket("sum", "out", "number"))
    assert here.wires() == {"sum.number > blur.radius"}


def test_let_go_where_nothing_is_it_asks_for_what_gives_it(bench):
    here = bench(figures())
    here.drop(carry_parameter("blur", "radius"), 400, 600)
    assert [place for _, place in here.asked] == [Place("blur", "in", "radius")]


def test_let_go_on_what_does_not_fit_it_says_why(bench):
    here = bench(laid_out({"mask": Node("shape_mask"), "blur": Node("blur")},
                          {"mask": (80, 80), "blur": (560, 80)}))  # fmt: skip
    before = here.workflow
    here.drop(carry_parameter("blur", "radius"), *here.socket("mask", "out", "mask"))
    assert here.workflow is before
    assert here.said == ["Blur reads a Number. Shape mask gives a Mask."]


def test_let_go_on_inputs_it_becomes_an_input_of_the_subgraph(bench, book):
    made = make_subgraph(chain(), "", ["blur"], book.spec_of)
    name = next(iter(made.subgraphs))
    here = bench(add_port(made, name, "amount", "Number"), name)
    here.look(-320, -40)
    view = here.canvas.board.nodes["$"]
    here.drop(carry_parameter("blur", "radius"), view.x + 60, view.y + 14)
    port = here.workflow.subgraphs[name].inputs["radius"]
    assert (port.type, port.optional) == ("Number", True)
    assert "$.radius > blur.radius" in here.wires()


def test_carried_away_again_it_does_nothing(bench):
    here = bench(figures())
    before = here.workflow
    here.drop(carry_parameter("blur", "radius"), *here.socket("sum", "out", "number"), leave=True)
    assert here.workflow is before
    assert here.canvas._hand is None
    assert here.canvas._fits is None


def test_files_and_unknown_parameters_are_left_to_the_window(bench):
    here = bench(figures())
    files = QMimeData()
    files.setUrls([QUrl.fromLocalFile("/nowhere.png")])
    assert not here.drop(files, 400, 400)
    assert not here.drop(carry_parameter("gone", "radius"), 400, 400)
    assert not here.drop(carry_parameter("blur", "nothing"), 400, 400)
