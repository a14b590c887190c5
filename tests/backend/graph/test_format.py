"""Workflow files: what is read is written back, byte for byte the same every time."""

from __future__ import annotations

import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.document import (
    Exposed,
    Frame,
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
from backend.graph.format import FormatError, dump, load, parse, save

EXAMPLE = """{
  "weft": 1,
  "title": "Größe",
  "nodes": {
    "load": {"type": "load_image", "version": 1, "params": {"file": "photo.png"}},
    "grid": {"type": "grid", "version": 1, "inputs": {"images": ["load.image", "loop.image"]}},
    "loop": {
      "type": "repeat",
      "version": 1,
      "params": {"times": 4},
      "inputs": {"carry": {"image": "load.image"}},
      "body": {
        "nodes": {"soften": {"type": "blur", "version": 2, "inputs": {"image": "$.image"}}},
        "outputs": {"image": "soften.image"}
      }
    },
    "later": {"type": "from_a_pack", "version": 7, "params": {"by": 1.50, "far": 1e400, "z": -0}}
  },
  "layout": {
    "nodes": {"load": {"x": 0, "y": 12.5}}
  },
  "unknown": {
    "first": [1.0, 2.50, []]
  }
}
"""

ids = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,10}", fullmatch=True)
outputs = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
text = st.text(max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
refs = st.builds(Ref, ids | st.just("$"), outputs)
inputs = refs | st.lists(refs, max_size=3).map(tuple) | st.dictionaries(text, refs, max_size=3)


def extras(kind):
    known = {*kind.__dataclass_fields__, *Graph.__dataclass_fields__, "weft"}
    return st.dictionaries(text.filter(lambda key: key not in known), anything, max_size=2)


def graphs(nodes):
    return st.builds(
        Graph, st.dictionaries(ids, nodes, max_size=3), st.dictionaries(ids, refs, max_size=2)
    )


nodes = st.recursive(
    st.builds(
        Node,
        type=text | st.just("subgraph:a"),
        version=st.integers(1, 99),
        params=st.dictionaries(text, anything, max_size=3),
        inputs=st.dictionaries(text, inputs, max_size=3),
        mode=st.sampled_from(["on", "mute", "bypass"]),
        each=st.sampled_from(["zip", "repeat", "product"]),
        title=text,
        extra=extras(Node),
    ),
    lambda inner: st.builds(Node, type=text, body=graphs(inner)),
    max_leaves=4,
)
exposed = st.dictionaries(text, st.builds(Exposed, text, text, text, text), max_size=2)
points = st.lists(st.builds(Point, finite, finite), max_size=2).map(tuple)
places = st.builds(
    Placement,
    finite,
    finite,
    st.none() | finite,
    locked=st.booleans(),
    pinned=st.booleans(),
)
layouts = st.builds(
    Layout,
    st.dictionaries(text, places, max_size=2),
    st.lists(st.builds(Frame, text, finite, finite, finite, finite), max_size=2).map(tuple),
    st.lists(st.builds(Note, text, finite, finite), max_size=2).map(tuple),
    st.lists(st.builds(Way, text, text, points, text), max_size=2).map(tuple),
    extras(Layout),
)
subgraphs = st.builds(
    Subgraph,
    graph=graphs(nodes),
    title=text,
    inputs=st.dictionaries(ids, st.builds(Port, text, st.booleans()), max_size=2),
    params=exposed,
    layout=layouts,
    extra=extras(Subgraph),
)
workflows = st.builds(
    Workflow,
    graph=graphs(nodes),
    title=text,
    about=text,
    subgraphs=st.dictionaries(ids, subgraphs, max_size=2),
    expose=exposed,
    models=st.lists(st.builds(ModelNeed, text, text, text), max_size=2).map(tuple),
    layout=layouts,
    extra=extras(Workflow),
)


def test_a_file_is_written_back_as_it_was():
    assert dump(parse(EXAMPLE, "example")) == EXAMPLE


@given(workflows)
def test_what_is_written_reads_as_the_same_document(workflow):
    written = dump(workflow)
    again = parse(written, "x")
    assert again == workflow
    assert list(again.graph.nodes) == list(workflow.graph.nodes)
    assert dump(again) == written


@given(st.dictionaries(text.filter(lambda t: t != "weft"), anything, max_size=4))
def test_unknown_fields_survive_in_every_place(extra):
    raw = {"weft": 1, "nodes": {"a": {"type": "unheard_of", "x" * 30: extra}}, "x" * 30: extra}
    written = json.loads(dump(parse(json.dumps(raw), "x")))
    assert written["x" * 30] == extra
    assert written["nodes"]["a"]["x" * 30] == extra


@given(st.text(alphabet=st.characters(codec=None), max_size=20))
def test_any_text_of_a_json_file_survives_lone_surrogates_too(title):
    read = parse(json.dumps({"weft": 1, "title": title}), "x")
    assert parse(dump(read).encode("utf-8"), "x").title == read.title


@pytest.mark.parametrize("number", ["1.50", "1e400", "-0", "-0.0", "1E5", "0.1", "7" * 5000])
def test_numbers_keep_their_spelling(number):
    text = f'{{"weft": 1, "later": [{number}]}}'
    assert f"[{number}]" in dump(parse(text, "x")).replace("\n", "").replace("  ", "")


def test_an_edit_of_one_parameter_changes_one_line():
    before = parse(EXAMPLE, "x")
    after = before.with_param("load", "file", "other.png")
    pairs = zip(dump(before).splitlines(), dump(after).splitlines(), strict=True)
    assert [old for old, new in pairs if old != new] == [
        '    "load": {"type": "load_image", "version": 1, "params": {"file": "photo.png"}},'
    ]


def test_save_and_load_a_file(tmp_path):
    path = tmp_path / "flow.weft.json"
    workflow = parse(EXAMPLE, "x")
    save(workflow, path)
    assert path.read_text(encoding="utf-8") == EXAMPLE
    assert load(path) == workflow
    assert os.listdir(tmp_path) == ["flow.weft.json"]


def test_save_keeps_permissions_and_follows_a_link(tmp_path):
    real = tmp_path / "real.weft.json"
    real.write_text("old")
    real.chmod(0o640)
    link = tmp_path / "link.weft.json"
    link.symlink_to(real)
    save(Workflow(title="new"), link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert load(real).title == "new"


def test_a_document_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "flow.weft.json"
    path.write_text("old")
    bad = Workflow(Graph({"a": Node("x", params={"p": float("nan")})}))
    with pytest.raises(FormatError) as error:
        save(bad, path)
    assert error.value.code == "W015"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["flow.weft.json"]


def test_a_write_that_fails_midway_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "flow.weft.json"
    path.write_text("old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FormatError, match="No space left") as error:
        save(Workflow(), path)
    assert error.value.code == "W014"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["flow.weft.json"]


def test_saving_into_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FormatError, match="cannot be saved"):
        save(Workflow(), tmp_path / "nowhere" / "flow.weft.json")


@pytest.mark.parametrize(
    ("workflow", "code"),
    [
        (Workflow(Graph({"a b": Node("x")})), "W012"),
        (Workflow(Graph({"a": Node("x", inputs={"i": Ref("b", "no dash-here")})})), "W013"),
        (Workflow(extra={"x": {1: 2}}), "W015"),
        (Workflow(extra={"x": object()}), "W015"),
        (Workflow(layout=Layout({"a": Placement(float("inf"), 0)})), "W015"),
    ],
)
def test_documents_that_could_not_be_read_again_are_not_written(workflow, code):
    with pytest.raises(FormatError) as error:
        dump(workflow)
    assert error.value.code == code


def test_a_document_nested_without_end_is_refused_when_written():
    inner = Graph()
    for _ in range(5000):
        inner = Graph({"z": Node("repeat", body=inner)})
    with pytest.raises(FormatError) as error:
        dump(Workflow(inner))
    assert error.value.code == "W006"
