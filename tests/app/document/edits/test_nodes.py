"""Nodes added, taken out, switched off and renamed, with all that speaks of them."""

from __future__ import annotations

import pytest

from app.document.edits.common import EditError, added, fresh, fresh_id
from app.document.edits.inline import rename_node
from app.document.edits.nodes import (
    add_node,
    detach_nodes,
    new_node,
    remove_nodes,
    set_each,
    set_mode,
    set_title,
    toggle_mode,
)
from app.document.edits.params import (
    describe_exposed,
    expose,
    order_exposed,
    rename_exposed,
    reset_params,
    set_param,
    set_params,
    shown_as,
    unexpose,
)
from app.document.edits.place import lock
from app.document.level import layout_of, node_at
from backend.graph.document import Workflow
from backend.graph.format import parse

TEXT = """{
  "weft": 1,
  "nodes": {
    "photo": {"type": "load_image", "version": 1},
    "soft": {"type": "blur", "version": 1, "inputs": {"image": "photo.image"}},
    "wide": {"type": "resize", "version": 1, "inputs": {"image": "soft.image"}},
    "loop": {
      "type": "repeat",
      "version": 1,
      "inputs": {"carry": {"image": "wide.image"}},
      "body": {
        "nodes": {
          "crisp": {"type": "sharpen", "version": 1, "inputs": {"image": "$.image"}}
        },
        "outputs": {"image": "crisp.image", "each": "crisp.image"}
      }
    },
    "save": {"type": "save_image", "version": 1, "inputs": {"image": "loop.image"}}
  },
  "expose": {"radius": {"node": "soft", "param": "radius"}},
  "layout": {
    "nodes": {"soft": {"x": 8, "y": 16}, "save": {"x": 400, "y": 0}},
    "ways": [
      {"source": "photo.image", "target": "soft.image", "via": [{"x": 4, "y": 4}]},
      {"source": "loop.image", "target": "save.image", "name": "done"}
    ]
  }
}"""


@pytest.fixture
def document():
    return parse(TEXT, "here")


def test_ids_are_readable_and_free_in_all_of_the_level(document, specs) -> None:
    assert fresh_id(document, "", "blur") == "blur"
    assert fresh_id(document, "", "crisp") == "crisp_2"  # there is one in the loop
    assert fresh_id(document, "", "a.pack/Fine Type!") == "a_pack_fine_type"
    assert fresh_id(document, "", "9to5") == "n9to5"
    assert fresh("blur_2", {"blur_2", "blur_3"}) == "blur_4"
    made = add_node(document, "", new_node(specs["blur"], {"radius": 2.0}), (10, 20), "loop")
    assert added(document, made, "") == ("loop/blur",)
    assert layout_of(made, "").nodes["loop/blur"].y == 20
    with pytest.raises(EditError, match="a node crisp already"):
        add_node(document, "", new_node(specs["blur"]), (0, 0), name="crisp")


def test_a_new_zone_has_a_body(specs, sound) -> None:
    made = add_node(Workflow(), "", new_node(specs["repeat"]), (0, 0))
    assert node_at(made.graph, "repeat").body is not None
    sound(made, ("W505", "W402", "W401"))


def test_a_node_goes_with_its_links_place_ways_and_what_it_shows(document, wires, sound) -> None:
    made = sound(remove_nodes(document, "", ["soft"]))
    assert not [wire for wire in wires(made) if "soft" in wire]
    assert "soft" not in made.layout.nodes
    assert not made.expose
    assert [way.target for way in made.layout.ways] == ["save.image"]


def test_links_heal_over_nodes_that_are_taken_out(document, wires, sound, spec_of) -> None:
    made = sound(remove_nodes(document, "", ["soft", "wide"], spec_of))
    assert wires(made)[0] == "photo.image > loop.carry.image"
    made = sound(remove_nodes(document, "", ["loop"], spec_of))
    assert "wide.image > save.image" in wires(made)


def test_what_is_carried_comes_back_as_it_went_in(document, wires, sound) -> None:
    made = sound(remove_nodes(document, "", ["loop/crisp"]))
    assert "loop/$.image > loop/$out.image" in wires(made)
    assert "loop.image > save.image" in wires(made)
    assert "each" not in node_at(made.graph, "loop").body.outputs


def test_a_detached_node_stays_with_its_values(document, wires, sound, spec_of) -> None:
    given = set_param(document, "", "soft", "radius", 3.0)
    made = sound(detach_nodes(given, "", ["soft"], spec_of))
    assert "photo.image > wide.image" in wires(made)
    assert not [wire for wire in wires(made) if "soft" in wire]
    assert node_at(made.graph, "soft").params["radius"] == 3.0
    both = sound(detach_nodes(given, "", ["soft", "wide"], spec_of))
    assert "soft.image > wide.image" in wires(both)
    assert "photo.image > loop.carry.image" in wires(both)


def test_modes_titles_and_lists(document) -> None:
    made = toggle_mode(document, "", ["soft", "loop/crisp"], "mute")
    assert node_at(made.graph, "loop/crisp").mode == "mute"
    made = toggle_mode(made, "", ["soft", "wide"], "mute")
    assert node_at(made.graph, "wide").mode == "mute"
    made = toggle_mode(made, "", ["soft", "wide"], "mute")
    assert node_at(made.graph, "soft").mode == node_at(made.graph, "wide").mode == "on"
    assert node_at(set_title(made, "", "soft", " Fog ").graph, "soft").title == "Fog"
    assert node_at(set_each(made, "", ["soft"], "product").graph, "soft").each == "product"


def test_a_locked_node_is_not_changed(document, spec_of) -> None:
    made = lock(document, "", ["soft"], True)
    for change in (
        lambda: set_param(made, "", "soft", "radius", 2.0),
        lambda: remove_nodes(made, "", ["wide", "soft"]),
        lambda: detach_nodes(made, "", ["soft"], spec_of),
        lambda: set_mode(made, "", ["soft"], "mute"),
        lambda: reset_params(made, "", ["soft"]),
    ):
        with pytest.raises(EditError, match="Soft is locked"):
            change()
    set_param(lock(made, "", ["soft"], False), "", "soft", "radius", 2.0)


def test_values_are_set_and_reset(document) -> None:
    made = set_params(document, "", {"soft": {"radius": 2.0}, "loop/crisp": {"amount": 0.1}})
    assert node_at(made.graph, "loop/crisp").params == {"amount": 0.1}
    assert made.graph.nodes["photo"] is document.graph.nodes["photo"]
    assert set_param(made, "", "soft", "radius", 2.0).graph is made.graph
    made = reset_params(made, "", ["soft", "loop/crisp"], ["radius"])
    assert node_at(made.graph, "soft").params == {}
    assert reset_params(made, "", ["loop/crisp"]) == document


def test_parameters_are_shown_outside(document) -> None:
    made = expose(document, "", "loop/crisp", "radius")
    assert list(made.expose) == ["radius", "radius_2"]
    assert made.expose["radius_2"].label == "Radius"
    assert shown_as(made, "", "loop/crisp", "radius") == "radius_2"
    assert expose(made, "", "loop/crisp", "radius") is made
    made = describe_exposed(made, "", "radius_2", text="Crisp", group="Look")
    made = order_exposed(made, "", ["radius_2"])
    assert [(e.label, e.group) for e in made.expose.values()] == [("Crisp", "Look"), ("", "")]
    made = rename_exposed(made, "", "radius_2", "crisp")
    assert list(made.expose) == ["crisp", "radius"]
    with pytest.raises(EditError, match="radius already"):
        rename_exposed(made, "", "crisp", "radius")
    assert not unexpose(made, "", ["crisp", "radius"]).expose


def test_a_renamed_node_is_followed_by_all(document, wires, sound) -> None:
    made = sound(rename_node(document, "", "soft", "fog"))
    assert "photo.image > fog.image" in wires(made)
    assert "fog.image > wide.image" in wires(made)
    assert made.expose["radius"].node == "fog"
    assert made.layout.nodes["fog"] == document.layout.nodes["soft"]
    assert made.layout.ways[0].target == "fog.image"
    assert list(made.graph.nodes) == ["photo", "fog", "wide", "loop", "save"]
    made = sound(rename_node(made, "", "loop", "again"))
    assert "again.image > save.image" in wires(made)
    for name in ("photo", "no id", ""):
        with pytest.raises(EditError):
            rename_node(made, "", "fog", name)
