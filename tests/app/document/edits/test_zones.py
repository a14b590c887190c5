"""Zones made around nodes and dissolved again."""

from __future__ import annotations

import pytest

from app.document.edits.common import EditError
from app.document.edits.connect import connect
from app.document.edits.zones import dissolve_zone, make_zone
from app.document.level import Link, layout_of, node_at
from backend.graph.format import parse

TEXT = """{
  "weft": 1,
  "nodes": {
    "photo": {"type": "load_image", "version": 1},
    "folder": {"type": "image_folder", "version": 1},
    "soft": {"type": "blur", "version": 1, "inputs": {"image": "photo.image"}},
    "mix": {
      "type": "blend",
      "version": 1,
      "inputs": {"image": "soft.image", "background": "folder.images"}
    },
    "save": {"type": "save_image", "version": 1, "inputs": {"image": "mix.image"}}
  },
  "expose": {"radius": {"node": "soft", "param": "radius"}},
  "layout": {
    "nodes": {"soft": {"x": 200, "y": 100}, "mix": {"x": 500, "y": 60}},
    "ways": [{"source": "soft.image", "target": "mix.image", "via": [{"x": 4, "y": 4}]}]
  }
}"""


@pytest.fixture
def document():
    return parse(TEXT, "here")


def test_a_repeat_carries_what_comes_out_as_it_went_in(
    document, specs, spec_of, wires, sound
) -> None:
    made = sound(make_zone(document, "", ["soft"], specs["repeat"], spec_of))
    assert wires(made) == [
        "photo.image > repeat.carry.image",
        "repeat/$.image > repeat/soft.image",
        "repeat/soft.image > repeat/$out.image",
        "repeat.image > mix.image",
        "folder.images > mix.background",
        "mix.image > save.image",
    ]
    assert made.expose["radius"].node == "repeat/soft"
    places = layout_of(made, "").nodes
    assert (places["repeat/soft"].x, places["repeat"].x) == (200, 176)
    assert list(made.graph.nodes) == ["photo", "folder", "repeat", "mix", "save"]


def test_a_for_each_takes_lists_as_its_items(document, specs, spec_of, wires, sound) -> None:
    made = sound(make_zone(document, "", ["soft", "mix"], specs["for_each"], spec_of))
    assert "folder.images > for_each.items.images" in wires(made)
    assert "for_each/$.images > for_each/mix.background" in wires(made)
    assert "photo.image > for_each/soft.image" in wires(made)  # read from outside, as before
    assert "for_each.image > save.image" in wires(made)
    assert made.layout.ways[0].target == "for_each/mix.image"
    single = sound(make_zone(document, "", ["soft"], specs["for_each"], spec_of))
    assert "photo.image > for_each.items.image" in wires(single)


@pytest.mark.parametrize("kind", ["repeat", "for_each"])
@pytest.mark.parametrize("chosen", [["soft"], ["mix"], ["soft", "mix"], ["photo"], ["save"]])
def test_a_zone_that_is_dissolved_leaves_what_was(
    document, specs, spec_of, kind, chosen, sound
) -> None:
    made = sound(make_zone(document, "", chosen, specs[kind], spec_of), ("W301",))
    back = dissolve_zone(made, "", kind)
    assert back.graph == document.graph
    assert back.expose == document.expose
    assert back.layout.nodes == document.layout.nodes
    if chosen == ["soft", "mix"]:  # else the link went through the edge of the zone
        assert back.layout.ways == document.layout.ways


def test_zones_in_zones_keep_to_their_own_names(document, specs, spec_of, wires, sound) -> None:
    made = make_zone(document, "", ["soft"], specs["repeat"], spec_of)
    made = sound(make_zone(made, "", ["repeat"], specs["repeat"], spec_of))
    assert "repeat_2/$.image_2 > repeat_2/repeat.carry.image" in wires(made)
    back = dissolve_zone(dissolve_zone(made, "", "repeat_2"), "", "repeat")
    assert back.graph == document.graph


def test_who_read_the_turn_reads_nothing_after(document, specs, spec_of, wires, sound) -> None:
    made = make_zone(document, "", ["soft"], specs["repeat"], spec_of)
    made = connect(made, "", Link("repeat/$", "index", "repeat/soft", "radius"), spec_of)
    assert "repeat/$.index > repeat/soft.radius" in wires(sound(made))
    assert "radius" not in node_at(dissolve_zone(made, "", "repeat").graph, "soft").inputs


def test_a_node_between_is_asked_for(document, specs, spec_of) -> None:
    with pytest.raises(EditError, match="Soft lies between these nodes"):
        make_zone(document, "", ["photo", "mix"], specs["repeat"], spec_of)
    with pytest.raises(KeyError):
        dissolve_zone(document, "", "soft")
