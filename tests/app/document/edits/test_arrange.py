"""Rows and columns: on one line, evenly spread, tidied once and for all."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.document.edits.arrange import COLUMN_GAP, ROW_GAP, align, distribute, snapped, tidy
from app.document.edits.frames import (
    Box,
    add_frame,
    add_note,
    around,
    change_frame,
    change_note,
    frame_at,
    move_frame,
    remove_frames,
    remove_notes,
)
from app.document.edits.place import collapse, color_nodes, move_nodes, move_to, pin, resize
from app.document.level import layout_of
from backend.graph.document import Graph, Layout, Node, Placement, Ref, Workflow
from backend.graph.format import parse

SIZES = {"a": (200.0, 100.0), "b": (160.0, 60.0), "c": (240.0, 200.0)}


@pytest.fixture
def three():
    places = {"a": Placement(0, 0), "b": Placement(500, 40), "c": Placement(240, 300)}
    nodes = {name: Node("load_image") for name in places}
    return Workflow(Graph(MappingProxyType(nodes)), layout=Layout(MappingProxyType(places)))


def at(workflow, *paths):
    nodes = layout_of(workflow, "").nodes
    return [(nodes[path].x, nodes[path].y) for path in paths or sorted(nodes)]


@pytest.mark.parametrize(
    ("edge", "places"),
    [
        ("left", [(0, 0), (0, 40), (0, 300)]),
        ("right", [(460, 0), (500, 40), (420, 300)]),
        ("center", [(230, 0), (250, 40), (210, 300)]),
        ("top", [(0, 0), (500, 0), (240, 0)]),
        ("bottom", [(0, 400), (500, 440), (240, 300)]),
        ("middle", [(0, 200), (500, 220), (240, 150)]),
    ],
)
def test_edges_are_brought_on_a_line(three, edge, places) -> None:
    made = align(three, "", "abc", edge, SIZES)
    assert at(made) == places
    assert align(made, "", "abc", edge, SIZES).layout == made.layout


def test_gaps_are_made_equal(three) -> None:
    assert at(distribute(three, "", "abc", True, SIZES), "a", "c", "b") == [
        (0, 0),
        (230, 300),
        (500, 40),
    ]
    below = distribute(three, "", "abc", False, SIZES)
    assert [y for _, y in at(below, "a", "b", "c")] == [0, 170, 300]
    close = move_to(three, "", {"a": (0, 0), "c": (10, 0), "b": (20, 0)})
    spread = at(distribute(close, "", "abc", True, SIZES), "a", "c", "b")
    assert [x for x, _ in spread] == [0, 200 + COLUMN_GAP, 440 + 2 * COLUMN_GAP]


def test_pinned_nodes_stay(three) -> None:
    made = pin(three, "", ["b"], True)
    assert at(align(made, "", "abc", "left", SIZES), "b") == [(500, 40)]
    assert at(move_nodes(made, "", "ab", 8, 8), "a", "b") == [(8, 8), (500, 40)]
    assert at(tidy(made, "", SIZES), "b") == [(500, 40)]


def test_nodes_are_sized_collapsed_and_coloured(three) -> None:
    made = resize(three, "", "a", 10)
    assert layout_of(made, "").nodes["a"].width == 144
    made = color_nodes(collapse(made, "", ["a"], True), "", ["a"], "#336699")
    assert layout_of(made, "").nodes["a"] == Placement(0, 0, 144, True, "#336699")


ZONED = """{
  "weft": 1,
  "nodes": {
    "save": {"type": "save_image", "version": 1, "inputs": {"image": "loop.image"}},
    "photo": {"type": "load_image", "version": 1},
    "much": {"type": "number", "version": 1},
    "loop": {
      "type": "repeat",
      "version": 1,
      "inputs": {"carry": {"image": "photo.image"}},
      "body": {
        "nodes": {
          "soft": {"type": "blur", "version": 1, "inputs": {"image": "$.image"}},
          "crisp": {
            "type": "sharpen",
            "version": 1,
            "inputs": {"image": "soft.image", "amount": "much.number"}
          }
        },
        "outputs": {"image": "crisp.image"}
      }
    }
  },
  "layout": {
    "nodes": {"photo": {"x": 40, "y": 80}},
    "ways": [
      {"source": "loop/soft.image", "target": "loop/crisp.image", "via": [{"x": 4, "y": 4}]},
      {"source": "photo.image", "target": "loop.carry", "via": [{"x": 8, "y": 8}]}
    ]
  }
}"""


def test_a_graph_is_laid_from_left_to_right_with_its_zones() -> None:
    made = tidy(parse(ZONED, "here"), "", {})
    places = layout_of(made, "").nodes
    assert places["photo"].x == places["much"].x < places["loop"].x < places["loop/soft"].x
    assert places["loop/crisp"].x == places["loop/soft"].x + 208 + COLUMN_GAP
    assert places["save"].x >= places["loop/crisp"].x + 208 + COLUMN_GAP
    assert abs(places["much"].y - places["photo"].y) >= 96 + ROW_GAP
    assert all(place.x % 8 == place.y % 8 == 0 for place in places.values())


def test_a_zone_moves_with_what_is_in_it() -> None:
    laid = tidy(parse(ZONED, "here"), "", {})
    made = move_nodes(laid, "", ["loop"], 80, 16)
    before, after = layout_of(laid, "").nodes, layout_of(made, "").nodes
    for path in ("loop", "loop/soft", "loop/crisp"):
        assert (after[path].x, after[path].y) == (before[path].x + 80, before[path].y + 16)
    assert after["photo"] == before["photo"]
    inner, outer = layout_of(made, "").ways
    assert (inner.via[0].x, inner.via[0].y) == (84, 20)
    assert (outer.via[0].x, outer.via[0].y) == (8, 8)  # its link begins at a node that stays


links = st.dictionaries(
    st.sampled_from("abcdefghij"), st.sets(st.sampled_from("abcdefghij"), max_size=3), min_size=1
)
spots = st.dictionaries(
    st.sampled_from("abcdefghij"), st.tuples(st.integers(0, 900), st.integers(0, 900))
)
heights = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(28, 400))


@settings(max_examples=150, deadline=None)
@given(links, spots, heights)
def test_tidying_goes_rightwards_without_overlap_and_once(feeds, places, tall) -> None:
    nodes = {
        name: Node(
            "make_list",
            inputs={"items": tuple(Ref(s, "values") for s in sorted(sources) if s < name)},
        )
        for name, sources in feeds.items()
    }
    layout = Layout({name: Placement(*spot) for name, spot in places.items() if name in nodes})
    sizes = {name: (208.0, float(tall.get(name, 96))) for name in nodes}
    made = tidy(Workflow(Graph(MappingProxyType(nodes)), layout=layout), "", sizes)
    found = layout_of(made, "").nodes
    for name, node in nodes.items():
        for ref in node.inputs["items"]:
            if ref.node in nodes:
                assert found[ref.node].x + 208 + COLUMN_GAP <= found[name].x
        for other in nodes:
            if other != name and found[other].x == found[name].x:
                low, high = sorted((name, other), key=lambda n: found[n].y)
                assert found[low].y + sizes[low][1] + ROW_GAP <= found[high].y
    assert tidy(made, "", sizes).layout.nodes == found
    if places:
        known = [layout.nodes.get(name, Placement(0, 0)) for name in nodes]
        assert min(p.x for p in found.values()) == snapped(min(p.x for p in known))


def test_frames_go_around_nodes_and_take_them_along(three) -> None:
    box = around([Box(0, 0, 200, 100), Box(500, 40, 160, 60)])
    assert box == (-16, -32, 692, 148)
    made = add_frame(three, "", box, "Sources", "#4a7516")
    made = add_note(made, "", "Take care of *these*.", (20, 20), 100)
    boxes = {"a": Box(0, 0, 200, 100), "b": Box(500, 40, 160, 60), "c": Box(240, 300, 240, 200)}
    moved = move_frame(made, "", 0, 10, 20, boxes)
    assert at(moved, "a", "b", "c") == [(10, 20), (510, 60), (240, 300)]
    assert (moved.layout.frames[0].x, moved.layout.notes[0].y) == (-6, 20)  # the note juts out
    alone = move_frame(made, "", 0, 10, 20)
    assert at(alone) == at(three)
    changed = change_frame(made, "", 0, title="Inputs", color="", box=Box(0, 0, 1, 1))
    assert changed.layout.frames[0].title == "Inputs"
    assert changed.layout.frames[0].width == 64
    assert change_note(made, "", 0, text="New").layout.notes[0].text == "New"
    assert change_note(made, "", 0, box=Box(1, 2, 3, 400)).layout.notes[0].height == 400
    assert frame_at(made.layout, 5, 5) == 0
    assert frame_at(made.layout, 5000, 5) is None
    made = remove_notes(remove_frames(made, "", [0]), "", [0])
    assert made.layout == three.layout
