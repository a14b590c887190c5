"""Nodes moved into zones and out of them, with their links."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.document.edits.common import EditError
from app.document.edits.place import lock
from app.document.edits.rehome import move_to_zone
from app.document.level import links, walk
from backend.graph.document import Exposed, Graph, Node, Placement, Ref, Workflow
from backend.graph.format import dump, parse
from tests.app.canvas.bench import laid_out


def wires(workflow: Workflow) -> set[str]:
    return {f"{k.source}.{k.output} > {k.target}.{k.input}" for k in links(workflow.graph)}


def row() -> Workflow:
    """A paper, a blur, an empty zone that repeats, a list of two, and a file."""
    nodes = {
        "paper": Node("solid_image"),
        "blur": Node("blur", inputs={"image": Ref("paper", "image")}),
        "loop": Node("repeat", body=Graph()),
        "save": Node("save_image", inputs={"image": Ref("blur", "image")}),
    }
    made = laid_out(nodes, {"paper": (0, 0), "blur": (300, 0), "loop": (600, 0), "save": (900, 0)})
    return replace(made, expose={"radius": Exposed("blur", "radius", "Radius", "")})


def test_into_a_zone_a_node_keeps_its_links_place_and_what_it_shows(spec_of):
    made = move_to_zone(row(), "", ["blur"], "loop", spec_of)
    assert [path for path, _ in walk(made.graph)] == ["paper", "loop", "loop/blur", "save"]
    assert wires(made) == {
        "paper.image > loop/blur.image", "loop/blur.image > loop/$out.image",
        "loop.image > save.image",
    }  # fmt: skip
    assert made.layout.nodes["loop/blur"] == Placement(300, 0)
    assert made.expose["radius"].node == "loop/blur"
    assert parse(dump(made), "made") == made


def test_out_of_a_zone_it_reads_what_the_zone_was_fed(spec_of):
    body = Graph(
        {"blur": Node("blur", inputs={"image": Ref("$", "image"), "radius": Ref("$", "index")})},
        {"image": Ref("blur", "image")},
    )
    nodes = {
        "paper": Node("solid_image"),
        "loop": Node("repeat", inputs={"carry": {"image": Ref("paper", "image")}}, body=body),
        "save": Node("save_image", inputs={"image": Ref("loop", "image")}),
    }
    made = move_to_zone(Workflow(Graph(nodes)), "", ["loop/blur"], "", spec_of)
    assert wires(made) == {
        "paper.image > blur.image", "paper.image > loop.carry",
        "blur.image > loop/$out.image", "loop.image > save.image",
    }  # fmt: skip
    assert parse(dump(made), "made") == made


def test_in_and_out_again_all_links_lead_where_they_led(spec_of):
    inside = move_to_zone(row(), "", ["blur"], "loop", spec_of)
    out = move_to_zone(inside, "", ["loop/blur"], "", spec_of)
    assert "paper.image > blur.image" in wires(out)
    assert "blur.image > loop/$out.image" in wires(out)


def test_the_order_of_a_row_of_links_is_kept(spec_of, specs):
    kind = next(s for s in specs.values() if any(i.arity == "many" for i in s.inputs))
    many = next(i.name for i in kind.inputs if i.arity == "many")
    refs = (Ref("a", "image"), Ref("b", "image"), Ref("c", "image"))
    nodes = {name: Node("solid_image") for name in "abc"}
    nodes |= {"row": Node(kind.type, inputs={many: refs}), "loop": Node("repeat", body=Graph())}
    made = move_to_zone(Workflow(Graph(nodes)), "", ["b"], "loop", spec_of)
    assert [ref.node for ref in made.graph.nodes["row"].inputs[many]] == ["a", "loop", "c"]


def test_a_deeper_zone_still_reads_what_is_handed_in(spec_of):
    inner = {
        "blur": Node("blur", inputs={"image": Ref("$", "image")}),
        "again": Node("repeat", body=Graph()),
    }
    loop = Node("repeat", inputs={"carry": {"image": Ref("paper", "image")}}, body=Graph(inner))
    made = Workflow(Graph({"paper": Node("solid_image"), "loop": loop}))
    made = move_to_zone(made, "", ["loop/blur"], "loop/again", spec_of)
    assert "loop/$.image > loop/again/blur.image" in wires(made)


def test_a_zone_that_reads_the_node_refuses_it(spec_of):
    nodes = {
        "paper": Node("solid_image"),
        "loop": Node("repeat", inputs={"carry": {"image": Ref("paper", "image")}}, body=Graph()),
    }
    with pytest.raises(EditError, match="cannot read what is made inside it"):
        move_to_zone(Workflow(Graph(nodes)), "", ["paper"], "loop", spec_of)


def test_no_zone_lies_in_itself_and_no_locked_node_moves(spec_of):
    with pytest.raises(EditError, match="cannot lie in itself"):
        move_to_zone(row(), "", ["loop"], "loop", spec_of)
    with pytest.raises(EditError, match="locked"):
        move_to_zone(lock(row(), "", ["blur"], True), "", ["blur"], "loop", spec_of)


def test_what_is_there_already_stays_the_same_document(spec_of):
    made = row()
    assert move_to_zone(made, "", ["blur"], "", spec_of) is made
