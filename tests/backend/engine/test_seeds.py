"""Seeds at ``random`` are drawn when a job is submitted, and stored."""

from __future__ import annotations

from itertools import count

import pytest

from backend.engine.registry import NodeRegistry
from backend.engine.seeds import draw, settle_seeds
from tests.backend.engine.conftest import flow

RANDOM = {"s": {"type": "noise", "params": {"seed": "random"}}}


def test_a_random_seed_is_drawn_anew_and_reported(bench):
    values = []
    for _ in range(3):
        result = bench.run(RANDOM)
        assert result.values["s"]["number"] == float(result.seeds["s.seed"])
        assert bench.events[0].seeds == result.seeds
        values.append(result.seeds["s.seed"])
    assert len(set(values)) == 3


def test_a_given_seed_sets_every_unlinked_seed(bench):
    nodes = {
        **RANDOM,
        "t": {"type": "noise", "params": {"seed": 5}},
        "default": {"type": "noise"},
        "n": {"type": "whole", "params": {"value": 3}},
        "linked": {"type": "noise", "inputs": {"seed": "n.integer"}},
    }
    result = bench.run(nodes, seed=11)
    values = {step: v["number"] for step, v in result.values.items()}
    assert values == {"s": 11.0, "t": 11.0, "default": 11.0, "linked": 3.0}
    bench.run(nodes, seed=11)
    assert not bench.calls


def test_drawn_seeds_are_short_enough_to_copy():
    assert all(0 <= draw() < 2**32 for _ in range(100))


@pytest.fixture
def specs(bench):
    return NodeRegistry(bench.types).specs


def settle(workflow, specs, seed=None):
    numbers = count(100)
    return settle_seeds(workflow, specs, seed, lambda: next(numbers))


def test_a_document_without_random_seeds_stays_the_same_object(specs):
    workflow = flow({"s": {"type": "noise", "params": {"seed": 4}}, "t": {"type": "text"}})
    settled, seeds = settle(workflow, specs)
    assert settled is workflow
    assert not seeds


def test_nodes_that_draw_nothing_stay_the_same_objects(specs):
    workflow = flow({**RANDOM, "t": {"type": "text", "params": {"text": "random"}}})
    settled, seeds = settle(workflow, specs)
    assert settled.graph.nodes["t"] is workflow.graph.nodes["t"]
    assert settled.graph.nodes["s"].params["seed"] == 100
    assert seeds == {"s.seed": 100}


def test_seeds_are_found_in_bodies_and_subgraphs(specs):
    inner = {
        "inputs": {},
        "nodes": {"s": {"type": "noise", "params": {"seed": "random"}}},
        "outputs": {"n": "s.number"},
        "params": {"seed": {"node": "s", "param": "seed"}},
    }
    outer = {
        "inputs": {},
        "nodes": {"in": {"type": "subgraph:inner"}},
        "outputs": {"n": "in.n"},
        "params": {"luck": {"node": "in", "param": "seed"}},
    }
    body = {"nodes": dict(RANDOM), "outputs": {"out": "s.number"}}
    nodes = {
        "own": {"type": "subgraph:outer", "params": {"luck": "random"}},
        "inherits": {"type": "subgraph:outer"},
        "loop": {"type": "repeat", "body": body},
    }
    workflow = flow(nodes, subgraphs={"inner": inner, "outer": outer})
    settled, seeds = settle(workflow, specs)
    assert set(seeds) == {"own.luck", "loop/s.seed", "subgraph:inner/s.seed"}
    assert settled.graph.nodes["own"].params == {"luck": seeds["own.luck"]}
    assert settled.graph.nodes["inherits"] is workflow.graph.nodes["inherits"]
    body_node = settled.graph.nodes["loop"].body.nodes["s"]
    assert body_node.params["seed"] == seeds["loop/s.seed"]
    inside = settled.subgraphs["inner"].graph.nodes["s"]
    assert inside.params["seed"] == seeds["subgraph:inner/s.seed"]
    assert settled.subgraphs["outer"] is workflow.subgraphs["outer"]


def test_a_given_seed_leaves_a_use_without_one_to_its_subgraph(specs):
    inner = {
        "inputs": {},
        "nodes": {"s": {"type": "noise"}},
        "outputs": {"n": "s.number"},
        "params": {"seed": {"node": "s", "param": "seed"}},
    }
    workflow = flow({"u": {"type": "subgraph:inner"}}, subgraphs={"inner": inner})
    settled, seeds = settle(workflow, specs, seed=8)
    assert seeds == {"subgraph:inner/s.seed": 8}
    assert not settled.graph.nodes["u"].params


def test_a_seed_inside_a_zone_that_a_subgraph_exposes_is_drawn_for_each_use(specs):
    body = {"nodes": {"s": {"type": "noise"}}, "outputs": {"n": "s.number"}}
    inner = {
        "nodes": {"loop": {"type": "repeat", "body": body}},
        "outputs": {"n": "loop.n"},
        "params": {"seed": {"node": "loop/s", "param": "seed"}},
    }
    nodes = {"u": {"type": "subgraph:inner", "params": {"seed": "random"}}}
    settled, seeds = settle(flow(nodes, subgraphs={"inner": inner}), specs)
    assert settled.graph.nodes["u"].params == {"seed": 100}
    assert seeds == {"u.seed": 100}
