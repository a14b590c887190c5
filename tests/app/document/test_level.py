"""A level of a document: nodes by path, and links as the engine reads them."""

from __future__ import annotations

import pytest

from app.document.level import (
    Link,
    graph_of,
    layout_of,
    link_ends,
    links,
    links_into,
    node_at,
    put_graph,
    put_layout,
    put_node,
    reference,
    walk,
)
from backend.graph.document import Layout, Node, Placement, Ref
from backend.graph.format import parse

TEXT = """{
  "weft": 1,
  "nodes": {
    "photo": {"type": "load_image"},
    "loop": {
      "type": "repeat",
      "inputs": {"carry": {"image": "photo.image"}, "times": "turns.value"},
      "body": {
        "nodes": {
          "soften": {"type": "blur", "inputs": {"image": "$.image", "radius": "turns.value"}},
          "each": {
            "type": "for_each",
            "inputs": {"items": {"one": "soften.image"}},
            "body": {
              "nodes": {
                "photo": {"type": "blur", "inputs": {"image": "$.one", "radius": "$.index"}},
                "mix": {"type": "join", "inputs": {"images": ["photo.image", "$.image"]}}
              },
              "outputs": {"all": "mix.image"}
            }
          }
        },
        "outputs": {"image": "soften.image"}
      }
    },
    "turns": {"type": "integer"},
    "end": {"type": "subgraph:finish", "inputs": {"image": "loop.image", "gone": "no.image"}}
  },
  "outputs": {"picture": "end.image"},
  "subgraphs": {
    "finish": {
      "inputs": {"image": {"type": "Image"}},
      "nodes": {"crisp": {"type": "sharpen", "inputs": {"image": "$.image"}}},
      "outputs": {"image": "crisp.image"},
      "layout": {"nodes": {"crisp": {"x": 8, "y": 16}}}
    }
  }
}"""


@pytest.fixture
def workflow():
    return parse(TEXT, "here")


def test_every_node_is_walked_with_its_path_a_zone_before_its_body(workflow) -> None:
    assert [path for path, _ in walk(workflow.graph)] == [
        "photo",
        "loop",
        "loop/soften",
        "loop/each",
        "loop/each/photo",
        "loop/each/mix",
        "turns",
        "end",
    ]
    for path, node in walk(workflow.graph):
        assert node_at(workflow.graph, path) is node


def test_links_are_read_from_the_zone_outwards(workflow) -> None:
    assert list(links(workflow.graph)) == [
        Link("photo", "image", "loop", "carry", "image"),
        Link("turns", "value", "loop", "times"),
        Link("loop/$", "image", "loop/soften", "image"),
        Link("turns", "value", "loop/soften", "radius"),
        Link("loop/soften", "image", "loop/each", "items", "one"),
        Link("loop/each/$", "one", "loop/each/photo", "image"),
        Link("loop/each/$", "index", "loop/each/photo", "radius"),
        Link("loop/each/photo", "image", "loop/each/mix", "images", 0),
        Link("loop/$", "image", "loop/each/mix", "images", 1),
        Link("loop/each/mix", "image", "loop/each/$out", "all"),
        Link("loop/soften", "image", "loop/$out", "image"),
        Link("loop", "image", "end", "image"),
        Link("no", "image", "end", "gone"),
        Link("end", "image", "$out", "picture"),
    ]
    assert list(links(graph_of(workflow, "finish"))) == [
        Link("$", "image", "crisp", "image"),
        Link("crisp", "image", "$out", "image"),
    ]


def test_the_links_of_one_node_are_those_of_the_level(workflow) -> None:
    found = list(links(workflow.graph))
    ends = {link.target for link in found}
    for path in ends:
        assert list(links_into(workflow.graph, path)) == [k for k in found if k.target == path]
    touching = list(link_ends(workflow.graph, {"loop/soften", "$out"}))
    assert touching == [
        k for k in found if "loop/soften" in (k.source, k.target) or k.target == "$out"
    ]


def test_a_reference_is_written_as_it_will_be_read(workflow) -> None:
    graph = workflow.graph
    assert reference(graph, "turns", "value", "loop/each") == Ref("turns", "value")
    assert reference(graph, "loop/$", "image", "loop/each") == Ref("$", "image")
    assert reference(graph, "loop/soften", "image", "") is None  # it lies in a zone
    assert reference(graph, "photo", "image", "loop/each") is None  # another photo stands between
    assert reference(graph, "photo", "image", "loop") == Ref("photo", "image")


def test_a_node_put_in_a_zone_shares_all_others(workflow) -> None:
    changed = put_node(workflow.graph, "loop/each/photo", Node("text"))
    assert node_at(changed, "loop/each/photo").type == "text"
    for path, node in walk(workflow.graph):
        if not "loop/each/photo".startswith(path):
            assert node_at(changed, path) is node
    gone = put_node(changed, "loop/each/mix", None)
    assert [path for path, _ in walk(gone)].count("loop/each/mix") == 0
    for path in ("loop/no", "photo/inside", "no/photo"):
        with pytest.raises(KeyError):
            node_at(workflow.graph, path)
        with pytest.raises(KeyError):
            put_node(workflow.graph, path, None)


def test_a_subgraph_is_a_level_of_its_own(workflow) -> None:
    assert layout_of(workflow, "finish").nodes["crisp"] == Placement(8, 16)
    layout = Layout({"crisp": Placement(0, 0)})
    moved = put_layout(workflow, "finish", layout)
    assert layout_of(moved, "finish") is layout
    assert moved.graph is workflow.graph
    assert put_graph(moved, "finish", graph_of(moved, "finish")) is moved
    grown = put_graph(moved, "finish", put_node(graph_of(moved, "finish"), "more", Node("text")))
    assert list(graph_of(grown, "finish").nodes) == ["crisp", "more"]
    with pytest.raises(KeyError):
        graph_of(workflow, "none")
