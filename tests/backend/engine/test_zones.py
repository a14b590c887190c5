"""Zones: repeat and for-each, nested, cached turn by turn."""

from __future__ import annotations

import pytest

from backend.engine.events import Progress, StepDone

START = {"n": {"type": "number", "params": {"value": 1}}}


def doubling(times, **more):
    body = {
        "nodes": {
            "twice": {"type": "add", "inputs": {"left": "$.x", "right": "$.x"}},
            "seen": {"type": "add", "inputs": {"left": "$.index"}, "params": {"by": 100}},
            **more.get("nodes", {}),
        },
        "outputs": {"x": "twice.number", "seen": "seen.number", **more.get("outputs", {})},
    }
    return {
        "type": "repeat",
        "params": {"times": times},
        "inputs": {"carry": {"x": "n.number"}},
        "body": body,
    }


def after(name):
    return {
        "x": {"type": "add", "inputs": {"left": f"{name}.x"}},
        "all": {"type": "total", "inputs": {"numbers": [f"{name}.seen"]}},
    }


@pytest.mark.parametrize(
    ("times", "last", "seen"), [(0, 1.0, 0.0), (1, 2.0, 100.0), (5, 32.0, 510)]
)
def test_repeat_carries_values_and_collects_the_rest(bench, times, last, seen):
    nodes = {**START, "loop": doubling(times), **after("loop")}
    result = bench.run(nodes)
    assert result.values["x"] == {"number": last}
    assert result.values["all"] == {"number": seen}


def test_stop_ends_a_repeat_after_its_turn(bench):
    more = {
        "nodes": {"enough": {"type": "is_above", "inputs": {"number": "twice.number"},
                             "params": {"limit": 7}}},
        "outputs": {"stop": "enough.boolean"},
    }  # fmt: skip
    nodes = {**START, "loop": doubling(50, **more), **after("loop")}
    result = bench.run(nodes)
    assert result.values["x"] == {"number": 8.0}
    assert result.values["all"] == {"number": 100.0 + 101 + 102}


def test_only_new_turns_of_an_edited_loop_run(bench):
    bench.run({**START, "loop": doubling(3), **after("loop")})
    nodes = {**START, "loop": doubling(5), **after("loop")}
    bench.run(nodes)
    inside = [e for e in bench.events if isinstance(e, StepDone) and e.step == "loop/twice"]
    assert [(e.turns, e.cached) for e in inside] == [
        ((1,), True), ((2,), True), ((3,), True), ((4,), False), ((5,), False),
    ]  # fmt: skip
    bench.run(nodes)
    assert not bench.calls
    assert not [e for e in bench.events if getattr(e, "step", "").startswith("loop/")]


def test_turns_are_told_as_progress_but_not_each_of_very_many(bench):
    bench.run({**START, "loop": doubling(1000), **after("loop")})
    said = [(e.done, e.total) for e in bench.events if isinstance(e, Progress) and e.step == "loop"]
    assert said[0] == (1, 1000)
    assert said[-1] == (1000, 1000)
    assert len(said) < 500


FOR_EACH = {
    "row": {"type": "row", "params": {"count": 4, "first": 1}},
    "n": {"type": "number", "params": {"value": 10}},
    "each": {
        "type": "for_each",
        "inputs": {"items": {"item": "row.integers"}},
        "body": {
            "nodes": {
                "sum": {"type": "add", "inputs": {"left": "$.item", "right": "n.number"}},
                "more": {"type": "add", "inputs": {"left": "sum.number", "right": "$.count"}},
            },
            "outputs": {"out": "more.number"},
        },
    },
    "x": {"type": "collect", "inputs": {"items": "each.out"}},
}


def test_for_each_walks_a_list_and_reads_from_outside(bench):
    result = bench.run(FOR_EACH)
    assert result.values["x"] == {"number": 10.0 + 40 + 16}
    assert bench.calls["add"] == 8


def test_a_zone_of_cached_turns_ends_once(bench):
    bench.run(FOR_EACH)
    body = FOR_EACH["each"]["body"]
    both = {**body, "outputs": {**body["outputs"], "again": "more.number"}}
    nodes = {**FOR_EACH, "each": {**FOR_EACH["each"], "body": both}}
    nodes["y"] = {"type": "total", "inputs": {"numbers": ["each.again", "each.out"]}}
    assert bench.run(nodes).values["y"] == {"number": 132.0}
    assert bench.calls == {"total": 1}
    done = [e for e in bench.events if isinstance(e, StepDone) and e.step == "each"]
    assert [event.cached for event in done] == [False]


def test_for_each_over_nothing_gives_an_empty_list(bench):
    nodes = {**FOR_EACH, "zero": {"type": "whole"}}
    nodes["row"] = {"type": "row", "inputs": {"count": "zero.integer"}}
    assert bench.run(nodes).values["x"] == {"number": 0.0}


def test_for_each_carries_values_too(bench):
    nodes = {
        **FOR_EACH,
        "each": {
            "type": "for_each",
            "inputs": {"items": {"item": "row.integers"}, "carry": {"acc": "n.number"}},
            "body": {
                "nodes": {"sum": {"type": "add", "inputs": {"left": "$.item", "right": "$.acc"}}},
                "outputs": {"acc": "sum.number", "out": "sum.number"},
            },
        },
        "y": {"type": "add", "inputs": {"left": "each.acc"}},
    }
    result = bench.run(nodes)
    assert result.values["y"] == {"number": 20.0}
    assert result.values["x"] == {"number": 11.0 + 13 + 16 + 20}


def nested(depth):
    """A repeat in a repeat in a repeat ..., each doubling what it carries, two turns each."""
    inner = {"t": {"type": "add", "inputs": {"left": "$.x", "right": "$.x"}}}
    out = "t.number"
    for _ in range(depth):
        zone = {
            "type": "repeat",
            "params": {"times": 2},
            "inputs": {"carry": {"x": "$.x"}},
            "body": {"nodes": inner, "outputs": {"x": out}},
        }
        inner, out = {"z": zone}, "z.x"
    zone["inputs"] = {"carry": {"x": "n.number"}}
    return inner


@pytest.mark.parametrize("use_cache", [True, False])
def test_zones_nest(new_bench, use_cache):
    bench = new_bench(use_cache=use_cache)
    nodes = {**START, **nested(4), "x": {"type": "add", "inputs": {"left": "z.x"}}}
    assert bench.value(nodes, "x") == 2.0**16
    turns = {e.turns for e in bench.events if getattr(e, "step", "") == "z/z/z/z/t"}
    assert (1, 2, 1, 2) in turns


def test_two_thousand_turns_need_no_stack(bench):
    body = {
        "nodes": {"t": {"type": "add", "inputs": {"left": "$.x"}, "params": {"by": 1}}},
        "outputs": {"x": "t.number"},
    }
    loop = {**doubling(2000), "body": body}
    nodes = {**START, "loop": loop, "x": {"type": "add", "inputs": {"left": "loop.x"}}}
    assert bench.value(nodes, "x") == 2001.0
    loop["params"] = {"times": 2001}
    assert bench.value(nodes, "x") == 2002.0
    assert bench.calls["add"] == 2


def test_too_many_turns_are_refused(bench):
    nodes = {**START, "loop": doubling(20_000), **after("loop")}
    result = bench.run(nodes)
    assert "20000 turns" in result.failures["loop"].sentence
    assert bench.calls["add"] == 0


def test_a_failing_turn_fails_the_zone_and_the_others_go_on(bench):
    nodes = {
        "row": {"type": "row", "params": {"count": 4}},
        "each": {
            "type": "for_each",
            "inputs": {"items": {"item": "row.integers"}},
            "body": {
                "nodes": {
                    "s": {"type": "text", "inputs": {"text": "$.item"}},
                    "w": {"type": "write", "inputs": {"text": "s.text"}},
                    "f": {
                        "type": "fail_if",
                        "inputs": {"number": "$.item"},
                        "params": {"above": 1},
                    },
                },
                "outputs": {"out": "f.number"},
            },
        },
        "x": {"type": "collect", "inputs": {"items": "each.out"}},
    }
    result = bench.run(nodes, only=["x"])
    assert result.status == "failed"
    assert result.failures["each"].sentence == "Turn 3 of 4 (2 turns failed): 2 is too much."
    assert bench.skipped == {"x"}
    assert bench.calls["write"] == 4
    assert len(result.saved) == 4


def test_a_failing_turn_of_a_repeat_ends_it(bench):
    more = {
        "nodes": {
            "f": {"type": "fail_if", "inputs": {"number": "twice.number"}, "params": {"above": 3}}
        },
        "outputs": {"x": "f.number"},
    }
    nodes = {**START, "loop": doubling(50, **more), **after("loop")}
    result = bench.run(nodes)
    assert "Turn 2 of 50" in result.failures["loop"].sentence
    assert bench.skipped == {"x", "all"}


def test_an_effect_in_a_zone_runs_for_its_own_sake_and_in_every_turn(bench):
    nodes = {
        **START,
        "loop": {
            "type": "repeat",
            "params": {"times": 3},
            "body": {
                "nodes": {"w": {"type": "write", "params": {"name": "turn-{counter}"}}},
                "outputs": {},
            },
        },
    }
    result = bench.run(nodes)
    assert [s.path for s in result.saved] == ["turn-1.txt", "turn-2.txt", "turn-3.txt"]
    bench.run(nodes)
    assert not bench.calls
    (bench.folder / "out" / "turn-2.txt").unlink()
    bench.run(nodes)
    assert bench.calls == {"write": 1}


def test_a_lazy_node_in_a_zone_chooses_anew_in_each_turn(bench):
    nodes = {
        "row": {"type": "row", "params": {"count": 4, "first": 2}},
        "each": {
            "type": "for_each",
            "inputs": {"items": {"item": "row.integers"}},
            "body": {
                "nodes": {
                    "above": {"type": "is_above", "inputs": {"number": "$.item"}},
                    "no": {"type": "add", "inputs": {"left": "$.item"}, "params": {"by": 50}},
                    "yes": {"type": "clip", "inputs": {"number": "$.item"}},
                    "x": {
                        "type": "choose",
                        "inputs": {
                            "yes": "yes.number",
                            "no": "no.number",
                            "which": "above.boolean",
                        },
                    },
                },
                "outputs": {"out": "x.value"},
            },
        },
        "sum": {"type": "collect", "inputs": {"items": "each.out"}},
    }
    assert bench.value(nodes, "sum") == 52.0 + 53 + 4 + 5
    assert bench.calls["clip"] == 2
    assert bench.calls["add"] == 2


def test_a_file_that_is_named_inside_a_zone_is_read_again_when_it_changes(bench):
    for name in ("0.txt", "1.txt"):
        (bench.folder / name).write_text(name)
    nodes = {
        "row": {"type": "row", "params": {"count": 2}},
        "each": {
            "type": "for_each",
            "inputs": {"items": {"item": "row.integers"}},
            "body": {
                "nodes": {
                    "name": {"type": "text", "inputs": {"text": "$.item"}},
                    "r": {"type": "read", "inputs": {"path": "name.text"}},
                },
                "outputs": {"out": "r.text"},
            },
        },
        "t": {"type": "text", "inputs": {"text": "each.out"}},
    }
    for name in ("0", "1"):
        (bench.folder / name).write_text(f"file {name}")
    assert bench.value(nodes, "t") == ["file 0", "file 1"]
    (bench.folder / "1").write_text("changed")
    assert bench.value(nodes, "t") == ["file 0", "changed"]
    assert bench.calls["read"] == 1


@pytest.mark.parametrize("kind", ["zone", "mapped"])
def test_turns_and_items_that_were_remembered_take_no_time(bench, kind):
    def nodes(count):
        add = {"type": "add", "inputs": {"left": "$.x" if kind == "zone" else "row.integers"}}
        body = {"nodes": {"a": add}, "outputs": {"o": "a.number"}}
        zone = {"type": "for_each", "inputs": {"items": {"x": "row.integers"}}, "body": body}
        row = {"type": "row", "params": {"count": count}}
        return {"row": row, "x": zone if kind == "zone" else add}

    bench.run(nodes(3), only=("x",))
    assert bench.told(StepDone)["x"].seconds > 0
    bench.run(nodes(2), only=("x",))
    done = bench.told(StepDone)["x"]
    assert (done.cached, done.seconds) == (False, 0.0)
