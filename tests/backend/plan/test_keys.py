"""Keys: what they hang on, and how units of unchanged steps are taken over."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.engine.registry import NodeRegistry
from backend.graph.flat import FROM_ZONE, Flat, Step, Wire
from backend.graph.params import Unfit
from backend.graph.spec import NodeSpec, Param
from backend.plan.keys import input_key, list_digest, result_digest, static_key
from backend.plan.params import coerce, fit, namespace
from backend.plan.program import Compiler
from backend.sdk import Context, node
from backend.values import Color

SPEC = NodeSpec("blur", 2, "Blur", "Test", "", params=(Param("radius", "number", 1.0),))
STEP = Step("a", "blur", 2, MappingProxyType({"radius": 3.0}))


def key(spec=SPEC, step=STEP, linked=(), numerics="", body=""):
    return static_key(spec, step, linked, numerics, body)


@pytest.mark.parametrize(
    "other",
    [
        key(replace(SPEC, digest="x")),
        key(replace(SPEC, version=3)),
        key(replace(SPEC, type="sharpen")),
        key(step=replace(STEP, params={"radius": 4.0})),
        key(step=replace(STEP, each="product")),
        key(numerics="threads=2"),
        key(body="other"),
        key(linked=["radius"]),
    ],
)
def test_the_static_key_hangs_on_all_that_makes_a_step(other):
    assert other != key()


def test_the_static_key_does_not_hang_on_the_name_of_the_step_or_the_order_of_parameters():
    assert key(step=replace(STEP, id="b")) == key()
    one = replace(STEP, params={"x": 1, "y": (1, 2)})
    two = replace(STEP, params={"y": (1, 2), "x": 1})
    assert key(step=one) == key(step=two)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_parts_of_a_key_cannot_run_together(first, second):
    assert (input_key("s", first) == input_key("s", second)) == (first == second)


def test_a_list_has_the_digest_of_its_items():
    assert result_digest([1, 2]) == list_digest([result_digest(1), result_digest(2)])
    assert result_digest([1, 2]).startswith("list:")
    assert len({result_digest(v) for v in ([], [[]], 1, 1.0, "1", True, [1], None)}) == 8


def test_parameters_come_as_the_function_gets_them():
    params = (
        Param("by", "number", 1.0),
        Param("tint", "color", "#ff0000"),
        Param("row", "values", ()),
    )
    spec = NodeSpec("x", 1, "X", "Test", "", params=params)
    p = namespace(spec, {"by": 2, "tint": "#0000ff"}, lookup="here")
    assert (p.by, p.tint, p.row, p.lookup) == (2.0, Color(0, 0, 1), None, "here")
    assert coerce(params[2], [1, 2.5]) == (1.0, 2.5)
    assert coerce(params[1], "nonsense") == "nonsense"


def test_a_linked_value_must_fit_its_parameter():
    bounded = Param("by", "number", 1.0, minimum=0, maximum=4)
    assert fit(bounded, 2) == 2.0
    with pytest.raises(Unfit, match="from 0 to 4"):
        fit(bounded, 5.0)
    with pytest.raises(Unfit, match="finite"):
        fit(bounded, float("nan"))
    assert fit(Param("c", "color", "#000000"), Color(1, 0, 0)) == Color(1, 0, 0)
    with pytest.raises(Unfit, match="one of a, b"):
        fit(Param("mode", "choice", "a", choices=("a", "b")), "c")


@node(category="Test")
def give(ctx: Context, value: float = 0.0) -> float:
    """Give."""
    return value


@node(category="Test")
def take(ctx: Context, number: float) -> float:
    """Take."""
    return number


@node(category="Test", zone=True)
def repeat(ctx: Context, carry: dict[str, float] | None = None, times: int = 2) -> None:
    """A zone."""


def flat_of(*values: float) -> Flat:
    body = Flat(
        (Step("z/t", "take", 1, inputs={"number": Wire(FROM_ZONE, "x")}),),
        {"x": Wire(0, "number")},
    )
    gives = [Step(f"g{i}", "give", 1, {"value": v}) for i, v in enumerate(values)]
    zone = Step("z", "repeat", 1, {"times": 2}, {"carry": {"x": Wire(0, "number")}}, body=body)
    return Flat((*gives, zone))


def test_units_of_the_same_steps_are_taken_over():
    compiler = Compiler(NodeRegistry([give, take, repeat]), lambda lane: "")
    flat = flat_of(1.0, 2.0)
    first = compiler.compile(flat)
    assert compiler.compile(flat) is first
    edited = replace(
        flat, steps=(flat.steps[0], Step("g1", "give", 1, {"value": 3.0}), flat.steps[2])
    )
    second = compiler.compile(edited)
    same = [a is b for a, b in zip(first.units, second.units, strict=True)]
    assert same == [True, False, True]
    assert first.units[1].static != second.units[1].static


def test_the_body_of_a_zone_is_part_of_its_key():
    compiler = Compiler(NodeRegistry([give, take, repeat]), lambda lane: "")
    program = compiler.compile(flat_of(1.0))
    zone = program.units[-1]
    assert zone.body is not None
    assert zone.body.boundary == {"x"}
    assert program.users == ((1,), ())
    body = replace(zone.body.flat, outputs={"x": Wire(FROM_ZONE, "x")})
    changed = replace(zone.step, body=body)
    other = compiler.compile(Flat((program.units[0].step, changed)))
    assert other.units[-1].static != zone.static
    assert other.units[0] is program.units[0]
