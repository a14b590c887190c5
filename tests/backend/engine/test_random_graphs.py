"""Random graphs give what a naive interpreter says, cached or not, whatever the timing."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.engine import dispatch
from tests.backend.engine.conftest import Bench, flow
from tests.backend.engine.random_graphs import as_file, graphs, interpret


@pytest.fixture(scope="module")
def shared():
    """One bench for all examples; its caches are emptied by whoever needs that."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.uncached = bench.new_engine(use_cache=False)
        yield bench
        bench.engine.close()
        bench.uncached.close()


def top(names):
    """Steps of the graph itself, not of the turns of its zones."""
    return {name for name in names if "/" not in name}


def check_run(bench, nodes, engine):
    values, failed, skipped = interpret(nodes)
    result = bench.run(as_file(nodes), engine=engine)
    assert result.status == ("failed" if failed else "done"), result.diagnostics
    assert top(bench.failed) == {f"n{i}" for i in failed}
    assert top(bench.skipped) == {f"n{i}" for i in skipped}
    assert top(bench.ran | bench.cached) == {f"n{i}" for i in values}
    for step, outputs in result.values.items():
        (value,) = outputs.values()
        assert value == values[int(step[1:])]
    ends = set(range(len(nodes))) - {s for node in nodes for s in node.sources}
    assert set(result.values) == {f"n{i}" for i in ends if i in values}


@st.composite
def edits(draw, **how):
    """A graph, and the same graph with the parameters of some nodes changed."""
    nodes = draw(graphs(**how))
    changed = list(nodes)
    for i in draw(st.lists(st.integers(0, len(nodes) - 1), max_size=2)):
        node = nodes[i]
        if node.kind in ("number", "add"):
            name = "value" if node.kind == "number" else "by"
            changed[i] = type(node)(
                node.kind, {name: float(draw(st.integers(-3, 3)))}, node.sources, node.is_list
            )
    return nodes, changed


@given(edits())
@settings(max_examples=150)
def test_a_graph_and_its_edit_give_what_they_should(shared, pair):
    nodes, changed = pair
    shared.engine.cache.clear()
    for each in (nodes, changed, nodes):
        check_run(shared, each, shared.engine)


@given(graphs())
@settings(max_examples=60)
def test_a_warm_cache_of_other_graphs_changes_nothing(shared, nodes):
    check_run(shared, nodes, shared.engine)
    check_run(shared, nodes, shared.uncached)


@given(graphs())
@settings(max_examples=60)
def test_timing_changes_nothing(shared, nodes):
    """Every call goes to a lane's threads, which are switched as often as can be."""
    interval, quick = sys.getswitchinterval(), dispatch.QUICK
    try:
        sys.setswitchinterval(1e-6)
        dispatch.QUICK = -1.0
        shared.engine.cache.clear()
        check_run(shared, nodes, shared.engine)
        check_run(shared, nodes, shared.uncached)
    finally:
        dispatch.QUICK = quick
        sys.setswitchinterval(interval)


@given(edits(failing=False))
@settings(max_examples=150)
def test_a_plan_without_a_maybe_comes_true(shared, pair):
    shared.engine.cache.clear()
    for nodes in (*pair, pair[1]):
        plan = shared.engine.plan(flow(as_file(nodes)))
        shared.run(as_file(nodes))
        status = {step.id: step.status for step in plan.steps}
        counted = (plan.run, plan.cached, plan.maybe, plan.left_out)
        assert sum(counted) == len(plan.steps) == len(nodes)
        if plan.maybe:
            continue
        assert {name for name, said in status.items() if said == "run"} == top(shared.ran)
        assert {name for name, said in status.items() if said == "cached"} == top(shared.cached)


@given(graphs(failing=False))
@settings(max_examples=60)
def test_right_after_a_run_everything_is_cached(shared, nodes):
    shared.run(as_file(nodes))
    plan = shared.engine.plan(flow(as_file(nodes)))
    assert (plan.run, plan.maybe) == (0, 0)
    shared.run(as_file(nodes))
    assert not shared.calls
