"""Lazy inputs: only what a node asks for runs."""

from __future__ import annotations

from backend.engine.events import StepDone

BRANCHES = {
    "a": {"type": "number", "params": {"value": 1}},
    "b": {"type": "add", "inputs": {"left": "a.number"}, "params": {"by": 1}},
    "bad": {"type": "fail"},
    "x": {"type": "choose", "inputs": {"yes": "b.number", "no": "bad.number"}},
    "end": {"type": "add", "inputs": {"left": "x.value"}},
}


def test_the_branch_that_is_not_chosen_does_not_run(bench):
    assert bench.value(BRANCHES, "end") == 2.0
    assert bench.calls["fail"] == 0
    assert "bad" not in bench.told(StepDone)


def test_a_failure_in_the_chosen_branch_counts(bench):
    nodes = {**BRANCHES, "x": {**BRANCHES["x"], "params": {"which": False}}}
    result = bench.run(nodes)
    assert result.status == "failed"
    assert bench.failed == {"bad"}
    assert bench.skipped == {"x", "end"}
    assert bench.calls["add"] == 0


def test_an_unneeded_branch_that_failed_for_another_reason_does_no_harm(bench):
    nodes = {**BRANCHES, "also": {"type": "add", "inputs": {"left": "bad.number"}}}
    result = bench.run(nodes)
    assert result.values["end"] == {"number": 2.0}
    assert bench.failed == {"bad"}
    assert bench.skipped == {"also"}


def test_a_linked_parameter_decides_while_running(bench):
    nodes = {
        **BRANCHES,
        "which": {"type": "is_above", "inputs": {"number": "a.number"}},
        "x": {
            "type": "choose",
            "inputs": {"yes": "bad.number", "no": "b.number", "which": "which.boolean"},
        },
    }
    assert bench.value(nodes, "end") == 2.0
    assert bench.calls["fail"] == 0
    bench.run(nodes)
    assert not bench.calls


def test_a_node_asks_again_with_what_it_has_learnt(bench):
    nodes = {
        f"n{i}": {"type": "number", "params": {"value": v}} for i, v in enumerate((3, 4, 5, 6))
    }
    links = [f"n{i}.number" for i in range(4)]
    nodes["x"] = {"type": "upto", "inputs": {"numbers": links}, "params": {"limit": 7}}
    assert bench.value(nodes, "x") == "3,4,-,-"
    assert bench.calls["number"] == 2
    bench.run(nodes)
    assert not bench.calls


def test_an_input_that_was_not_asked_for_is_no_part_of_the_identity(bench):
    bench.run(BRANCHES, only=["x"])
    nodes = {**BRANCHES, "bad": {"type": "number", "params": {"value": 77}}}
    bench.run(nodes, only=["x"])
    assert not bench.calls


def test_lazy_nodes_nest(bench):
    nodes = dict(BRANCHES)
    nodes["y"] = {"type": "choose", "inputs": {"yes": "bad.number", "no": "x.value"}}
    nodes["y"]["params"] = {"which": False}
    nodes["z"] = {"type": "choose", "inputs": {"yes": "y.value", "no": "bad.number"}}
    assert bench.value(nodes, "z") == 2.0
    assert bench.calls["fail"] == 0


def test_lazy_nodes_work_without_a_cache(new_bench):
    bench = new_bench(use_cache=False)
    nodes = {
        **BRANCHES,
        "more": {"type": "total", "inputs": {"numbers": ["end.number", "a.number"]}},
    }
    nodes["x"]["inputs"]["yes"] = "b.number"
    assert bench.value(nodes, "more") == 3.0
    assert bench.calls == {"number": 1, "add": 2, "choose": 1, "total": 1}


def test_a_question_that_fails_is_a_failure_of_its_node(bench):
    nodes = {**BRANCHES, "x": {"type": "fickle", "inputs": BRANCHES["x"]["inputs"]}}
    nodes["end"] = {"type": "add", "inputs": {"left": "x.number"}}
    result = bench.run(nodes)
    assert bench.failed == {"x"}
    assert bench.skipped == {"end"}
    assert "cannot say" in result.failures["x"].sentence


def test_results_are_kept_while_a_lazy_node_may_still_ask(new_bench):
    bench = new_bench(use_cache=False)
    nodes = {
        "a": {"type": "number", "params": {"value": 5}},
        "big": {"type": "add", "inputs": {"left": "a.number"}},
        "used": {"type": "is_above", "inputs": {"number": "big.number"}},
        "late": {"type": "add", "inputs": {"left": "big.number"}, "params": {"by": 1}},
        "x": {
            "type": "choose",
            "inputs": {"yes": "late.number", "no": "a.number", "which": "used.boolean"},
        },
    }
    assert bench.value(nodes, "x") == 6.0
    assert bench.calls["number"] == 1
    assert bench.calls["add"] == 2
