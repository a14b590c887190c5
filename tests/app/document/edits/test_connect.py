"""Links: made where they fit, one in a plain input, and never in a circle."""

from __future__ import annotations

import pytest

from app.document.edits.common import EditError
from app.document.edits.connect import (
    connect,
    disconnect,
    disconnect_nodes,
    move_outputs,
    reconnect,
)
from app.document.edits.nodes import add_node, new_node
from app.document.edits.place import lock
from app.document.level import Link, links, node_at
from backend.graph.document import Workflow
from backend.graph.format import parse

LOOP = """{
  "weft": 1,
  "nodes": {
    "photo": {"type": "load_image", "version": 1},
    "other": {"type": "load_image", "version": 1},
    "loop": {
      "type": "repeat",
      "version": 1,
      "inputs": {"carry": {"image": "photo.image"}},
      "body": {
        "nodes": {
          "soften": {"type": "blur", "version": 1, "inputs": {"image": "$.image"}},
          "crisp": {"type": "sharpen", "version": 1, "inputs": {"image": "$.image"}}
        },
        "outputs": {"image": "soften.image"}
      }
    },
    "save": {"type": "save_image", "version": 1, "inputs": {"image": "loop.image"}}
  }
}"""


@pytest.fixture
def loop():
    return parse(LOOP, "loop")


@pytest.fixture
def make(specs):
    def build(*types: str) -> Workflow:
        made = Workflow()
        for kind in types:
            made = add_node(made, "", new_node(specs[kind]), (0, 0))
        return made

    return build


def test_a_plain_input_keeps_the_last_link(make, spec_of, wires, sound) -> None:
    made = make("load_image", "load_image", "save_image")
    made = connect(made, "", Link("load_image", "image", "save_image", "image"), spec_of)
    assert wires(made) == ["load_image.image > save_image.image"]
    made = connect(made, "", Link("load_image_2", "image", "save_image", "image"), spec_of)
    assert wires(sound(made)) == ["load_image_2.image > save_image.image"]


def test_a_row_grows_and_a_place_in_it_can_be_replaced(make, spec_of, wires, sound) -> None:
    made = make("load_image", "load_image", "load_image", "batch_images")
    for source in ("load_image", "load_image_2"):
        made = connect(made, "", Link(source, "image", "batch_images", "images"), spec_of)
    made = connect(made, "", Link("load_image_3", "image", "batch_images", "images", 0), spec_of)
    assert wires(sound(made)) == [
        "load_image_3.image > batch_images.images.0",
        "load_image_2.image > batch_images.images.1",
    ]
    made = disconnect(made, "", [Link("load_image_3", "image", "batch_images", "images", 0)])
    assert wires(made) == ["load_image_2.image > batch_images.images.0"]
    made = disconnect(made, "", list(links(made.graph)))
    assert "images" not in node_at(made.graph, "batch_images").inputs


def test_an_input_by_name_gets_a_fresh_name(make, spec_of, wires, sound) -> None:
    made = make("number", "expression")
    link = Link("number", "number", "expression", "values")
    made = connect(connect(made, "", link, spec_of), "", link, spec_of)
    made = connect(made, "", link._replace(key="x"), spec_of)
    assert wires(sound(made)) == [
        "number.number > expression.values.number",
        "number.number > expression.values.number_2",
        "number.number > expression.values.x",
    ]


def test_a_parameter_is_linked_like_an_input(make, spec_of, wires, sound) -> None:
    made = make("number", "load_image", "blur")
    made = connect(made, "", Link("number", "number", "blur", "radius"), spec_of)
    assert wires(sound(made)) == ["number.number > blur.radius"]
    made = make("text", "load_model")
    with pytest.raises(EditError, match="Model of Load model takes no link"):
        connect(made, "", Link("text", "text", "load_model", "model"), spec_of)


def test_no_link_leads_in_a_circle(make, spec_of) -> None:
    made = make("blur", "sharpen", "invert")
    made = connect(made, "", Link("blur", "image", "sharpen", "image"), spec_of)
    made = connect(made, "", Link("sharpen", "image", "invert", "image"), spec_of)
    with pytest.raises(EditError, match="Invert already needs what Blur gives"):
        connect(made, "", Link("invert", "image", "blur", "image"), spec_of)
    with pytest.raises(EditError, match="Blur cannot read what it gives itself"):
        connect(made, "", Link("blur", "image", "blur", "image"), spec_of)


def test_what_a_zone_gives_is_not_read_in_it(loop, spec_of) -> None:
    with pytest.raises(EditError, match="in a circle"):
        connect(loop, "", Link("loop", "image", "loop/crisp", "image"), spec_of)
    with pytest.raises(EditError, match="is made inside it"):
        connect(loop, "", Link("loop/crisp", "image", "loop", "carry"), spec_of)
    with pytest.raises(EditError, match="in a circle"):  # save needs the loop, which would need it
        connect(loop, "", Link("save", "image", "loop/crisp", "image"), spec_of)


def test_a_node_in_a_zone_reads_one_outside(loop, spec_of, wires, sound) -> None:
    made = connect(loop, "", Link("other", "image", "loop/crisp", "image"), spec_of)
    assert "other.image > loop/crisp.image" in wires(sound(made))


def test_a_link_out_of_a_zone_makes_an_output(loop, spec_of, wires, sound) -> None:
    made = connect(loop, "", Link("loop/crisp", "image", "save", "image"), spec_of)
    assert "loop/crisp.image > loop/$out.image_2" in wires(made)
    assert "loop.image_2 > save.image" in wires(sound(made))
    made = connect(made, "", Link("loop/soften", "image", "save", "image"), spec_of)
    assert "loop.image > save.image" in wires(sound(made))


def test_what_is_carried_comes_back(loop, spec_of, wires, sound) -> None:
    made = connect(loop, "", Link("other", "image", "loop", "carry"), spec_of)
    assert "loop/$.image_2 > loop/$out.image_2" in wires(sound(made))
    made = connect(made, "", Link("loop/crisp", "image", "loop/$out", "image_2"), spec_of)
    assert "loop/crisp.image > loop/$out.image_2" in wires(sound(made))


def test_what_is_carried_no_more_is_read_no_more(loop, wires, sound) -> None:
    made = disconnect(loop, "", [Link("photo", "image", "loop", "carry", "image")])
    assert wires(sound(made, ("W301", "W401", "W402", "W505"))) == []


def test_an_end_is_dragged_elsewhere(make, spec_of, wires, sound) -> None:
    made = make("load_image", "save_image", "save_image")
    old = Link("load_image", "image", "save_image", "image")
    made = connect(made, "", old, spec_of)
    made = reconnect(made, "", old, old._replace(target="save_image_2"), spec_of)
    assert wires(sound(made)) == ["load_image.image > save_image_2.image"]


def test_outputs_are_swapped_for_others(loop, spec_of, wires) -> None:
    made = move_outputs(loop, "", {("photo", "image"): ("other", "image")}, spec_of)
    assert "other.image > loop.carry.image" in wires(made)
    assert len(wires(made)) == len(wires(loop))


def test_all_links_of_a_node_are_taken_away(loop, wires, sound) -> None:
    made = disconnect_nodes(loop, "", ["loop/soften"])
    assert wires(sound(made)) == [
        "photo.image > loop.carry.image",
        "loop/$.image > loop/crisp.image",
        "loop/$.image > loop/$out.image",
        "loop.image > save.image",
    ]


def test_a_locked_node_keeps_its_links(loop, spec_of) -> None:
    made = lock(add_place(loop), "", ["save"], True)
    with pytest.raises(EditError, match="Save is locked"):
        connect(made, "", Link("photo", "image", "save", "image"), spec_of)
    with pytest.raises(EditError, match="Save is locked"):
        disconnect(made, "", [Link("loop", "image", "save", "image")])


def add_place(workflow):
    from app.document.edits.place import move_to

    return move_to(workflow, "", {"save": (0, 0)})


def test_ends_that_are_not_there_are_refused(loop, spec_of) -> None:
    for source, target in (("none", "save"), ("photo", "none"), ("loop/none", "save")):
        with pytest.raises(KeyError):
            connect(loop, "", Link(source, "image", target, "image"), spec_of)
    with pytest.raises(KeyError):
        connect(loop, "", Link("loop/$", "nothing", "loop/crisp", "image"), spec_of)
