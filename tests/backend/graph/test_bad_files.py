"""Files that are no workflow: one sentence each, with what and where, and never another error."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph import caps
from backend.graph.check import check
from backend.graph.format import FormatError, load, parse

GOOD = json.dumps(
    {
        "weft": 1,
        "nodes": {
            "s": {"type": "source", "params": {"width": 8}},
            "loop": {
                "type": "repeat",
                "inputs": {"carry": {"image": "s.image"}},
                "body": {
                    "nodes": {"b": {"type": "soften", "inputs": {"image": "$.image"}}},
                    "outputs": {"image": "b.image"},
                },
            },
            "use": {"type": "subgraph:sub", "inputs": {"image": "loop.image"}},
            "join": {"type": "join", "inputs": {"images": ["s.image", "use.image"]}},
            "keep": {"type": "keep", "inputs": {"image": "join.image"}},
        },
        "subgraphs": {
            "sub": {
                "inputs": {"image": {"type": "Image"}},
                "nodes": {"b": {"type": "soften", "inputs": {"image": "$.image"}}},
                "outputs": {"image": "b.image"},
            }
        },
    }
)


@pytest.mark.parametrize(
    ("text", "code", "place", "said"),
    [
        ("", "W005", "f:1:1", "expecting value"),
        ('{"weft": 1,\n  "nodes": {,}}', "W005", "f:2:13", "expecting property name"),
        ("[1, 2]", "W009", "f", "a list"),
        ("null", "W009", "f", "null"),
        ('{"nodes": {}}', "W009", "f", "no Weft workflow"),
        ('{"weft": "1"}', "W009", "f: weft", "1 to 1"),
        ('{"weft": true}', "W009", "f: weft", "true"),
        ('{"weft": 2}', "W010", "f: weft", "newer Weft"),
        ('{"weft": 1, "a": [NaN]}', "W008", "f:1:19", "NaN"),
        ('{"weft": 1, "a": "NaN", "b": -Infinity}', "W008", "f:1:30", "-Infinity"),
        (
            '{"weft": 1, "nodes": {"a": {"type": "x"},\n "a": {"type": "y"}}}',
            "W007",
            "f:2:2",
            '"a"',
        ),
        ('{"weft": 1, "\\u0061": 1, "a": 2}', "W007", "f:1:26", '"a"'),
        ("[" * 100_000, "W006", "f:1:101", "100 levels"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "W006", "f:1:501", "100 levels"),
        ('{"weft": 1, "nodes": []}', "W011", "f: nodes", "expected an object, found a list"),
        ('{"weft": 1, "nodes": {"a": {}}}', "W011", "f: nodes.a", '"type" is missing'),
        ('{"weft": 1, "nodes": {"a": {"type": 3}}}', "W011", "f: nodes.a.type", "text, found 3"),
        (
            '{"weft": 1, "nodes": {"a": {"type": "x", "mode": "off"}}}',
            "W011",
            "f: nodes.a.mode",
            "'mute'",
        ),
        (
            '{"weft": 1, "layout": {"notes": [{"text": "", "x": 1e400, "y": 0}]}}',
            "W011",
            "f: layout.notes.0.x",
            "finite",
        ),
        ('{"weft": 1, "nodes": {"9": {"type": "x"}}}', "W012", "f: nodes", "cannot be an id"),
        (
            '{"weft": 1, "nodes": {"a": {"type": "x", "inputs": {"i": ["b.c", "b"]}}}}',
            "W013",
            "f: nodes.a.inputs.i.1",
            "node.output",
        ),
        (b'{"weft": 1,\n "title": "\xff"}', "W003", "f:2:12", "0xff"),
        ("{}".encode("utf-16"), "W003", "f:1:1", "UTF-8"),
        (b'\xef\xbb\xbf{"weft": 1}', "W004", "f:1:1", "byte order mark"),
    ],
)
def test_a_bad_text_is_said_with_its_place(text, code, place, said):
    with pytest.raises(FormatError) as error:
        parse(text, "f")
    assert (error.value.code, error.value.place) == (code, place)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith((".", "?"))


def test_a_file_of_a_gigabyte_is_refused_unread(tmp_path):
    path = tmp_path / "huge.weft.json"
    with path.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(FormatError, match="1024 MB") as error:
        load(path)
    assert error.value.code == "W002"


def test_too_many_values_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr("backend.graph.jsontext.MAX_VALUES", 1000)
    with pytest.raises(FormatError, match="1000 values") as error:
        parse("[" + "[]," * 600 + "1]", "f")
    assert error.value.code == "W002"
    assert caps.MAX_VALUES * 100 < 2**30


def test_a_string_of_escapes_without_an_end_is_read_in_linear_time():
    brackets = "[" * 99 + "{"
    with pytest.raises(FormatError):
        parse(brackets + '"' + '\\"' * 5_000_000, "f")


def test_files_that_cannot_be_opened_are_said(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path / "missing.weft.json", tmp_path, pipe, "nul\0"):
        with pytest.raises(FormatError) as error:
            load(path)
        assert error.value.code == "W001"
        assert str(tmp_path) not in str(error.value)


@given(st.data())
def test_damaged_text_gives_a_sentence_or_a_document(data):
    place = data.draw(st.integers(0, len(GOOD)))
    cut = data.draw(st.integers(0, 6))
    middle = data.draw(
        st.text(max_size=4) | st.sampled_from(["{", "[", '"', ",", "NaN", "9" * 400])
    )
    try:
        parse(GOOD[:place] + middle + GOOD[place + cut :], "f")
    except FormatError as error:
        check_sentence(error)


@given(st.binary(max_size=60))
def test_any_bytes_give_a_sentence_or_a_document(data):
    try:
        parse(data, "f")
    except FormatError as error:
        check_sentence(error)


def check_sentence(error):
    assert error.sentence.endswith((".", "?"))


def paths(value, here=()):
    yield here
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*here, key))


LINKS = ["s.image", "$.image", "use.image", "loop.image", "keep.image", "b.image"]
WORDS = ["mute", "bypass", "subgraph:sub", "repeat", "for_each", "split", "product"]
scraps = st.sampled_from([*LINKS, *WORDS]) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(data=st.data())
def test_damaged_documents_give_diagnostics_and_never_an_exception(data, registry):
    raw = json.loads(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from([p for p in paths(raw) if p]))
        inner = raw
        for key in path[:-1]:
            inner = inner[key]
        if data.draw(st.booleans()):
            inner[path[-1]] = data.draw(scraps)
        elif isinstance(inner, dict):
            inner[data.draw(st.sampled_from(["mode", "each", "inputs", "x", "b"]))] = data.draw(
                scraps
            )
        else:
            inner.append(data.draw(scraps))
    try:
        workflow = parse(json.dumps(raw), "f")
    except FormatError as error:
        check_sentence(error)
        return
    found = check(workflow, registry)
    assert (found.flat is None) == any(d.level == "error" for d in found.diagnostics)
