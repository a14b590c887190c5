"""Node types are there at once, and what a document makes of them is told from its own parts."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import msgspec

from app.specs.book import SpecBook
from app.specs.store import FILE, read_specs, spec_key
from backend.engine.checks.wire import read_specs as from_plain
from backend.graph.document import Exposed, Graph, Node, Port, Ref, Subgraph, Workflow
from backend.graph.spec import Socket
from tests.app.specs.conftest import ROOT


def test_the_types_of_the_last_start_are_there_at_the_next(tmp_path, specs):
    first = SpecBook.open(tmp_path / "cache", tmp_path)
    assert not first.known
    assert first.specs == {}
    first.take(specs, ("One file cannot be used.",))
    second = SpecBook.open(tmp_path / "cache", tmp_path)
    assert second.known
    assert second.specs == specs
    assert second.problems == ("One file cannot be used.",)


def test_opening_takes_a_few_milliseconds(tmp_path, specs):
    SpecBook.open(tmp_path, tmp_path).take(specs)
    best = 1.0
    for _ in range(5):
        begin = time.perf_counter()
        assert SpecBook.open(tmp_path, tmp_path).known
        best = min(best, time.perf_counter() - begin)
    print(f"open {1000 * best:.1f} ms")
    assert best < 0.03


def test_other_code_or_other_trust_is_another_key(tmp_path):
    home, data = tmp_path / "home", tmp_path / "data"
    (home / "nodes").mkdir(parents=True)
    data.mkdir()
    seen = {spec_key(data, home=home)}
    for path in (home / "nodes" / "a.py", data / "trusted-packs.json"):
        path.write_text("1")
        seen.add(spec_key(data, home=home))
        path.write_text("22")
        seen.add(spec_key(data, home=home))
    assert len(seen) == 5
    assert spec_key(data, home=home) in seen


def test_a_broken_file_is_no_file(tmp_path, specs):
    book = SpecBook.open(tmp_path, tmp_path)
    book.take(specs)
    whole = (tmp_path / FILE).read_bytes()
    for broken in (b"", whole[: len(whole) // 2], b"\x00" * 100, msgspec.msgpack.encode([1])):
        (tmp_path / FILE).write_bytes(broken)
        assert read_specs(tmp_path, spec_key(tmp_path)) is None
        assert not SpecBook.open(tmp_path, tmp_path).known


def test_specs_are_as_they_were_after_their_way(specs):
    there = msgspec.msgpack.decode(msgspec.msgpack.encode(dict(specs)))
    assert from_plain(there) == specs


def test_who_listens_hears_of_other_types_only(book, specs):
    heard = []
    book.changed.connect(lambda: heard.append(1))
    book.take(dict(specs))
    assert not heard
    fewer = {name: spec for name, spec in specs.items() if name != "blur"}
    book.take(fewer)
    assert len(heard) == 1
    assert book.spec_of(Workflow(), Node("blur")) is None


def test_a_use_of_a_subgraph_has_its_ports_outputs_and_exposed_parameters(book):
    inner = Graph(
        {
            "soft": Node("blur", params={"radius": 7.0}, inputs={"image": Ref("$", "picture")}),
            "pass": Node("show", inputs={"value": Ref("soft", "image")}),
        },
        {"out": Ref("soft", "image"), "seen": Ref("pass", "value"), "same": Ref("$", "picture")},
    )
    ports = {"picture": Port("Image"), "cover": Port("Mask", optional=True)}
    one = Subgraph(inner, "Soften", ports, params={"how_soft": Exposed("soft", "radius")})
    outer = Graph({"in": Node("subgraph:one")}, {"out": Ref("in", "out")})
    two = Subgraph(outer, params={"softness": Exposed("in", "how_soft")})
    workflow = Workflow(subgraphs={"one": one, "two": two})

    spec = book.spec_of(workflow, Node("subgraph:one"))
    assert spec.title == "Soften"
    assert spec.inputs == (Socket("picture", "Image"), Socket("cover", "Mask", optional=True))
    assert spec.outputs == (
        Socket("out", "Image"),
        Socket("seen", "*seen"),
        Socket("same", "Image"),
    )
    assert [(p.name, p.kind, p.default) for p in spec.params] == [("how_soft", "number", 7.0)]

    spec = book.spec_of(workflow, Node("subgraph:two"))
    assert spec.title == "two"
    assert spec.outputs == (Socket("out", "Image"),)
    assert [(p.name, p.default) for p in spec.params] == [("softness", 7.0)]
    assert book.spec_of(workflow, Node("subgraph:nix")) is None


def test_a_subgraph_that_contains_itself_has_a_spec_without_types(book):
    loop = Subgraph(
        Graph({"in": Node("subgraph:loop")}, {"out": Ref("in", "out")}),
        params={"p": Exposed("in", "p")},
    )
    spec = book.spec_of(Workflow(subgraphs={"loop": loop}), Node("subgraph:loop"))
    assert spec.outputs == (Socket("out", "*out"),)
    assert spec.params == ()


def test_a_zone_gives_what_its_body_gives(book):
    body = Graph(
        {"soft": Node("blur", inputs={"image": Ref("$", "image")}), "go": Node("boolean")},
        {
            "image": Ref("soft", "image"),
            "each": Ref("soft", "image"),
            "turn": Ref("$", "index"),
            "stop": Ref("go", "boolean"),
        },
    )
    zone = Node("repeat", inputs={"carry": {"image": Ref("paper", "image")}}, body=body)
    spec = book.spec_of(Workflow(), zone)
    assert spec.outputs == (
        Socket("image", "Image"),
        Socket("each", "Image", "list"),
        Socket("turn", "Integer", "list"),
    )
    assert spec.inputs == book.specs["repeat"].inputs


def test_what_is_derived_follows_the_document(book):
    def use(kind: str) -> Workflow:
        inner = Graph({"a": Node(kind)}, {"out": Ref("a", kind)})
        return Workflow(subgraphs={"s": Subgraph(inner)})

    one, other = use("number"), use("integer")
    for _ in range(3):
        assert book.spec_of(one, Node("subgraph:s")).outputs[0].type == "Number"
        assert book.spec_of(other, Node("subgraph:s")).outputs[0].type == "Integer"
    assert book.spec_of(one, Node("subgraph:s")) is book.spec_of(
        replace(one, title="x"), Node("subgraph:s")
    )


def test_the_window_imports_neither_nodes_nor_torch():
    script = (
        "import sys, app.specs.book, app.specs.checks, app.specs.models, app.specs.fixes;"
        "print([m for m in ('nodes', 'torch', 'transformers', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
