"""Checking again after an edit gives what a full check gives, with the same objects if possible."""

from __future__ import annotations

import gc
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.graph.check import Checker, check
from backend.graph.document import Exposed, Graph, ModelNeed, Node, Port, Ref, Subgraph, Workflow

BODY = Graph(
    {"b": Node("soften", inputs={"image": Ref("$", "image")})}, {"image": Ref("b", "image")}
)
SUBGRAPH = Subgraph(BODY, inputs={"image": Port("Image")})

some_refs = st.builds(
    Ref,
    st.sampled_from(["a", "b", "c", "d", "nix", "$"]),
    st.sampled_from(["image", "number", "integers", "integer", "value", "mask", "latent"]),
)
some_inputs = st.dictionaries(
    st.sampled_from(["image", "a", "b", "first", "second", "images", "radius", "carry", "latent"]),
    some_refs
    | st.lists(some_refs, max_size=2).map(tuple)
    | st.dictionaries(st.sampled_from(["image", "x"]), some_refs, max_size=2),
    max_size=2,
)
some_params = st.dictionaries(
    st.sampled_from(["width", "radius", "a", "b", "count", "by", "value", "space", "times", "x"]),
    st.sampled_from([0, 1, 2, 2.0, 3.5, -1, "a", "b", True, None]),
    max_size=2,
)
SOURCES = ["source", "digits", "add", "whole", "cover", "nix"]
FILTERS = ["soften", "widen", "join", "keep", "choose", "encode", "decode", "stumble", "aged"]
some_types = st.sampled_from([*SOURCES, *FILTERS, "repeat", "for_each", "subgraph:sub", "total"])
some_nodes = st.builds(
    Node,
    type=some_types,
    params=some_params,
    inputs=some_inputs,
    mode=st.sampled_from(["on", "on", "on", "mute", "bypass"]),
    each=st.sampled_from(["zip", "product", "repeat"]),
    body=st.none() | st.just(BODY),
)
some_ids = st.sampled_from(["a", "b", "c", "d"])
some_workflows = st.builds(
    Workflow,
    graph=st.builds(Graph, st.dictionaries(some_ids, some_nodes, max_size=4)),
    subgraphs=st.just({"sub": SUBGRAPH}),
    models=st.sampled_from([(), (ModelNeed("m"),)]),
)


def edit(data, workflow):
    """One random edit: of a parameter, of a whole node, or of which nodes there are."""
    held = list(workflow.graph.nodes)
    if held and data.draw(st.integers(0, 3)):
        changed = data.draw(st.sampled_from(held))
        node = workflow.graph.nodes[changed]
        if data.draw(st.booleans()):
            return workflow.with_node(changed, replace(node, params=data.draw(some_params)))
        return workflow.with_node(changed, replace(node, inputs=data.draw(some_inputs)))
    return workflow.with_node(data.draw(some_ids), data.draw(some_nodes))


@settings(max_examples=200)
@given(some_workflows, st.data())
def test_a_check_after_edits_equals_a_full_check(registry, workflow, data):
    checker = Checker(registry)
    for _ in range(4):
        again, full = checker.check(workflow), check(workflow, registry)
        assert again.diagnostics == full.diagnostics
        assert again.facts == full.facts
        assert again.flat == full.flat
        workflow = edit(data, workflow)


LIST = {"a": Ref("d", "integers"), "b": Ref("e", "integers")}
MANY = Workflow(
    Graph(
        {
            "d": Node("digits", params={"count": 3}),
            "e": Node("digits", params={"count": 3}),
            "x": Node("add", inputs=LIST),
            "s": Node("source"),
            "z": Node("repeat", inputs={"carry": {"image": Ref("s", "image")}}, body=BODY),
            "u": Node("subgraph:sub", inputs={"image": Ref("z", "image")}),
            "k": Node("keep", inputs={"image": Ref("u", "image")}),
        }
    ),
    subgraphs={
        "sub": replace(SUBGRAPH, params={"r": Exposed("b", "radius")}),
        "other": replace(SUBGRAPH, params={"r": Exposed("b", "radius")}),
    },
)
WIDER = Graph({"b": Node("widen", inputs={"image": Ref("$", "image")})}, BODY.outputs)


@pytest.mark.parametrize(
    ("node_id", "changes"),
    [
        ("s", {"mode": "mute"}),
        ("z", {"mode": "bypass"}),
        ("x", {"each": "product"}),
        ("z", {"body": WIDER}),
        ("z", {"body": None}),
        ("s", {"type": "cover"}),
        ("s", {"version": 2}),
        ("s", {"extra": {"tilte": "x"}}),
        ("s", {"title": "New"}),
        ("s", {"params": {"width": -1}}),
        ("d", {"params": {"count": 4}}),
        ("z", {"params": {"times": 9}}),
        ("u", {"params": {"r": 7}}),
        ("u", {"params": {"r": -7}}),
        ("u", {"params": {"r": -7}, "type": "subgraph:other"}),
    ],
    ids=str,
)
def test_a_change_of_any_field_is_seen_and_can_be_taken_back(registry, node_id, changes):
    checker = Checker(registry)
    begin = checker.check(MANY)
    broken = MANY.with_node("u", replace(MANY.graph.nodes["u"], params={"r": -7}))
    changed = MANY.with_node(node_id, replace(MANY.graph.nodes[node_id], **changes))
    for workflow in (changed, broken, changed, MANY):
        assert checker.check(workflow) == check(workflow, registry)
    assert checker.check(MANY) == begin


def test_a_change_beside_the_nodes_is_seen(registry):
    checker = Checker(registry)
    for workflow in (
        MANY,
        replace(MANY, subgraphs={}),
        replace(MANY, models=(ModelNeed("m"),)),
        replace(MANY, expose={"x": Exposed("nix", "nix")}),
        replace(MANY, extra={"later": 1}),
        replace(MANY, graph=replace(MANY.graph, outputs={"o": Ref("x", "number")})),
        replace(MANY, graph=Graph(dict(reversed(MANY.graph.nodes.items())))),
        MANY,
    ):
        assert checker.check(workflow) == check(workflow, registry)


@given(some_workflows, st.lists(some_ids, max_size=2))
def test_a_graph_for_what_is_wanted_only_has_wires_that_point_backwards(registry, workflow, wanted):
    found = check(workflow, registry, wanted=wanted)
    assert found.ok == (not any(d.level == "error" for d in found.diagnostics))
    for number, step in enumerate(found.flat.steps if found.flat else ()):
        assert found.flat.index[step.id] == number
        for feed in step.inputs.values():
            wires = feed.values() if hasattr(feed, "values") else feed
            for wire in wires if isinstance(wires, tuple | type({}.values())) else (wires,):
                assert 0 <= getattr(wire, "step", 0) < number


def make_chain(length):
    nodes = {"n0": Node("source")}
    for i in range(1, length):
        nodes[f"n{i}"] = Node("soften", inputs={"image": Ref(f"n{i - 1}", "image")})
    return Workflow(
        Graph({**nodes, "k": Node("keep", inputs={"image": Ref(f"n{length - 1}", "image")})})
    )


def test_what_did_not_change_stays_the_same_object(registry):
    checker, chain = Checker(registry), make_chain(10)
    first = checker.check(chain)
    assert checker.check(chain).flat is first.flat
    second = checker.check(chain.with_param("n5", "radius", 7))
    changed = [a.id for a, b in zip(first.flat.steps, second.flat.steps, strict=True) if a is not b]
    assert changed == ["n5"]


def test_steps_are_kept_where_links_change(registry):
    checker, chain = Checker(registry), make_chain(10)
    first = checker.check(chain)
    relinked = chain.with_node("n9", Node("soften", inputs={"image": Ref("n7", "image")}))
    second = checker.check(relinked)
    changed = [a.id for a, b in zip(first.flat.steps, second.flat.steps, strict=True) if a is not b]
    assert changed == ["n9"]


def test_an_edit_at_the_start_changes_facts_at_the_end(registry):
    checker, chain = Checker(registry), make_chain(50)
    assert checker.check(chain).facts["n49"]["image"].width == 8
    assert checker.check(chain.with_param("n0", "width", 9)).facts["n49"]["image"].width == 9


def test_hooks_run_only_where_something_changed(registry):
    asked = []

    class Counting:
        specs = registry.specs
        migrate = registry.migrate

        def facts(self, type_name, *more):
            asked.append(type_name)
            return registry.facts(type_name, *more)

    checker, chain = Checker(Counting()), make_chain(100)
    checker.check(chain)
    asked.clear()
    checker.check(chain.with_param("n50", "radius", 3))
    assert asked == ["soften"]
    asked.clear()
    checker.forget()
    checker.check(chain)
    assert len(asked) == 100


def test_a_failure_in_a_check_leaves_no_half_done_memory(registry):
    class Broken(Exception):
        pass

    checker, chain = Checker(registry), make_chain(10)
    before = checker.check(chain)
    settle = checker.flow.settle

    def fail(node):
        raise Broken

    checker.flow.settle = fail
    with pytest.raises(Broken):
        checker.check(chain.with_param("n5", "radius", 7))
    checker.flow.settle = settle
    assert checker.check(chain) == before


def best(function, runs=5):
    """The shortest of a few runs in seconds of this process: others do not count."""
    times = []
    gc.disable()
    for _ in range(runs):
        begun = time.process_time()
        function()
        times.append(time.process_time() - begun)
    gc.enable()
    return min(times)


def test_an_edit_costs_a_small_part_of_a_full_check(registry):
    chain, checker = make_chain(1000), Checker(registry)
    edits = iter([chain.with_param("n990", "radius", 1 + i) for i in range(5)])
    full = best(lambda: check(chain, registry))
    checker.check(chain)
    assert best(lambda: checker.check(next(edits))) < full / 8


def test_the_time_of_a_check_grows_with_the_graph_and_not_faster(registry):
    small, large = make_chain(1000), make_chain(8000)
    ratio = best(lambda: check(large, registry), 3) / best(lambda: check(small, registry), 3)
    assert ratio < 8 * 2.5
