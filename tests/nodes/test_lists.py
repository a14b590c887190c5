"""The list nodes, called as the plain functions they are."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.facts import Facts, facts_of
from backend.sdk import UserError
from nodes import lists as nodes


class IdleContext:
    """These nodes ask nothing of their context."""


CTX = IdleContext()
LISTS = st.lists(st.integers(0, 9), max_size=8)


def list_facts_for(node: Any, /, params: dict[str, Any], **inputs: Any) -> Any:
    defaults = {p.name: p.default for p in node.spec.params}
    return node.hooks["facts"](SimpleNamespace(**{**defaults, **params}), **inputs)


def listed(length: int | None, **known: Any) -> Facts:
    return facts_of("Image", **known).listed(length)


def test_make_list_keeps_the_order_and_what_all_items_share() -> None:
    assert nodes.make_list(CTX, "b", "a") == ["b", "a"]
    wide, tall = facts_of("Image", width=64, height=32), facts_of("Image", width=64, height=96)
    facts = list_facts_for(nodes.make_list, {}, items=(wide, tall))
    assert (facts.is_list, facts.length, facts.width, facts.height) == (True, 2, 64, None)
    assert list_facts_for(nodes.make_list, {}, items=()).length == 0


@pytest.mark.parametrize(
    ("settings", "numbers"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"start": 1.0, "step": 0.5, "until": "stop", "stop": 3.0}, [1, 1.5, 2, 2.5, 3]),
        ({"step": 0.1, "count": 4}, [0, 0.1, 0.2, 0.3]),
        ({"step": 0.1, "until": "stop", "stop": 0.3}, [0, 0.1, 0.2, 0.3]),
        ({"start": 3.0, "step": -2.0, "until": "stop", "stop": 0.0}, [3, 1]),
        ({"until": "stop", "start": 4.0}, [4]),
        ({"count": 0}, []),
        ({"start": 5, "step": 5, "count": 2}, [5, 10]),
    ],
)
def test_range_is_evenly_spaced(settings: dict[str, Any], numbers: list[float]) -> None:
    made = nodes.range(CTX, **settings)
    assert made.numbers == numbers
    assert made.integers == [round(n) for n in numbers]
    assert list_facts_for(nodes.range, settings)["integers"].length == len(numbers)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"step": 0.0, "until": "stop"}, "step is 0"),
        ({"step": -1.0, "until": "stop"}, "leads from 0 away from 4"),
        ({"step": 1e-300, "until": "stop"}, "more than 100000 numbers"),
        ({"stop": 1e15, "until": "stop"}, "more than 100000 numbers"),
        ({"count": 100_001}, "more than 100000 numbers"),
        ({"start": math.inf}, "not finite"),
    ],
)
def test_range_refuses(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        nodes.range(CTX, **settings)
    with pytest.raises(UserError, match=says):
        list_facts_for(nodes.range, settings)


def test_range_goes_up_to_its_cap() -> None:
    assert nodes.range(CTX, count=100_000).integers[-1] == 99_999
    assert list_facts_for(nodes.range, {"count": None})["numbers"].length is None


def test_zip_makes_lists_equally_long() -> None:
    assert nodes.zip(CTX, [1, 2], ["a", "b"]) == ([1, 2], ["a", "b"])
    assert nodes.zip(CTX, [1, 2, 3], ["a"], "repeat") == ([1, 2, 3], ["a", "a", "a"])
    assert nodes.zip(CTX, [1, 2, 3], ["a"], "cut") == ([1], ["a"])
    facts = list_facts_for(nodes.zip, {"shorter": "cut"}, a=listed(3, width=8), b=listed(1))
    assert (facts["a"].length, facts["b"].length, facts["a"].width) == (1, 1, 8)
    assert list_facts_for(nodes.zip, {}, a=listed(None), b=listed(1))["a"].length is None


def test_zip_refuses_other_lengths_when_run_and_before() -> None:
    with pytest.raises(UserError, match="3 items and the other 1"):
        nodes.zip(CTX, [1, 2, 3], ["a"])
    with pytest.raises(UserError, match="3 items and the other 1"):
        list_facts_for(nodes.zip, {}, a=listed(3), b=listed(1))
    with pytest.raises(UserError, match="empty"):
        nodes.zip(CTX, [1], [], "repeat")


def test_product_pairs_every_item_with_every_other() -> None:
    assert nodes.product(CTX, [1, 2], ["x", "y"]) == ([1, 1, 2, 2], ["x", "y", "x", "y"])
    facts = list_facts_for(nodes.product, {}, a=listed(3), b=listed(4))
    assert facts["b"].length == 12


def test_product_is_capped_before_anything_is_made() -> None:
    with pytest.raises(UserError, match="100000000000 pairs; at most 100000"):
        list_facts_for(nodes.product, {}, a=listed(10**6), b=listed(10**5))
    with pytest.raises(UserError, match="1000000 pairs"):
        nodes.product(CTX, [0] * 1000, [0] * 1000)


def test_pick_counts_from_0_and_from_the_end() -> None:
    colors = ["red", "green", "blue"]
    assert nodes.pick(CTX, colors, 1) == "green"
    assert nodes.pick(CTX, colors, -1) == "blue"
    facts = list_facts_for(nodes.pick, {"index": 2}, values=listed(3, width=8))
    assert (facts.is_list, facts.width) == (False, 8)


@pytest.mark.parametrize(("length", "index"), [(3, 3), (3, -4), (0, 0)])
def test_pick_refuses_a_place_outside_when_run_and_before(length: int, index: int) -> None:
    with pytest.raises(UserError, match=f"no item {index}|empty"):
        nodes.pick(CTX, list(range(length)), index)
    with pytest.raises(UserError, match=f"no item {index}|empty"):
        list_facts_for(nodes.pick, {"index": index}, values=listed(length))


@given(LISTS, st.integers(-12, 12), st.integers(0, 12), st.integers(1, 4))
def test_slice_is_pythons_slice_cut_to_a_count(
    values: list[int], start: int, count: int, step: int
) -> None:
    settings = {"start": start, "count": count, "step": step}
    part = nodes.slice(CTX, values, **settings)
    assert part == values[start::step][:count]
    assert list_facts_for(nodes.slice, settings, values=listed(len(values))).length == len(part)


@given(LISTS, LISTS)
def test_laws_of_lists(a: list[int], b: list[int]) -> None:
    both = nodes.concat(CTX, a, b)
    assert nodes.length(CTX, both) == len(a) + len(b)
    assert nodes.reverse(CTX, nodes.reverse(CTX, a)) == a
    assert nodes.reverse(CTX, both) == nodes.reverse(CTX, b) + nodes.reverse(CTX, a)
    first, second = nodes.product(CTX, a, b)
    assert list(zip(first, second, strict=True)) == [(x, y) for x in a for y in b]
    assert nodes.make_list(CTX, *a) == a
    if a and b:
        left, right = nodes.zip(CTX, a, b, "repeat")
        assert len(left) == len(right) == max(len(a), len(b))
        assert left[: len(a)] == a
        assert set(left[len(a) :]) <= {a[-1]}


def test_nothing_changes_the_list_that_came_in() -> None:
    values = [1, 2, 3]
    nodes.reverse(CTX, values)
    nodes.concat(CTX, values, [4])
    nodes.zip(CTX, values, [1], "repeat")
    assert values == [1, 2, 3]


def test_lengths_are_known_before_the_run() -> None:
    assert list_facts_for(nodes.length, {}, values=listed(4)).value == 4
    assert list_facts_for(nodes.length, {}, values=listed(None)).value is None
    assert list_facts_for(nodes.reverse, {}, values=listed(4)).length == 4
    assert list_facts_for(nodes.repeat_item, {"times": 3}, value=facts_of("Image")).length == 3
    assert list_facts_for(nodes.repeat_item, {"times": None}, value=facts_of("Image")).is_list
    together = list_facts_for(nodes.concat, {}, first=listed(2, width=8), second=listed(3, width=9))
    assert (together.length, together.width) == (5, None)
    assert list_facts_for(nodes.concat, {}, first=listed(None), second=listed(3)).length is None


def test_repeat_item_and_concat() -> None:
    assert nodes.repeat_item(CTX, "a", 3) == ["a", "a", "a"]
    assert nodes.repeat_item(CTX, "a", 0) == []
    with pytest.raises(UserError, match="at most 100000"):
        nodes.concat(CTX, [0] * 60_000, [0] * 60_000)
