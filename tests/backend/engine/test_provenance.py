"""What a saved file tells: the whole way it was made, and nothing of this machine."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest

from backend.catalog.index import Entry, Index
from backend.catalog.shelf import content_hash
from backend.catalog.walk import stamp_of
from backend.engine.engine import Engine
from backend.engine.registry import NodeRegistry
from backend.graph.format import parse
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder


def saved(bench, number=0):
    path = sorted((bench.folder / "out").glob("*.txt"))[number]
    return json.loads(path.read_text())["provenance"]


def test_a_file_brings_back_the_workflow_that_made_it(bench):
    nodes = {
        "s": {"type": "noise", "params": {"seed": "random"}},
        "t": {"type": "text", "inputs": {"text": "s.number"}},
        "w": {"type": "write", "inputs": {"text": "t.text"}},
    }
    result = bench.run(nodes)
    told = saved(bench)
    drawn = result.seeds["s.seed"]
    assert told["node"] == "w"
    assert told["seeds"] == {"s.seed": drawn, "seed": drawn}
    assert told["versions"]["weft"][0].isdecimal()
    assert told["seconds"] >= 0
    assert told["numerics"]["python"]
    again = parse(told["workflow"], "provenance")
    assert again.graph.nodes["s"].params["seed"] == drawn
    repeated = bench.engine.run(again, only=["t"])
    assert repeated.values["t"] == {"text": str(drawn)}


def test_no_absolute_path_user_or_machine_is_told(bench, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("private") / "mine.txt"
    elsewhere.write_text("secret place")
    inside = bench.folder / "sub" / "in.txt"
    inside.parent.mkdir()
    inside.write_text("here")
    home = Path.home() / "pictures"
    nodes = {
        "a": {"type": "read", "params": {"path": str(inside)}},
        "b": {"type": "read", "params": {"path": str(elsewhere)}},
        "link": {"type": "text", "params": {"text": str(elsewhere)}},
        "c": {"type": "read", "inputs": {"path": "link.text"}},
        "prose": {"type": "text", "params": {"text": f"look at {home} once"}},
        "home": {"type": "text", "params": {"text": f"in {Path.home()}, of course"}},
        "w": {"type": "write", "inputs": {"text": "a.text"}},
    }
    engine = bench.new_engine(
        grants=type(bench.engine._facilities.grants)(bench.folder, (bench.folder, elsewhere.parent))
    )
    result = bench.run(nodes, engine=engine)
    engine.close()
    assert result.status == "done"
    told = saved(bench)
    document = parse(told["workflow"], "provenance").graph.nodes
    assert document["a"].params["path"] == "sub/in.txt"
    assert document["b"].params["path"] == "mine.txt"
    assert document["link"].params["text"] == "mine.txt"
    everything = json.dumps(told)
    for private in (str(bench.folder), str(elsewhere.parent), f"{Path.home()}/", f"{Path.home()},"):
        assert private not in everything
    assert told["files"]["b.path"].startswith("blake3:")
    if len(getpass.getuser()) > 5:
        assert getpass.getuser() not in everything


@pytest.mark.parametrize("home", ["/home/josé", '/home/a "b" c', "C:\\Users\\anna", "/h"])
def test_the_home_folder_is_told_as_a_tilde_however_it_is_called(bench, monkeypatch, home):
    monkeypatch.setattr(Path, "home", lambda: home)
    text = {"type": "text", "params": {"text": f"{home} {home}/x {home}2"}}
    bench.run({"a": text, "w": {"type": "write", "inputs": {"text": "a.text"}}})
    document = parse(saved(bench)["workflow"], "provenance").graph.nodes
    assert document["a"].params["text"] == f"~ ~/x {home}2"


def test_a_user_without_a_home_folder_may_save(bench, monkeypatch):
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)
    text = {"type": "text", "params": {"text": "here"}}
    result = bench.run({"a": text, "w": {"type": "write", "inputs": {"text": "a.text"}}})
    assert result.status == "done"


def test_names_of_files_use_node_seed_and_parameters(bench):
    nodes = {
        "s": {"type": "noise", "params": {"seed": 12}},
        "t": {"type": "text", "inputs": {"text": "s.number"}},
        "w": {
            "type": "write",
            "inputs": {"text": "t.text"},
            "params": {"name": "{node}-{seed}-{s.seed}"},
        },
    }
    (file,) = bench.run(nodes).saved
    assert file.path == "w-12-12.txt"


def test_a_file_of_a_turn_or_item_says_which(bench):
    nodes = {
        "row": {"type": "row", "params": {"count": 2}},
        "each": {
            "type": "for_each",
            "inputs": {"items": {"seed": "row.integers"}},
            "body": {
                "nodes": {
                    "s": {"type": "noise", "inputs": {"seed": "$.seed"}},
                    "t": {"type": "text", "inputs": {"text": "s.number"}},
                    "w": {
                        "type": "write",
                        "inputs": {"text": "t.text"},
                        "params": {"name": "seed-{seed}"},
                    },
                },
                "outputs": {},
            },
        },
    }
    result = bench.run(nodes)
    assert [file.path for file in result.saved] == ["seed-0.txt", "seed-1.txt"]
    assert saved(bench, 1)["turns"] == [2]


def test_each_file_of_a_call_says_which_it_is(bench):
    nodes = {"w": {"type": "write", "params": {"text": "a"}}}
    bench.run(nodes)
    assert saved(bench)["save"] == 1


def test_node_types_are_told_with_their_version_wherever_they_stand(bench):
    inner = {"t": {"type": "text", "params": {"text": "x"}}}
    nodes = {
        "row": {"type": "row", "params": {"count": 1}},
        "each": {
            "type": "for_each",
            "inputs": {"items": {"n": "row.integers"}},
            "body": {"nodes": inner, "outputs": {"made": "t.text"}},
        },
        "w": {"type": "write", "inputs": {"text": "each.made"}},
    }
    assert bench.run(nodes).status == "done"
    told = saved(bench)["nodes"]
    assert sorted(told) == ["for_each", "row", "text", "write"]
    assert told["write"] == {"version": 1, "digest": ""}  # declared in no file of nodes


def test_files_inside_zones_are_told_too(bench):
    (bench.folder / "in.txt").write_text("here")
    nodes = {
        "row": {"type": "row", "params": {"count": 1}},
        "each": {
            "type": "for_each",
            "inputs": {"items": {"n": "row.integers"}},
            "body": {
                "nodes": {"r": {"type": "read", "params": {"path": "in.txt"}}},
                "outputs": {"made": "r.text"},
            },
        },
        "w": {"type": "write", "inputs": {"text": "each.made"}},
    }
    bench.run(nodes)
    assert saved(bench)["files"]["each/r.path"].startswith("blake3:")


def test_without_embedding_a_file_tells_nothing_and_is_written_anew(new_bench):
    open_bench = new_bench()
    nodes = {"w": {"type": "write", "params": {"text": "a", "name": "x"}}}
    open_bench.run(nodes)
    closed = open_bench.new_engine(embed=False, cache=open_bench.engine.cache)
    assert len(open_bench.run(nodes, engine=closed).saved) == 1
    closed.close()
    bare, told = saved(open_bench, 0), saved(open_bench, 1)  # x-2.txt, x.txt
    assert (bare, told["node"]) == ({}, "w")


def test_models_are_told_also_where_nothing_is_remembered(bench):
    from backend.engine.registry import scan_nodes

    kinds = scan_nodes()
    types = [*bench.types, *(kinds.type(n) for n in ("load_vae", "save_text"))]
    engine = Engine(
        NodeRegistry(types),
        grants=Grants(bench.folder, (bench.folder,)),
        output=OutputFolder(bench.folder / "out"),
        use_cache=False,
    )
    nodes = {"v": {"type": "load_vae"}, "w": {"type": "write", "params": {"text": "a"}}}
    bench.run(nodes, engine=engine)
    engine.close()
    (model,) = saved(bench)["models"]
    assert model["name"] == "primer"
    assert model["hash"].startswith("blake3:")


def test_a_large_model_is_told_by_its_full_hash_once_it_is_known(tmp_path):
    model = tmp_path / "models" / "big.safetensors"
    model.parent.mkdir()
    model.write_bytes(b"weights")
    place = tmp_path / "index.sqlite"
    stamp = stamp_of(model.parent, [model.name])
    with Index(place) as index, index.changes():
        index.put([Entry(model, model.parent, "big", stamp, 7, (model.name,), "fast:1")])
    assert content_hash(model, place) == ""
    with Index(place) as index:
        index.keep_hash(index.get(model), content="blake3:" + "a" * 64)
    assert content_hash(model, place) == "blake3:" + "a" * 64
    model.write_bytes(b"other weights")
    assert content_hash(model, place) == ""
