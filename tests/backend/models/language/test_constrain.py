"""Whatever a model wants, what it writes by a schema is JSON that follows the schema."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from backend.diffusion.errors import DiffusionError
from backend.models.language.choose import Choice
from backend.models.language.constrain import JsonChoice
from backend.models.language.schema import Node, read_schema
from backend.models.language.tokens import TokenTable
from tests.backend.models.language.tiny_language import VOCABULARY, special, tokenizer

END = special("</s>")
BOLD = Choice(temperature=1.0, top_p=1.0, top_k=0)


@cache
def table() -> TokenTable:
    return TokenTable.of(tokenizer())


def written(
    schema: Node, seed: int = 0, most: int = 2000, wants: torch.Tensor | None = None
) -> tuple[str, int]:
    """What a model of random scores, shifted by ``wants``, writes; and in how many tokens."""
    chooser = JsonChoice(table(), schema, BOLD, seed, most, frozenset({END}))
    random, tokens = torch.Generator().manual_seed(seed), []
    shift = torch.zeros(VOCABULARY) if wants is None else wants
    while True:
        scores = 3 * torch.randn(VOCABULARY, generator=random) + shift
        token = chooser.next(scores)
        if token is None:
            return b"".join(map(table().text, tokens)).decode(), len(tokens)
        tokens.append(token)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
scalars = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | text


@st.composite
def strings(draw: st.DrawFn) -> dict[str, Any]:
    least = draw(st.integers(0, 4))
    most = draw(st.none() | st.integers(least, least + 8))
    return {"type": "string", "minLength": least} | ({} if most is None else {"maxLength": most})


@st.composite
def numbers(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["integer", "number"]))
    edge = st.integers(-2000, 2000) | st.floats(-2000, 2000).map(lambda x: round(x, 3))
    low, high = sorted([draw(edge), draw(edge)])
    words = (draw(st.sampled_from(["minimum", "exclusiveMinimum"])),
             draw(st.sampled_from(["maximum", "exclusiveMaximum"])))  # fmt: skip
    limits = {words[0]: low, words[1]: high}
    return {"type": kind} | {k: v for k, v in limits.items() if draw(st.booleans())}


def arrays(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    sizes = st.tuples(st.integers(0, 2), st.none() | st.integers(0, 3))
    return st.tuples(items, sizes).map(
        lambda t: (
            {"type": "array", "items": t[0], "minItems": t[1][0]}
            | ({} if t[1][1] is None else {"maxItems": t[1][0] + t[1][1]})
        )
    )


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> dict[str, Any]:
    properties = draw(st.dictionaries(text, values, max_size=4))
    required = (
        draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    )
    return {"type": "object", "properties": properties, "required": required,
            "additionalProperties": draw(st.booleans())}  # fmt: skip


schemas = st.recursive(
    strings() | numbers() | st.sampled_from([{"type": "boolean"}, {"type": "null"}])
    | st.lists(scalars, min_size=1, max_size=4).map(lambda values: {"enum": values})
    | scalars.map(lambda value: {"const": value}),
    lambda inner: arrays(inner) | objects(inner)
    | st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some}),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=200)
@given(schemas, st.integers(0, 2**31), st.sampled_from([60, 400]))
def test_a_random_model_always_follows_the_schema(schema, seed, most):
    try:
        node = read_schema(json.dumps(schema))
    except DiffusionError:
        assume(False)  # limits that allow no number
    try:
        found, count = written(node, seed, most)
    except DiffusionError as error:
        if "fits in" in str(error):
            return
        raise
    assert count <= most
    Draft202012Validator(schema).validate(json.loads(found))


def leaning(towards: str) -> torch.Tensor:
    """A model that wants certain bytes above all, and never to end."""
    wants = torch.zeros(VOCABULARY)
    wants[END] = -100
    for byte in towards.encode():
        wants[table().single[byte]] = 50
    return wants


@pytest.mark.parametrize("towards", ["a", "\\", "[{", "1", ",", " ", "é"])
def test_a_model_that_would_never_end_is_brought_to_an_end(towards):
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "list": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}},
            "size": {"type": "number"},
        },
        "required": ["name", "list", "size"],
    }
    found, count = written(read_schema(json.dumps(schema)), 3, 120, leaning(towards))
    Draft202012Validator(schema).validate(json.loads(found))
    assert count <= 120


def test_the_room_that_is_needed_is_known_before_anything_is_written():
    schema = read_schema('{"type": "string", "minLength": 30, "maxLength": 30}')
    assert len(json.loads(written(schema, most=60, wants=leaning("b"))[0])) == 30
    with pytest.raises(DiffusionError, match="No text by this schema fits in 10 tokens"):
        written(schema, most=10)


def test_a_model_that_wants_what_the_schema_allows_gets_it():
    schema = read_schema('{"enum": ["red", "green", "blue"]}')
    assert written(schema, wants=leaning('"g'))[0] == '"green"'
    assert written(read_schema('{"const": "ä\\"b/\\\\"}'))[0] == json.dumps(
        'ä"b/\\', ensure_ascii=False
    )


def test_the_end_of_a_number_is_the_models_choice():
    schema = read_schema('{"type": "integer", "minimum": 0}')
    wants = leaning("7")
    wants[END] = 40
    assert written(schema, wants=leaning("7"), most=5)[0] == "77777"
    wants[END] = 100
    assert written(schema, wants=wants)[0] == "7"


def test_scores_that_are_no_numbers_are_told():
    chooser = JsonChoice(table(), read_schema('{"type": "string"}'), BOLD, 0, 50, frozenset({END}))
    with pytest.raises(DiffusionError, match="not numbers"):
        chooser.next(torch.full((VOCABULARY,), torch.nan))
