"""A schema is read into plain data; what is not followed is refused with a sentence."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from backend.diffusion.errors import DiffusionError
from backend.models.language.schema import (
    ArrayNode,
    Literals,
    NumberNode,
    ObjectNode,
    Property,
    TextNode,
    read_schema,
)


def read(**schema):
    return read_schema(json.dumps(schema))


def test_an_object_keeps_the_order_of_its_properties():
    found = read(
        type="object",
        properties={"b": {"type": "string", "maxLength": 5}, "a": {"type": "boolean"}},
        required=["a"],
        additionalProperties=False,
        title="only a note",
    )
    assert found == ObjectNode(
        (
            Property("b", TextNode(0, 5), required=False),
            Property("a", Literals(("true", "false")), required=True),
        )
    )


def test_a_reference_into_the_definitions_stands_for_what_is_there():
    number = {"type": "integer", "minimum": 1, "maximum": 3}
    found = read(type="array", items={"$ref": "#/$defs/n"}, maxItems=2, **{"$defs": {"n": number}})
    assert found == ArrayNode(NumberNode(Decimal(1), Decimal(3), 0), 0, 2)


@pytest.mark.parametrize(
    ("limits", "low", "high"),
    [
        ({"minimum": 0.5, "maximum": 2.5}, 1, 2),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 4}, 2, 3),
        ({"minimum": 0, "exclusiveMinimum": 5, "maximum": 9}, 6, 9),
        ({}, -(2**53 - 1), 2**53 - 1),
        ({"minimum": -1e300, "maximum": 1e300}, -(2**53 - 1), 2**53 - 1),
    ],
)
def test_limits_of_whole_numbers_move_inwards(limits, low, high):
    assert read(type="integer", **limits) == NumberNode(Decimal(low), Decimal(high), 0)


def test_a_limit_beyond_all_numbers_is_not_forgotten():
    with pytest.raises(DiffusionError, match="allows no integer"):
        read_schema('{"type": "integer", "minimum": 1e999}')


def test_an_open_limit_moves_by_one_millionth():
    found = read(type="number", exclusiveMinimum=0, exclusiveMaximum=0.25)
    assert found == NumberNode(Decimal("0.000001"), Decimal("0.249999"), 6)


def test_values_are_told_apart_as_json_does():
    assert read(enum=[1, True, "1", None, 1]) == Literals(("1", "true", '"1"', "null"))
    assert read(enum=[1, True], type="boolean") == Literals(("true",))
    assert read(enum=[1, True], const=1.0) == Literals(("1",))


RECURSIVE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/a"}}}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, "has no type"),
        ({"type": "text"}, "'text', which JSON does not have"),
        ({"type": "string", "pattern": "a+"}, "'pattern', which is not followed"),
        ({"type": "string", "format": "date"}, "'format'"),
        ({"type": "string", "minimum": 3}, "'minimum'"),
        ({"type": "integer", "multipleOf": 3}, "'multipleOf'"),
        ({"type": "array"}, "without items"),
        ({"type": "array", "items": {"type": "null"}, "uniqueItems": True}, "'uniqueItems'"),
        ({"type": "object", "required": ["a"]}, "requires 'a'"),
        ({"type": "object", "properties": {"a": True}}, "at /a has no type"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "below its minLength"),
        ({"type": "string", "maxLength": -1}, "no whole number"),
        ({"type": "string", "maxLength": True}, "no whole number"),
        ({"type": "number", "minimum": 2, "maximum": 1}, "allows no number"),
        ({"type": "integer", "minimum": 0.2, "maximum": 0.8}, "allows no integer"),
        ({"type": "number", "minimum": 1e300}, "allows no number"),
        ({"enum": [1], "type": "string"}, "allows no value"),
        ({"enum": ["\ud800"]}, "half a character"),
        ({"$ref": "#/$defs/none"}, "not in this schema"),
        ({"$ref": "https://example.org/a.json"}, "not in this schema"),
        ({"$ref": "#"}, "refers to itself"),
        ({"$ref": "#/$defs/a", "$defs": {"a": RECURSIVE}}, "at /next refers to itself"),
        ({"oneOf": [{"type": "null"}]}, "'oneOf'"),
        ({"anyOf": []}, "no list of schemas"),
        ({"enum": list(range(3000))}, "more than 2000 parts"),
    ],
)
def test_what_is_not_followed_is_refused(schema, said):
    with pytest.raises(DiffusionError, match="schema") as error:
        read_schema(json.dumps(schema))
    assert said in str(error.value)


def test_deep_and_wide_schemas_are_refused():
    deep: dict[str, object] = {"type": "null"}
    for _ in range(20):
        deep = {"type": "array", "items": deep}
    with pytest.raises(DiffusionError, match="deeper than 8"):
        read_schema(json.dumps(deep))
    # Each level refers to the next one ten times: 10^6 parts when written out.
    levels = {
        f"l{i}": {"anyOf": [{"$ref": f"#/$defs/l{i + 1}"}] * 10} for i in range(6)
    } | {"l6": {"type": "null"}}  # fmt: skip
    with pytest.raises(DiffusionError, match=r"2000 parts|deeper"):
        read_schema(json.dumps({"$ref": "#/$defs/l0", "$defs": levels}))


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"const": NaN}', "[" * 100_000, '{"const": 1e999}']
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(DiffusionError, match="schema"):
        read_schema(text)
