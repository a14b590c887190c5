"""What turns one document into the next says only what changed."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.engine.checks.patch import patch_between, patched
from backend.graph.document import (
    Exposed,
    Graph,
    Layout,
    ModelNeed,
    Node,
    Placement,
    Port,
    Ref,
    Subgraph,
    Workflow,
)
from backend.graph.jsontext import Spelled

some_refs = st.builds(Ref, st.sampled_from("abc$"), st.sampled_from(["image", "value"]))
some_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(),
    st.just("\ud800"), st.lists(st.integers(), max_size=3), st.just(Spelled("1.50")),
)  # fmt: skip
some_nodes = st.builds(
    Node,
    type=st.sampled_from(["blur", "repeat", "subgraph:face"]),
    params=st.dictionaries(st.sampled_from("xyz"), some_values, max_size=2).map(MappingProxyType),
    inputs=st.dictionaries(
        st.sampled_from(["image", "images", "carry"]),
        some_refs
        | st.lists(some_refs, max_size=2).map(tuple)
        | st.dictionaries(st.sampled_from("pq"), some_refs, max_size=2),
        max_size=2,
    ),
    mode=st.sampled_from(["on", "mute"]),
    title=st.sampled_from(["", "Soft"]),
    body=st.none() | st.just(Graph({"b": Node("blur")}, {"image": Ref("b", "image")})),
    extra=st.sampled_from([{}, {"later": 1}]),
)
some_graphs = st.builds(
    Graph,
    st.dictionaries(st.sampled_from("abcdef"), some_nodes, max_size=5),
    st.dictionaries(st.sampled_from(["image"]), some_refs, max_size=1),
)
some_workflows = st.builds(
    Workflow,
    graph=some_graphs,
    title=st.sampled_from(["", "One"]),
    subgraphs=st.sampled_from(
        [{}, {"face": Subgraph(Graph({"b": Node("blur")}), inputs={"image": Port("Image")})}]
    ),
    expose=st.sampled_from([{}, {"soft": Exposed("a", "radius")}]),
    models=st.sampled_from([(), (ModelNeed("primer"),)]),
    layout=st.sampled_from([Layout(), Layout({"a": Placement(1.0, 2.0)})]),
)


def same(first: Workflow, second: Workflow) -> bool:
    """Equal but for the layout, and in the order of nodes."""
    bare = [replace(each, layout=Layout()) for each in (first, second)]
    return bare[0] == bare[1] and list(first.graph.nodes) == list(second.graph.nodes)


@given(st.lists(some_workflows, min_size=1, max_size=4))
def test_a_chain_of_patches_gives_each_document(workflows):
    sent, held = None, None
    for workflow in workflows:
        held = patched(held, patch_between(sent, workflow))
        sent = workflow
        assert same(held, workflow)


@given(some_workflows, st.sampled_from("abcdef"), some_nodes)
def test_nodes_that_did_not_change_stay_the_same_objects(workflow, node_id, node):
    before = patched(None, patch_between(None, workflow))
    after = patched(before, patch_between(workflow, workflow.with_node(node_id, node)))
    for name, one in before.graph.nodes.items():
        assert name == node_id or after.graph.nodes[name] is one
    assert after.subgraphs is before.subgraphs


def test_an_edit_of_one_node_among_thousands_is_a_small_text():
    many = Workflow(Graph({f"n{i}": Node("blur") for i in range(2000)}))
    assert len(patch_between(many, many.with_param("n5", "radius", 2.0))) < 100
    moved = replace(many, layout=Layout({"n5": Placement(8.0, 8.0)}))
    assert patch_between(many, moved) == "{}"


def test_a_patch_for_another_document_is_refused():
    first = Workflow(Graph({"a": Node("blur")}))
    text = patch_between(first, Workflow(Graph({"b": Node("blur")})))
    with pytest.raises(KeyError):
        patched(Workflow(), text)
    with pytest.raises(KeyError):
        patched(None, text)
