"""The plan: what would run, what is cached, what may turn out either way, what is left out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from backend.engine.engine import InvalidWorkflow
from backend.plan.forecast import Plan, to_json
from tests.backend.engine.conftest import Bench, flow

CHAIN = {
    "a": {"type": "number", "params": {"value": 8}},
    "b": {"type": "clip", "inputs": {"number": "a.number"}},
    "c": {"type": "add", "inputs": {"left": "b.number"}},
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.engine.close()


def statuses(bench, nodes, **how):
    return {step.id: step.status for step in bench.engine.plan(flow(nodes), **how).steps}


def with_value(nodes, value):
    return {**nodes, "a": {**nodes["a"], "params": {"value": value}}}


def test_at_first_everything_will_run_in_order(bench):
    plan = bench.engine.plan(flow(CHAIN))
    assert [(step.id, step.status) for step in plan.steps] == [
        ("a", "run"), ("b", "run"), ("c", "run"),
    ]  # fmt: skip
    assert (plan.run, plan.cached, plan.maybe, plan.left_out) == (3, 0, 0, 0)
    assert not bench.calls


def test_after_a_run_everything_is_cached(bench):
    bench.run(CHAIN)
    assert statuses(bench, CHAIN) == {"a": "cached", "b": "cached", "c": "cached"}


def test_behind_a_change_it_depends_on_what_comes_out(bench):
    bench.run(CHAIN)
    assert statuses(bench, with_value(CHAIN, 9)) == {"a": "run", "b": "maybe", "c": "maybe"}


def test_what_no_wanted_node_needs_is_left_out(bench):
    assert statuses(bench, CHAIN, only=["b"]) == {"a": "run", "b": "run", "c": "left out"}


def test_what_a_lazy_node_asks_for_at_once_is_planned(bench):
    """It may ask for more when it knows the first, so the other branch is a maybe until then."""
    nodes = {
        **CHAIN,
        "d": {"type": "fail"},
        "x": {"type": "choose", "inputs": {"yes": "b.number", "no": "d.number"}},
        "y": {"type": "add", "inputs": {"left": "x.value"}, "params": {"by": 2}},
    }
    first = statuses(bench, nodes, only=["y"])
    assert first == {
        "a": "run", "b": "run", "c": "left out", "d": "maybe", "x": "maybe", "y": "run",
    }  # fmt: skip
    bench.run(nodes, only=["b"])
    assert statuses(bench, nodes, only=["y"]) == {
        "a": "cached", "b": "cached", "c": "left out", "d": "left out", "x": "run", "y": "run",
    }  # fmt: skip


def test_a_lazy_branch_that_a_result_decides_is_a_maybe(bench):
    nodes = {
        "a": {"type": "number", "params": {"value": 8}},
        "above": {"type": "is_above", "inputs": {"number": "a.number"}},
        "p": {"type": "add", "inputs": {"left": "q.number"}},
        "q": {"type": "noise"},
        "r": {"type": "whole"},
        "x": {
            "type": "choose",
            "inputs": {"yes": "p.number", "no": "a.number", "which": "above.boolean"},
        },
    }
    said = statuses(bench, nodes, only=["x"])
    assert said["p"] == said["q"] == said["x"] == "maybe"
    assert said["r"] == "left out"
    bench.run(nodes, only=["x"])
    assert statuses(bench, nodes, only=["x"])["p"] == "cached"


def test_without_a_cache_everything_runs(bench):
    engine = bench.new_engine(use_cache=False)
    bench.run(CHAIN, engine=engine)
    plan = engine.plan(flow(CHAIN))
    assert plan.run == 3
    engine.close()


def test_a_plan_is_plain_json(bench):
    plan = bench.engine.plan(flow(CHAIN))
    told = json.loads(to_json(plan))
    assert told["steps"][0] == {
        "id": "a",
        "type": "number",
        "lane": "cpu",
        "status": "run",
        "why": "it has not run with these settings yet",
    }
    assert msgspec.json.decode(to_json(plan), type=Plan) == plan


def test_a_workflow_with_errors_has_no_plan(bench):
    with pytest.raises(InvalidWorkflow, match="nowhere"):
        bench.engine.plan(flow({"b": {"type": "add", "inputs": {"left": "nowhere.number"}}}))


def test_a_deep_graph_is_planned_without_stack(bench):
    nodes = {"n0": {"type": "number"}}
    for i in range(1, 5000):
        nodes[f"n{i}"] = {
            "type": "add",
            "inputs": {"left": f"n{i - 1}.number"},
            "params": {"by": i},
        }
    assert bench.engine.plan(flow(nodes)).run == 5000


def test_planning_stays_light():
    code = (
        "import sys, backend.plan.forecast;"
        "assert not {'torch', 'PIL', 'cv2', 'backend.engine'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
