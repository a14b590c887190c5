"""Nodes put into links, bridges, swapped inputs, and one node for another."""

from __future__ import annotations

import pytest

from app.document.edits.bridge import Bridges
from app.document.edits.common import EditError
from app.document.edits.connect import disconnect
from app.document.edits.exchange import replace_node
from app.document.edits.insert import insert, insert_chain, insert_new, sockets_for
from app.document.edits.params import set_param
from app.document.edits.swap import swap_first, swap_inputs
from app.document.level import Link, layout_of, node_at
from backend.graph.format import parse

TEXT = """{
  "weft": 1,
  "nodes": {
    "photo": {"type": "load_image", "version": 1},
    "other": {"type": "load_image", "version": 1},
    "free": {"type": "blur", "version": 1},
    "mask": {"type": "shape_mask", "version": 1},
    "mix": {
      "type": "blend",
      "version": 1,
      "params": {"opacity": 0.5, "mode": "screen"},
      "inputs": {"image": "photo.image", "background": "other.image", "mask": "mask.mask"}
    },
    "row": {
      "type": "batch_images",
      "version": 1,
      "inputs": {"images": ["photo.image", "mix.image"]}
    },
    "sample": {"type": "sample", "version": 1},
    "save": {"type": "save_image", "version": 1, "inputs": {"image": "mix.image"}}
  },
  "layout": {"nodes": {"sample": {"x": 0, "y": 0}, "save": {"x": 600, "y": 300}}}
}"""


@pytest.fixture
def document():
    return parse(TEXT, "here")


MIX_TO_ROW = Link("mix", "image", "row", "images", 1)


def test_a_node_goes_into_a_link(document, spec_of, wires, sound) -> None:
    assert sockets_for(document, "", MIX_TO_ROW, "free", spec_of) == ("image", "image")
    made = sound(insert(document, "", MIX_TO_ROW, "free", spec_of), ("W301",))
    assert "mix.image > free.image" in wires(made)
    assert "photo.image > row.images.0" in wires(made)
    assert "free.image > row.images.1" in wires(made)
    assert "mix.image > save.image" in wires(made)


def test_a_new_node_goes_into_a_link(document, specs, spec_of, wires) -> None:
    link = Link("mix", "image", "save", "image")
    made = insert_new(document, "", link, specs["show"], (5, 6), spec_of)
    assert "mix.image > show.value" in wires(made)
    assert "show.value > save.image" in wires(made)
    assert layout_of(made, "").nodes["show"].x == 5


def test_what_does_not_fit_into_a_link_stays_out(document, spec_of) -> None:
    assert sockets_for(document, "", MIX_TO_ROW, "sample", spec_of) is None
    assert sockets_for(document, "", MIX_TO_ROW, "mix", spec_of) is None
    assert sockets_for(document, "", MIX_TO_ROW, "save", spec_of) == ("image", "image")
    loop = Link("photo", "image", "mix", "image")
    assert sockets_for(document, "", loop, "save", spec_of) is None  # it needs the mix
    with pytest.raises(EditError, match="Sample does not fit into this link"):
        insert(document, "", MIX_TO_ROW, "sample", spec_of)


def test_a_bridge_is_built(document, specs, spec_of, wires, sound) -> None:
    link = Link("sample", "latent", "save", "image")
    chain = Bridges(specs).between("Latent", "Image")
    made = sound(insert_chain(document, "", link, chain, specs, spec_of))
    assert "sample.latent > vae_decode.latent" in wires(made)
    assert "vae_decode.image > save.image" in wires(made)
    assert layout_of(made, "").nodes["vae_decode"].x == 300


def test_inputs_are_swapped(document, spec_of, wires, sound) -> None:
    made = sound(swap_first(document, "", "mix", spec_of), ("W301",))
    assert wires(made)[:2] == ["other.image > mix.image", "photo.image > mix.background"]
    made = sound(swap_first(document, "", "row", spec_of), ("W301",))
    assert "mix.image > row.images.0" in wires(made)
    assert "photo.image > row.images.1" in wires(made)
    with pytest.raises(EditError, match="no two inputs of one type"):
        swap_first(document, "", "save", spec_of)


def test_a_free_input_takes_the_link_of_another(document, spec_of, wires) -> None:
    made = disconnect(document, "", [Link("other", "image", "mix", "background")])
    made = swap_inputs(made, "", "mix", ("image", None), ("background", None))
    assert "photo.image > mix.background" in wires(made)
    assert "image" not in node_at(made.graph, "mix").inputs


def test_another_node_keeps_the_links_and_values_that_fit(
    document, specs, spec_of, wires, sound
) -> None:
    made = sound(replace_node(document, "", "mix", specs["composite"], spec_of), ("W301",))
    assert node_at(made.graph, "mix").params == {"opacity": 0.5}
    assert sorted(wires(made)) == sorted(wires(document))
    made = sound(replace_node(document, "", "mix", specs["blur"], spec_of), ("W301", "W402"))
    assert "photo.image > mix.image" in wires(made)
    assert "other.image > mix.background" not in wires(made)
    assert "mix.image > save.image" in wires(made)
    made = sound(replace_node(document, "", "mix", specs["grow_mask"], spec_of), ("W301", "W402"))
    assert "mask.mask > mix.mask" in wires(made)
    assert "mix.mask > save.image" in wires(made)  # a mask is an image
    made = sound(replace_node(document, "", "mix", specs["number"], spec_of), ("W301", "W402"))
    assert not [wire for wire in wires(made) if "mix" in wire]


def test_a_row_takes_every_link(document, specs, spec_of, wires, sound) -> None:
    made = sound(replace_node(document, "", "row", specs["make_list"], spec_of), ("W301", "W402"))
    assert "photo.image > row.items.0" in wires(made)
    assert "mix.image > row.items.1" in wires(made)


def test_a_value_that_the_new_type_cannot_have_is_left(document, specs, spec_of) -> None:
    given = set_param(document, "", "free", "radius", 3000.0)
    made = replace_node(given, "", "free", specs["sharpen"], spec_of)
    assert specs["sharpen"].param("radius").maximum < 3000
    assert "radius" not in node_at(made.graph, "free").params
