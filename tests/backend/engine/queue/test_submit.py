"""From a workflow to jobs: checked, with seeds that are numbers."""

import itertools

import pytest

from backend.engine.queue.errors import InvalidJob, Refused
from backend.engine.queue.submit import MAX_SEED, checked, drafts
from backend.engine.registry import NodeRegistry
from backend.graph.format import parse
from tests.backend.engine.queue.conftest import document, node_types

REGISTRY = NodeRegistry(node_types())


def flow(**seeds: object):
    nodes = {name: {"type": "noise", "params": {"seed": seed}} for name, seed in seeds.items()}
    return parse(document(nodes), "test")


def seeds_of(shop, workflow, **how):
    counter = itertools.count(100)
    made = drafts(shop.draft(), workflow, REGISTRY.specs, draw=lambda: next(counter), **how)
    return [dict(each.seeds) for each in made]


def test_random_seeds_are_drawn_for_each_job_and_the_others_stay(shop):
    assert seeds_of(shop, flow(a="random", b=3), count=2) == [
        {"a.seed": 100, "b.seed": 3},
        {"a.seed": 101, "b.seed": 3},
    ]


def test_where_no_seed_is_random_the_first_job_has_those_of_the_workflow(shop):
    assert seeds_of(shop, flow(a=7), count=3) == [{"a.seed": 7}, {"a.seed": 100}, {"a.seed": 101}]


def test_a_given_seed_counts_up(shop):
    assert seeds_of(shop, flow(a="random", b=3), count=2, seed=5) == [
        {"a.seed": 5, "b.seed": 5},
        {"a.seed": 6, "b.seed": 6},
    ]


def test_seeds_inside_zones_and_subgraphs_are_put_back_where_they_were(shop):
    inner = {"n": {"type": "noise", "version": 1, "params": {"seed": "random"}}}
    text = document({"use": {"type": "subgraph:s"}}, subgraphs={"s": {"nodes": inner}})
    workflow = parse(text, "test")
    (one,) = drafts(shop.draft(), workflow, REGISTRY.specs, draw=lambda: 42)
    assert one.seeds == {"subgraph:s/n.seed": 42}
    (number,) = shop.queue.add([one])
    back = parse(shop.queue.document(number), "test")
    assert back.subgraphs["s"].graph.nodes["n"].params["seed"] == 42


def test_jobs_that_would_be_the_same_are_refused(shop):
    workflow = parse(document({"w": {"type": "words"}}), "test")
    with pytest.raises(Refused, match="No node of the workflow has a seed"):
        drafts(shop.draft(), workflow, REGISTRY.specs, count=2)
    with pytest.raises(Refused, match="A batch has 1 to 100000 jobs, not 0"):
        drafts(shop.draft(), workflow, REGISTRY.specs, count=0)
    with pytest.raises(Refused, match="are larger than"):
        drafts(shop.draft(), flow(a=1), REGISTRY.specs, count=2, seed=MAX_SEED)


def test_a_workflow_with_errors_is_refused_with_what_is_wrong():
    workflow = parse(document({"w": {"type": "no_such_node"}}), "test")
    with pytest.raises(InvalidJob) as caught:
        checked(workflow, REGISTRY, None)
    assert any("no_such_node" in each.sentence for each in caught.value.diagnostics)
