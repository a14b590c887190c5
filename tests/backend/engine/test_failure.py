"""Failures: what they say, what they stop and what they leave alone."""

from __future__ import annotations

import pytest

from backend.engine.events import RunFinished, StepFailed, StepSkipped

NODES = {
    "a": {"type": "number", "params": {"value": 1}},
    "bad": {"type": "fail", "inputs": {"number": "a.number"}},
    "b": {"type": "add", "inputs": {"left": "bad.number"}},
    "c": {"type": "add", "inputs": {"left": "b.number", "right": "a.number"}},
    "d": {"type": "add", "inputs": {"left": "a.number"}},
}


def test_what_does_not_need_the_failed_node_goes_on(bench):
    result = bench.run(NODES)
    assert result.status == "failed"
    assert result.values == {"d": {"number": 1.0}}
    assert bench.ran == {"a", "d"}
    assert bench.failed == {"bad"}
    assert bench.skipped == {"b", "c"}
    assert {e.cause for e in bench.events if isinstance(e, StepSkipped)} == {"bad"}
    last = bench.events[-1]
    assert isinstance(last, RunFinished)
    assert (last.status, last.ran, last.failed, last.skipped) == ("failed", 2, 1, 2)


@pytest.mark.parametrize(
    ("how", "said", "traced"),
    [
        ("user", "The number is wrong. Take another.", False),
        ("value", "Fail (bad) broke with ValueError: odd thing.", True),
        ("memory", "Fail (bad) ran out of memory.", True),
        ("torch", "Fail (bad) ran out of memory.", True),
        ("exit", "Fail (bad) broke with SystemExit: 3.", True),
        ("interrupt", "Fail (bad) broke with KeyboardInterrupt.", True),
    ],
)
def test_every_exception_becomes_a_sentence(bench, how, said, traced):
    nodes = {**NODES, "bad": {**NODES["bad"], "params": {"how": how}}}
    result = bench.run(nodes)
    sentence = result.failures["bad"].sentence
    assert sentence.startswith(said)
    assert "Traceback" not in sentence
    event = bench.told(StepFailed)["bad"]
    assert ("Traceback" in event.trace) is traced
    assert bench.ran == {"a", "d"}


@pytest.mark.parametrize(
    ("kind", "got"), [("text", "a str"), ("nothing", "nothing"), ("many", "a tuple")]
)
def test_a_wrong_result_is_a_failure_of_the_node(bench, kind, got):
    result = bench.run({"w": {"type": "wrong", "params": {"kind": kind}}})
    assert f"returned {got}. This is a fault of the node." in result.failures["w"].sentence


def test_numpy_scalars_are_taken_as_numbers(bench):
    value = bench.value({"w": {"type": "wrong", "params": {"kind": "numpy"}}}, "w")
    assert type(value) is float


@pytest.mark.parametrize(("value", "said"), [(11, "from 0 to 10"), (-1, "from 0 to 10")])
def test_a_linked_parameter_out_of_range_is_refused_before_the_call(bench, value, said):
    nodes = {
        "a": {"type": "number", "params": {"value": value}},
        "b": {"type": "add", "inputs": {"left": "a.number"}},
        "x": {"type": "clip", "inputs": {"number": "a.number", "most": "b.number"}},
    }
    result = bench.run(nodes)
    assert said in result.failures["x"].sentence
    assert "most of x" in result.failures["x"].sentence
    assert bench.calls["clip"] == 0


def test_a_failed_step_runs_again_next_time(bench):
    bench.run(NODES)
    bench.run(NODES)
    assert bench.calls == {"fail": 1}
    assert bench.cached == {"a", "d"}


def test_equal_steps_fail_together(bench):
    nodes = {
        "a": {"type": "wait", "params": {"gate": "go"}},
        "b": {"type": "wait", "params": {"opens": "go"}},
        "bad1": {"type": "fail"},
        "bad2": {"type": "fail"},
        "x": {"type": "total", "inputs": {"numbers": ["bad1.number", "bad2.number", "a.number"]}},
        "y": {"type": "add", "inputs": {"left": "b.number"}},
    }
    result = bench.run(nodes)
    assert bench.failed == {"bad1", "bad2"}
    assert result.values["y"] == {"number": 0.0}


def test_what_a_listener_raises_ends_the_run(bench):
    def listen(event):
        if isinstance(event, StepFailed):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        bench.run(NODES, on_event=listen)
    assert bench.run(NODES).status == "failed"
