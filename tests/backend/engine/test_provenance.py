"""What a saved file tells: the whole way it was made, and nothing of this machine."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

from backend.graph.format import parse


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
    for private in (str(bench.folder), str(elsewhere.parent), str(Path.home()) + "/"):
        assert private not in everything
    assert told["files"]["b.path"].startswith("blake3:")
    if len(getpass.getuser()) > 5:
        assert getpass.getuser() not in everything


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
