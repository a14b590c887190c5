"""Lists on plain sockets: one call per item, each remembered by itself."""

from __future__ import annotations

import pytest

from backend.engine.events import Progress
from backend.graph.caps import Caps

ROW = {"row": {"type": "row", "params": {"count": 3, "first": 1}}}


def test_a_list_maps_a_plain_socket(bench):
    nodes = {
        **ROW,
        "x": {"type": "add", "inputs": {"left": "row.integers"}, "params": {"by": 10}},
        "sum": {"type": "collect", "inputs": {"items": "x.number"}},
    }
    assert bench.value(nodes, "x") == [11.0, 12.0, 13.0]
    assert bench.value(nodes, "sum") == 36.0
    assert bench.told(Progress) == {}  # the calls were cached by the first run


def test_a_list_maps_a_linked_parameter(bench):
    nodes = {
        **ROW,
        "n": {"type": "number", "params": {"value": 9}},
        "x": {"type": "clip", "inputs": {"number": "n.number", "most": "row.integers"}},
    }
    assert bench.value(nodes, "x") == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        ("repeat", [11.0, 22.0, 23.0]),
        ("product", [11.0, 21.0, 12.0, 22.0, 13.0, 23.0]),
    ],
)
def test_lists_of_different_length_repeat_or_multiply(bench, each, expected):
    nodes = {
        **ROW,
        "two": {"type": "row", "params": {"count": 2, "first": 1}},
        "tens": {
            "type": "total",
            "inputs": {"numbers": ["z.number"], "scale": "two.integers"},
        },
        "z": {"type": "number", "params": {"value": 10}},
        "x": {
            "type": "add",
            "inputs": {"left": "row.integers", "right": "tens.number"},
            "each": each,
        },
    }
    assert bench.value(nodes, "x") == expected


def test_lists_of_different_length_are_refused_unless_said_otherwise(bench):
    nodes = {
        **ROW,
        "n": {"type": "whole", "params": {"value": 2}},
        "two": {"type": "row", "inputs": {"count": "n.integer"}},
        "x": {"type": "add", "inputs": {"left": "row.integers", "right": "two.integers"}},
    }
    result = bench.run(nodes)
    said = [d.sentence for d in result.diagnostics] + [f.sentence for f in result.failures.values()]
    assert any("left has 3" in s or "length" in s for s in said)


def test_only_the_items_that_changed_are_computed_again(bench):
    nodes = {**ROW, "x": {"type": "add", "inputs": {"left": "row.integers"}}}
    bench.run(nodes)
    nodes["row"] = {"type": "row", "params": {"count": 5, "first": 1}}
    assert bench.value(nodes, "x") == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert bench.calls == {"row": 1, "add": 2}


def test_an_item_and_a_single_value_are_the_same_call(bench):
    single = {"type": "number", "params": {"value": 2}}
    bench.value({"n": single, "x": {"type": "clip", "inputs": {"number": "n.number"}}}, "x")
    nodes = {
        **ROW,
        "list": {"type": "add", "inputs": {"left": "row.integers"}},
        "x": {"type": "clip", "inputs": {"number": "list.number"}},
    }
    assert bench.value(nodes, "x") == [1.0, 2.0, 3.0]
    assert bench.calls["clip"] == 2


def test_a_row_takes_the_items_of_a_list_and_a_list_socket_takes_a_single_value(bench):
    nodes = {
        **ROW,
        "n": {"type": "number", "params": {"value": 5}},
        "many": {"type": "total", "inputs": {"numbers": ["n.number", "row.integers"]}},
        "list": {"type": "collect", "inputs": {"items": "n.number"}},
    }
    assert bench.value(nodes, "many") == 11.0
    assert bench.value(nodes, "list") == 5.0


def test_lists_of_lists_are_laid_end_to_end(bench):
    nodes = {**ROW, "x": {"type": "row", "inputs": {"count": "row.integers"}}}
    assert bench.value(nodes, "x") == [0, 0, 1, 0, 1, 2]


def test_an_empty_list_gives_an_empty_list(bench):
    nodes = {
        "n": {"type": "whole"},
        "row": {"type": "row", "inputs": {"count": "n.integer"}},
        "x": {"type": "add", "inputs": {"left": "row.integers"}},
    }
    assert bench.value(nodes, "x") == []
    assert bench.calls["add"] == 0


def test_a_failing_item_fails_the_node_and_says_which(bench):
    nodes = {
        **ROW,
        "x": {"type": "fail_if", "inputs": {"number": "row.integers"}, "params": {"above": 1}},
    }
    result = bench.run(nodes)
    assert result.failures["x"].sentence == "Item 2 of 3: 2 is too much."
    assert bench.failed == {"x"}


def test_too_many_calls_are_refused(new_bench):
    bench = new_bench(caps=Caps(list_items=10))
    nodes = {
        "n": {"type": "whole", "params": {"value": 4}},
        "row": {"type": "row", "inputs": {"count": "n.integer"}},
        "x": {
            "type": "add",
            "inputs": {"left": "row.integers", "right": "row.integers"},
            "each": "product",
        },
    }
    result = bench.run(nodes)
    assert "16 calls, more than 10" in result.failures["x"].sentence
    assert bench.calls["add"] == 0


def test_a_mapped_save_writes_every_item_in_order(bench):
    nodes = {
        **ROW,
        "t": {"type": "text", "inputs": {"text": "row.integers"}},
        "w": {"type": "write", "inputs": {"text": "t.text"}, "params": {"name": "at-{counter}"}},
    }
    result = bench.run(nodes)
    paths = [saved.path for saved in result.saved]
    assert paths == sorted(paths)
    assert len(paths) == 3
    (bench.folder / "out" / paths[1]).unlink()
    bench.run(nodes)
    assert bench.calls == {"write": 1}


def test_a_mapped_lazy_node_asks_for_each_item(bench):
    nodes = {
        **ROW,
        "above": {"type": "is_above", "inputs": {"number": "row.integers"}, "params": {"limit": 2}},
        "a": {"type": "number", "params": {"value": 1}},
        "b": {"type": "number", "params": {"value": 2}},
        "x": {
            "type": "choose",
            "inputs": {"yes": "a.number", "no": "b.number", "which": "above.boolean"},
        },
    }
    assert bench.value(nodes, "x") == [2.0, 2.0, 1.0]


@pytest.mark.parametrize(("index", "gives"), [(0, [1, 2, 3]), (1, [10, 11])])
def test_a_list_in_the_row_of_a_lazy_node_maps_it_and_links_are_counted(bench, index, gives):
    nodes = {
        **ROW,
        "more": {"type": "row", "params": {"count": 2, "first": 10}},
        "x": {
            "type": "choose_one",
            "inputs": {"choices": ["row.integers", "more.integers"]},
            "params": {"index": index},
        },
    }
    assert bench.value(nodes, "x") == gives
    assert bench.calls == {"row": 1, "choose_one": len(gives)}
