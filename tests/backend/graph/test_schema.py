"""The published JSON Schema says what files look like: no more and no less than the reader."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.document import (
    Exposed,
    Graph,
    Layout,
    ModelNeed,
    Node,
    Note,
    Placement,
    Point,
    Port,
    Ref,
    Subgraph,
    Way,
    Workflow,
)
from backend.graph.format import FormatError, dump, parse
from backend.graph.schema import DRAFT, schema

EXAMPLES = sorted((Path(__file__).parents[3] / "workflows").glob("*.weft.json"))
RICH = Workflow(
    Graph(
        {
            "a": Node("source", params={"width": 3}, extra={"later": 1}),
            "b": Node("join", inputs={"images": (Ref("a", "image"),)}, mode="mute", each="product"),
            "c": Node("formula", inputs={"values": {"x": Ref("$", "y")}}, title="C"),
            "d": Node("repeat", body=Graph({"e": Node("x")}, {"o": Ref("e", "o")})),
        }
    ),
    title="t",
    about="a",
    subgraphs={"s": Subgraph(Graph(), "t", {"i": Port("Image", True)}, {"p": Exposed("a", "b")})},
    expose={"p": Exposed("a", "width", "W", "g")},
    models=(ModelNeed("m", "blake3:00", "built-in"),),
    layout=Layout(
        {"a": Placement(0, 1.5, 100, True, "#ff0000")},
        (),
        (Note("hi", 1, 2),),
        (Way("a.b", "c.d", (Point(1, 2),), "n"),),
    ),
)


@pytest.fixture(scope="module")
def validator():
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def test_the_schema_is_plain_json_of_draft_2020_12():
    assert schema()["$schema"] == DRAFT
    assert json.loads(json.dumps(schema())) == schema()
    assert schema()["$defs"]["Node"]["description"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid_and_saved_as_it_stands(path, validator):
    text = path.read_text(encoding="utf-8")
    validator.validate(json.loads(text))
    assert dump(parse(text, path.name)) == text


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


def test_what_is_written_is_valid(validator):
    for workflow in (RICH, Workflow()):
        assert not list(validator.iter_errors(json.loads(dump(workflow))))


def spots(value, here=()):
    yield here
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from spots(inner, (*here, key))


@given(st.data())
def test_reader_and_schema_refuse_the_same(validator, data):
    raw = json.loads(dump(RICH))
    *way, last = data.draw(st.sampled_from([s for s in spots(raw) if s]))
    inner = raw
    for key in way:
        inner = inner[key]
    scrap = st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=3) | st.just(1.5)
    inner[last] = data.draw(scrap | st.sampled_from([[], {}, ["a.b"], {"a": 1}, "a.b", "a-b.c"]))
    valid = validator.is_valid(raw)
    try:
        parse(json.dumps(raw), "x")
    except FormatError:
        assert not valid
    else:
        assert valid
