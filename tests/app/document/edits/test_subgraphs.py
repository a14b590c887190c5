"""Subgraphs: the same nodes run, whether they are put away or laid open."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.document.edits.clipboard import paste
from app.document.edits.common import EditError, added
from app.document.edits.nodes import add_node, new_node, set_mode
from app.document.edits.params import expose, rename_exposed, set_param, unexpose
from app.document.edits.ports import (
    add_port,
    change_port,
    order_ports,
    remove_output,
    remove_port,
    rename_output,
    rename_port,
)
from app.document.edits.subgraphs import (
    asset_of,
    make_own,
    make_subgraph,
    remove_subgraph,
    rename_subgraph,
    title_subgraph,
)
from app.document.edits.unpack import unpack
from app.document.level import node_at, walk
from backend.graph.check import check
from backend.graph.document import Node, Workflow
from backend.graph.format import parse

TEXT = """{
  "weft": 1,
  "nodes": {
    "photo": {"type": "load_image", "version": 1},
    "much": {"type": "number", "version": 1},
    "soft": {
      "type": "blur",
      "version": 1,
      "inputs": {"image": "photo.image", "radius": "much.number"}
    },
    "loop": {
      "type": "repeat",
      "version": 1,
      "inputs": {"carry": {"image": "soft.image"}},
      "body": {
        "nodes": {
          "crisp": {
            "type": "sharpen",
            "version": 1,
            "params": {"amount": 0.5},
            "inputs": {"image": "$.image", "radius": "much.number"}
          },
          "both": {
            "type": "blend",
            "version": 1,
            "inputs": {"image": "crisp.image", "background": "soft.image"}
          }
        },
        "outputs": {"image": "both.image"}
      }
    },
    "turned": {"type": "turn", "version": 1, "inputs": {"image": "loop.image"}},
    "save": {"type": "save_image", "version": 1, "inputs": {"image": "turned.image"}}
  },
  "expose": {"sharp": {"node": "loop/crisp", "param": "amount", "label": "Sharp"}},
  "layout": {
    "nodes": {
      "photo": {"x": 0, "y": 0},
      "soft": {"x": 272, "y": 0},
      "loop": {"x": 544, "y": 0},
      "loop/crisp": {"x": 568, "y": 56},
      "turned": {"x": 816, "y": 0}
    },
    "ways": [{"source": "soft.image", "target": "loop.carry", "via": [{"x": 500, "y": 8}]}]
  }
}"""


@pytest.fixture
def document():
    return parse(TEXT, "here")


@pytest.fixture(scope="module")
def runs(registry):
    """What a document runs, without the names of its steps and the order of them."""

    def read(workflow):
        found = check(workflow, registry)
        assert found.flat is not None, found.diagnostics
        return plain(found.flat)

    return read


def plain(flat, captures=MappingProxyType({})):
    """Steps by what they do and what feeds them, however they are called."""
    known = {}

    def step_at(number):
        if number not in known:
            step = flat.steps[number]
            feeds = {name: fed(feed) for name, feed in step.inputs.items()}
            outside = feeds.pop("captures", {})
            body = plain(step.body, outside) if step.body is not None else ""
            params = sorted(map(str, step.params.items()))
            known[number] = str((step.type, params, sorted(map(str, feeds.items())), body))
        return known[number]

    def fed(feed):
        if hasattr(feed, "step"):
            if feed.step < 0:
                return captures.get(feed.output, feed.output)
            return str((step_at(feed.step), feed.output, feed.convert))
        items = feed.items() if hasattr(feed, "items") else enumerate(feed)
        return {str(key): fed(wire) for key, wire in items}

    steps = sorted(step_at(number) for number in range(len(flat.steps)))
    return str((steps, sorted((name, fed(wire)) for name, wire in flat.outputs.items())))


def test_nodes_are_put_away_with_inputs_and_outputs(document, spec_of, wires, sound, runs) -> None:
    made = sound(make_subgraph(document, "", ["soft", "loop"], spec_of, "Soft and crisp"))
    assert added(document, made, "") == ("soft_and_crisp",)
    inner = made.subgraphs["soft_and_crisp"]
    ports = {name: port.type for name, port in inner.inputs.items()}
    assert ports == {"image_2": "Image", "number": "Number"}  # the loop hands in an image itself
    assert list(inner.graph.outputs) == ["image"]
    assert "soft_and_crisp.image > turned.image" in wires(made)
    assert made.expose["sharp"].node == "soft_and_crisp"
    assert inner.params["sharp"].node == "loop/crisp"
    assert inner.layout.ways == document.layout.ways
    assert set(made.layout.nodes) == {"photo", "turned", "soft_and_crisp"}
    assert set(inner.layout.nodes) == {"soft", "loop", "loop/crisp", "$", "$out"}
    assert runs(made) == runs(document)


@pytest.mark.parametrize(
    "chosen",
    [["soft"], ["loop"], ["soft", "loop", "turned"], ["loop/crisp"], ["loop/crisp", "loop/both"]],
)
def test_making_and_unpacking_gives_the_document_back(
    document, spec_of, sound, runs, chosen, wires
) -> None:
    made = sound(make_subgraph(document, "", chosen, spec_of))
    assert runs(made) == runs(document)
    (use,) = [path for path, node in walk(made.graph) if node.type == "subgraph:group"]
    back = unpack(made, "", use)
    assert runs(back) == runs(document)
    assert sorted(wires(back)) == sorted(wires(document))
    assert not back.subgraphs
    assert dict(back.graph.nodes) == dict(document.graph.nodes)
    assert back.expose == document.expose


def test_nodes_with_another_between_them_stay(document, spec_of) -> None:
    with pytest.raises(EditError, match="Loop lies between these nodes"):
        make_subgraph(document, "", ["soft", "turned"], spec_of)
    with pytest.raises(EditError, match="different zones"):
        make_subgraph(document, "", ["soft", "loop/crisp"], spec_of)
    with pytest.raises(EditError, match="Nothing is selected"):
        make_subgraph(document, "", [], spec_of)


def test_a_use_hands_its_values_to_what_is_unpacked(document, spec_of, sound, runs) -> None:
    made = make_subgraph(document, "", ["soft", "loop"], spec_of)
    made = set_param(made, "", "group", "sharp", 0.25)
    before = runs(sound(made))
    back = unpack(made, "", "group")
    assert node_at(back.graph, "loop/crisp").params["amount"] == 0.25
    assert runs(back) == before


def test_one_of_two_uses_is_unpacked_under_fresh_ids(document, spec_of, sound, runs) -> None:
    made = make_subgraph(document, "", ["loop"], spec_of)
    made = add_node(made, "", node_at(made.graph, "group"), (0, 400))
    back = sound(unpack(made, "", "group_2"), ("W402",))
    assert "group" in back.subgraphs
    assert added(made, back, "") == ("loop", "loop/crisp", "loop/both")
    again = unpack(back, "", "group")
    assert added(back, again, "") == ("loop_2", "loop_2/crisp_2", "loop_2/both_2")
    sound(again, ("W402",))


def test_what_is_off_or_no_subgraph_is_not_unpacked(document, spec_of) -> None:
    made = make_subgraph(document, "", ["loop"], spec_of)
    with pytest.raises(EditError, match="is no subgraph"):
        unpack(made, "", "save")
    with pytest.raises(EditError, match="Group is switched off"):
        unpack(set_mode(made, "", ["group"], "mute"), "", "group")


def test_a_subgraph_never_contains_itself(document, spec_of, specs) -> None:
    made = make_subgraph(document, "", ["loop"], spec_of)
    with pytest.raises(EditError, match="cannot contain itself"):
        add_node(made, "group", Node("subgraph:group"), (0, 0))
    made = make_subgraph(made, "", ["group"], spec_of, "Outer")
    with pytest.raises(EditError, match="cannot contain itself"):
        add_node(made, "group", Node("subgraph:outer"), (0, 0))
    add_node(made, "outer", new_node(specs["blur"]), (0, 0))


def test_sockets_are_renamed_in_and_around(document, spec_of, wires, sound, runs) -> None:
    made = make_subgraph(document, "", ["loop"], spec_of)
    before = runs(made)
    (first, *_) = made.subgraphs["group"].inputs
    made = rename_port(made, "group", first, "picture")
    made = rename_output(made, "group", "image", "result")
    made = rename_exposed(made, "group", "sharp", "crispness")
    assert "group.result > turned.image" in wires(sound(made))
    assert made.expose["sharp"].param == "crispness"
    assert runs(made) == before
    with pytest.raises(EditError, match="picture already"):
        rename_port(made, "group", list(made.subgraphs["group"].inputs)[-1], "picture")


def test_sockets_that_go_take_their_links_along(document, spec_of, wires, sound) -> None:
    made = make_subgraph(document, "", ["turned"], spec_of)
    gone = sound(remove_output(made, "group", "image"))
    assert not any("save" in wire for wire in wires(gone))
    gone = sound(remove_port(made, "group", "image"))
    assert "loop.image > group.image" not in wires(gone)
    shown = expose(made, "group", "turned", "how")
    shown = set_param(shown, "", "group", "how", "left")
    assert "how" not in node_at(unexpose(shown, "group", ["how"]).graph, "group").params


def test_ports_are_added_changed_and_ordered(document, spec_of, sound) -> None:
    made = make_subgraph(document, "", ["turned"], spec_of)
    made = add_port(made, "group", "Extra mask", "Mask", optional=True)
    made = order_ports(made, "group", ["extra_mask"])
    made = change_port(made, "group", "extra_mask", kind="Image")
    ports = sound(made).subgraphs["group"].inputs
    assert list(ports) == ["extra_mask", "image"]
    assert (ports["extra_mask"].type, ports["extra_mask"].optional) == ("Image", True)


def test_a_subgraph_is_renamed_copied_and_taken_out(document, spec_of, sound, runs) -> None:
    made = make_subgraph(document, "", ["loop"], spec_of)
    made = title_subgraph(rename_subgraph(made, "group", "crisper"), "crisper", "Crisper")
    assert runs(sound(made)) == runs(document)
    own = make_own(made, "", "group")
    assert node_at(own.graph, "group").type == "subgraph:crisper_2"
    assert own.subgraphs["crisper"] is own.subgraphs["crisper_2"]
    assert list(remove_subgraph(own, "crisper").subgraphs) == ["crisper_2"]
    with pytest.raises(EditError, match="Crisper is still used"):
        remove_subgraph(made, "crisper")


def test_an_asset_is_a_workflow_that_is_pasted_elsewhere(document, spec_of, sound) -> None:
    made = make_subgraph(document, "", ["loop"], spec_of)
    made = make_subgraph(made, "", ["group"], spec_of, "Outer")
    text = asset_of(made, "outer")
    other = sound(paste(Workflow(), "", text, spec_of), ("W301", "W401", "W402"))
    assert set(other.subgraphs) == {"group", "outer"}
    assert added(Workflow(), other, "") == ("outer",)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_part_of_a_graph_runs_the_same_when_put_away(spec_of, runs, sound, data) -> None:
    workflow = parse(TEXT, "here")
    before = runs(workflow)
    for _ in range(data.draw(st.integers(1, 4))):
        paths = [path for path, _ in walk(workflow.graph)]
        chosen = data.draw(st.sets(st.sampled_from(paths), min_size=1, max_size=4))
        try:
            workflow = make_subgraph(workflow, "", chosen, spec_of)
        except EditError:
            continue
        assert runs(sound(workflow)) == before
    while uses := [p for p, n in walk(workflow.graph) if n.type.startswith("subgraph:")]:
        workflow = unpack(workflow, "", data.draw(st.sampled_from(uses)))
        assert runs(sound(workflow)) == before
    assert not workflow.subgraphs
