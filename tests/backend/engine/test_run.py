"""Running plain graphs: what runs, what comes out, what is said."""

from __future__ import annotations

import pytest

from backend.engine.events import (
    Note,
    Preview,
    Progress,
    RunFinished,
    RunStarted,
    StepDone,
    StepStarted,
    from_json,
    to_json,
)

SUM = {
    "a": {"type": "number", "params": {"value": 2}},
    "b": {"type": "add", "inputs": {"left": "a.number"}, "params": {"by": 3}},
    "c": {"type": "add", "inputs": {"left": "a.number", "right": "b.number"}},
}


def bump(source):
    return {"type": "add", "inputs": {"left": f"{source}.number"}, "params": {"by": 1}}


def test_a_graph_gives_the_values_of_its_ends(bench):
    result = bench.run(SUM)
    assert result.status == "done"
    assert result.values == {"c": {"number": 7.0}}
    assert bench.calls == {"number": 1, "add": 2}


def test_only_what_a_wanted_node_needs_runs(bench):
    result = bench.run(SUM, only=["b"])
    assert result.values == {"b": {"number": 5.0}}
    assert bench.ran == {"a", "b"}


def test_effects_are_what_a_run_is_for_and_unused_branches_stay_out(bench):
    nodes = {
        "text": {"type": "text", "params": {"text": "hello"}},
        "save": {"type": "write", "inputs": {"text": "text.text"}},
        "unused": {"type": "number"},
    }
    result = bench.run(nodes)
    assert [saved.path for saved in result.saved] == ["file.txt"]
    assert bench.ran == {"text", "save"}
    assert bench.events[0].steps == 2


def test_a_workflow_with_errors_does_not_run(bench):
    result = bench.run({"b": {"type": "add", "inputs": {"left": "nowhere.number"}}})
    assert result.status == "invalid"
    assert any("nowhere" in d.sentence for d in result.diagnostics)
    assert not bench.events


def test_an_unknown_wanted_node_is_told(bench):
    result = bench.run(SUM, only=["d"])
    assert result.status == "invalid"
    assert "d" in result.diagnostics[0].sentence


@pytest.mark.parametrize(
    ("nodes", "wanted", "value"),
    [
        ({"x": {"type": "total", "inputs": {"numbers": ["a.number", "a.number"]}}}, "x", 4.0),
        ({"x": {"type": "total", "inputs": {}}}, "x", 0.0),
        ({"x": {"type": "named", "inputs": {"values": {"p": "a.number"}}}}, "x", "p=2"),
        ({"x": {"type": "spread", "inputs": {"values": {"p": "a.number"}}}}, "x", 2.0),
        (
            {"x": {"type": "first_then", "inputs": {"head": "a.number", "tail": ["a.number"]}}},
            "x",
            "2:2",
        ),
        ({"x": {"type": "collect", "inputs": {"items": "a.number"}}}, "x", 2.0),
        ({"x": {"type": "clip", "inputs": {"number": "a.number", "most": "n.integer"}}}, "x", 1.0),
        ({"x": {"type": "text", "inputs": {"text": "a.number"}}}, "x", "2"),
    ],
)
def test_every_kind_of_socket_gets_its_links(bench, nodes, wanted, value):
    base = {
        "a": {"type": "number", "params": {"value": 2}},
        "n": {"type": "whole", "params": {"value": 1}},
    }
    assert bench.value({**base, **nodes}, wanted) == value


def test_named_outputs_go_their_own_ways(bench):
    nodes = {
        "a": {"type": "number", "params": {"value": 2.5}},
        "h": {"type": "halves", "inputs": {"number": "a.number"}},
        "x": {"type": "add", "inputs": {"left": "h.whole", "right": "h.rest"}},
    }
    assert bench.value(nodes, "x") == 2.5


def test_colours_come_as_colours(bench):
    image = bench.value({"p": {"type": "paint", "params": {"color": "#0000ff"}}}, "p")
    assert image.pixels[0, 0, 0].tolist() == [0, 0, 1]


def test_a_subgraph_runs_as_if_its_nodes_stood_in_the_graph(bench):
    inner = {
        "inputs": {"n": {"type": "Number"}},
        "nodes": {"plus": {"type": "add", "inputs": {"left": "$.n"}, "params": {"by": 1}}},
        "outputs": {"n": "plus.number"},
    }
    nodes = {
        "a": {"type": "number", "params": {"value": 2}},
        "s": {"type": "subgraph:one", "inputs": {"n": "a.number"}},
        "t": {"type": "subgraph:one", "inputs": {"n": "s.n"}},
    }
    result = bench.run(nodes, more={"subgraphs": {"one": inner}}, only=["t"])
    assert result.values == {"t/plus": {"number": 4.0}}


def test_events_tell_the_run_in_order(bench):
    bench.run(SUM)
    kinds = [type(event).__name__ for event in bench.events]
    assert kinds == ["RunStarted", *["StepStarted", "StepDone"] * 3, "RunFinished"]
    done = bench.told(StepDone)["c"]
    assert done.outputs == {"number": "7.0"}
    assert not done.cached
    last = bench.events[-1]
    assert (last.status, last.ran, last.cached, last.failed) == ("done", 3, 0, 0)


def test_every_event_travels_as_json(bench):
    nodes = {
        "p": {"type": "paint"},
        "look": {"type": "look", "inputs": {"image": "p.image"}},
        "save": {"type": "write"},
        "bad": {"type": "fail"},
        "after": {"type": "write", "inputs": {"text": "bad.number"}},
        "steps": {"type": "steps"},
        "shown": {"type": "write", "inputs": {"text": "steps.number"}, "params": {"name": "s"}},
    }
    bench.run(nodes)
    kinds = {type(event).__name__ for event in bench.events}
    assert len(kinds) == 9
    for event in bench.events:
        assert from_json(to_json(event)) == event


def test_an_event_costs_the_same_at_any_size(bench):
    def largest(size):
        nodes = {"n0": {"type": "number"}}
        for i in range(1, size):
            nodes[f"n{i}"] = bump(f"n{i - 1}")
        bench.engine.cache.clear()
        bench.run(nodes)
        steps = [e for e in bench.events if not isinstance(e, RunStarted | RunFinished)]
        assert len(steps) == 2 * size
        return max(len(to_json(event)) for event in steps)

    assert largest(400) <= largest(40) + 8  # an id and a number have a digit more


def test_progress_is_thinned_out_but_ends_at_the_end(bench):
    bench.run({"s": {"type": "steps", "params": {"count": 5000}}})
    said = [event for event in bench.events if isinstance(event, Progress)]
    assert said[-1].done == said[-1].total == 5000
    assert len(said) < 500


def test_a_note_of_a_node_goes_out_and_there_are_not_too_many(bench):
    bench.run({"s": {"type": "say", "params": {"text": "Half of it was cut off."}}})
    assert [e.text for e in bench.events if isinstance(e, Note)] == ["Half of it was cut off."]
    bench.run({"s": {"type": "say", "params": {"text": "ha" * 9000, "times": 500}}})
    said = [event.text for event in bench.events if isinstance(event, Note)]
    assert len(said) <= 21
    assert max(map(len, said)) <= 1000


def test_a_preview_is_a_small_jpeg_and_is_shown_again_from_the_cache(bench):
    nodes = {
        "p": {"type": "paint", "params": {"size": 700}},
        "look": {"type": "look", "inputs": {"image": "p.image"}},
    }
    bench.run(nodes)
    first = bench.told(Preview)["look"].jpeg
    assert first.startswith(b"\xff\xd8")
    assert len(first) < 20_000
    assert bench.told(StepDone)["p"].outputs == {"image": "Image 700x700x3, 1"}
    bench.run(nodes)
    assert not bench.ran
    assert bench.told(Preview)["look"].jpeg == first


def test_nobody_can_write_to_a_value(bench):
    nodes = {
        "p": {"type": "paint"},
        "s": {"type": "scribble", "inputs": {"image": "p.image"}},
    }
    result = bench.run(nodes)
    assert bench.failed == {"s"}
    assert "read-only" in result.failures["s"].sentence


def test_a_long_chain_needs_no_stack(bench):
    nodes = {"n0": {"type": "number"}}
    for i in range(1, 5000):
        nodes[f"n{i}"] = bump(f"n{i - 1}")
    assert bench.value(nodes, "n4999") == 4999.0
    assert bench.told(StepStarted)["n4999"]
    bench.run(nodes)
    assert not bench.ran
