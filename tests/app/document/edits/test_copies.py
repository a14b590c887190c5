"""Copies: linked as their originals, beside them, in other zones, in other documents."""

from __future__ import annotations

import pytest

from app.document.edits.clipboard import copy, is_workflow, paste
from app.document.edits.common import EditError, added
from app.document.edits.copies import duplicate
from app.document.edits.frames import Box, add_frame, add_note
from app.document.edits.subgraphs import make_subgraph
from app.document.level import layout_of, node_at
from backend.graph.document import Workflow
from backend.graph.format import dump, load, parse

TEXT = """{
  "weft": 1,
  "nodes": {
    "photo": {"type": "load_image", "version": 1, "params": {"file": "a.png"}},
    "loop": {
      "type": "repeat",
      "version": 1,
      "inputs": {"carry": {"image": "photo.image"}},
      "body": {
        "nodes": {
          "soft": {"type": "blur", "version": 1, "inputs": {"image": "$.image"}},
          "mix": {
            "type": "blend",
            "version": 1,
            "inputs": {"image": "soft.image", "background": "photo.image"}
          }
        },
        "outputs": {"image": "mix.image"}
      }
    },
    "save": {"type": "save_image", "version": 1, "inputs": {"image": "loop.image"}}
  },
  "layout": {
    "nodes": {
      "photo": {"x": 0, "y": 0},
      "loop": {"x": 300, "y": 10},
      "loop/soft": {"x": 324, "y": 66}
    },
    "ways": [
      {"source": "photo.image", "target": "loop.carry", "via": [{"x": 250, "y": 8}]},
      {"source": "loop.image", "target": "save.image", "name": "done"}
    ]
  }
}"""


@pytest.fixture
def document():
    return parse(TEXT, "here")


def test_duplicates_are_linked_as_their_originals(document, wires, sound) -> None:
    made = sound(duplicate(document, "", ["photo", "loop", "loop/soft"]))
    assert added(document, made, "") == ("photo_2", "loop_2", "loop_2/soft", "loop_2/mix")
    new = [wire for wire in wires(made) if "_2" in wire]
    assert new == [
        "photo_2.image > loop_2.carry.image",
        "loop_2/$.image > loop_2/soft.image",
        "loop_2/soft.image > loop_2/mix.image",
        "photo_2.image > loop_2/mix.background",
        "loop_2/mix.image > loop_2/$out.image",
    ]
    places = layout_of(made, "").nodes
    assert (places["loop_2/soft"].x, places["loop_2/soft"].y) == (356, 98)
    assert made.layout.ways[-1].target == "loop_2.carry"
    assert made.layout.ways[-1].via[0].x == 282


def test_a_duplicate_reads_from_the_same_sources(document, wires, sound) -> None:
    made = sound(duplicate(document, "", ["loop/mix", "save"]))
    assert added(document, made, "") == ("loop/mix_2", "save_2")
    assert "loop/soft.image > loop/mix_2.image" in wires(made)
    assert "loop.image > save_2.image" in wires(made)
    assert made.layout.ways[-1].name == "done"  # read by its name, as the original is


def test_what_is_copied_is_a_workflow_file(document, spec_of, tmp_path, sound) -> None:
    text = copy(document, "", ["photo", "loop"])
    assert is_workflow(text)
    assert not is_workflow("a prompt about a weft")
    assert not is_workflow('{"weft": ')
    path = tmp_path / "copied.weft.json"
    path.write_text(text, encoding="utf-8")
    copied = load(path)
    assert dump(copied) == text
    assert dict(sound(copied).graph.nodes) == {
        name: document.graph.nodes[name] for name in ("photo", "loop")
    }


def test_pasted_nodes_are_linked_where_the_sources_are(document, wires, spec_of, sound) -> None:
    text = copy(document, "", ["loop", "save"])
    made = sound(paste(document, "", text, spec_of, at=(1000, 500)))
    assert added(document, made, "") == ("loop_2", "loop_2/soft", "loop_2/mix", "save_2")
    assert "photo.image > loop_2.carry.image" in wires(made)
    assert "loop_2.image > save_2.image" in wires(made)
    assert layout_of(made, "").nodes["loop_2"].x == 1000


def test_a_zone_that_is_handed_nothing_loses_what_read_it(document, wires, spec_of, sound) -> None:
    text = copy(document, "", ["loop", "save"])
    empty = sound(paste(Workflow(), "", text, spec_of), ("W301", "W401", "W402", "W505"))
    assert wires(empty) == ["loop/soft.image > loop/mix.image"]
    assert "carry" not in node_at(empty.graph, "loop").inputs


def test_a_source_of_another_type_is_not_taken(document, wires, spec_of, sound) -> None:
    text = copy(document, "", ["save"])
    other = parse('{"weft": 1, "nodes": {"loop": {"type": "number", "version": 1}}}', "other")
    assert wires(sound(paste(other, "", text, spec_of))) == []


def test_nodes_of_a_zone_are_pasted_into_another(document, wires, spec_of, sound) -> None:
    text = copy(document, "", ["loop/soft"])
    made = sound(paste(document, "", text, spec_of, zone="loop"))
    assert "loop/$.image > loop/soft_2.image" in wires(made)
    made = sound(paste(document, "", text, spec_of))
    assert not [wire for wire in wires(made) if "soft_2" in wire]


def test_subgraphs_come_along_once(document, spec_of, sound) -> None:
    made = make_subgraph(document, "", ["loop"], spec_of)
    text = copy(made, "", ["group"])
    twice = sound(paste(made, "", text, spec_of))
    assert list(twice.subgraphs) == ["group"]
    other = make_subgraph(document, "", ["photo"], spec_of)
    both = sound(paste(other, "", text, spec_of))
    assert list(both.subgraphs) == ["group", "group_2"]
    assert node_at(both.graph, "group_2").type == "subgraph:group_2"
    with pytest.raises(EditError, match="cannot contain itself"):
        paste(made, "group", text, spec_of)


def test_frames_and_notes_come_along(document, spec_of) -> None:
    made = add_note(add_frame(document, "", Box(-16, -32, 600, 300), "All"), "", "Read me", (0, 0))
    text = copy(made, "", ["photo"], frames=[0], notes=[0])
    pasted = paste(Workflow(), "", text, spec_of, at=(0, 0))
    assert pasted.layout.frames[0].title == "All"
    assert (pasted.layout.frames[0].x, pasted.layout.nodes["photo"].x) == (0, 16)
    assert pasted.layout.notes[0].text == "Read me"


def test_text_that_is_no_workflow_is_refused(document, spec_of) -> None:
    for text in ("", "hello", '{"weft": 99, "nodes": {}}', '{"nodes": {}}'):
        with pytest.raises(EditError, match="no workflow"):
            paste(document, "", text, spec_of)
