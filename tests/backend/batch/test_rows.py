"""The product of tables, sweeps and files."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.batch.errors import BatchError
from backend.batch.rows import Choice, Part, Point, Value, differing, points


def part(name: str, *values: object, rows: bool = False) -> Part:
    choices = (
        Choice((Value(name, name, "text", value),), number * rows)
        for number, value in enumerate(values, 1)
    )
    return Part(f"--sweep {name}", (name,), (name,), tuple(choices))


def test_the_last_part_runs_fastest():
    found = points([part("a", 1, 2, rows=True), part("b", "x", "y")])
    assert [(p.index, p.row, *p.shown.values()) for p in found] == [
        (1, 1, 1, "x"), (2, 1, 1, "y"), (3, 2, 2, "x"), (4, 2, 2, "y"),
    ]  # fmt: skip


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_there_is_one_job_for_each_combination(sizes):
    found = points([part(f"p{n}", *range(size)) for n, size in enumerate(sizes)])
    assert len(found) == math.prod(sizes)
    assert [point.index for point in found] == list(range(1, len(found) + 1))
    combinations = [tuple(point.shown.values()) for point in found]
    assert combinations == sorted(set(combinations))


def test_a_batch_is_not_larger_than_can_be():
    large = part("a", *range(400))
    with pytest.raises(BatchError, match="400 x 400 = 160000 jobs, and at most 100000"):
        points([large, part("b", *range(400))])
    assert len(points([large], most=400)) == 400
    with pytest.raises(BatchError, match="has 400 jobs, and at most 399"):
        points([large], most=399)


def test_a_parameter_is_set_once():
    exposed = Part("rows.csv", ("prompt",), ("text.text",), (Choice((), 1),))
    with pytest.raises(BatchError, match=r"sets text\.text, which rows\.csv sets too \(there call"):
        points([exposed, part("text.text", "a")])
    with pytest.raises(BatchError, match="gives no job"):
        points([part("a")])


def test_what_differs_is_what_is_not_the_same_in_all():
    found = points([part("a", 1), part("b", 1, 2)])
    assert differing(found) == ("b",)
    assert differing(found[:1]) == ()
    without = Point(3, 0, ())
    assert differing([*found, without]) == ("a", "b")
