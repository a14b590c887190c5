"""What makes a step run again, and what does not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backend.engine.cache import MemoryCache
from backend.engine.numerics import Numerics
from backend.engine.registry import NodeRegistry
from backend.values import digest

CHAIN = {
    "a": {"type": "number", "params": {"value": 8}},
    "b": {"type": "clip", "inputs": {"number": "a.number"}},
    "c": {"type": "add", "inputs": {"left": "b.number"}},
}


def edited(nodes, step, **params):
    return {**nodes, step: {**nodes[step], "params": {**nodes[step].get("params", {}), **params}}}


def test_nothing_changed_nothing_runs(bench):
    bench.run(CHAIN)
    result = bench.run(CHAIN)
    assert not bench.calls
    assert bench.cached == {"a", "b", "c"}
    assert result.values == {"c": {"number": 5.0}}


def test_an_edit_runs_what_hangs_on_it(bench):
    bench.run(CHAIN)
    bench.run(edited(CHAIN, "b", most=3))
    assert bench.ran == {"b", "c"}
    assert bench.cached == {"a"}


def test_an_equal_result_stops_the_wave(bench):
    bench.run(CHAIN)
    bench.run(edited(CHAIN, "a", value=9))
    assert bench.ran == {"a", "b"}
    assert bench.cached == {"c"}


def test_undoing_an_edit_costs_nothing(bench):
    bench.run(CHAIN)
    bench.run(edited(CHAIN, "b", most=3))
    bench.run(CHAIN)
    assert not bench.calls


def test_layout_titles_and_ids_are_no_part_of_the_identity(bench):
    bench.run(CHAIN)
    renamed = {
        "x": {**CHAIN["a"], "title": "first"},
        "y": {"type": "clip", "inputs": {"number": "x.number"}},
        "z": {"type": "add", "inputs": {"left": "y.number"}},
    }
    bench.run(renamed, more={"layout": {"nodes": {"x": {"x": 9, "y": 9}}}})
    assert not bench.calls


def test_two_equal_steps_are_computed_once(bench):
    nodes = {**CHAIN, "b2": CHAIN["b"], "d": {"type": "total", "inputs": {}}}
    nodes["d"]["inputs"] = {"numbers": ["c.number", "b2.number"]}
    assert bench.value(nodes, "d") == 10.0
    assert bench.calls["clip"] == 1


def test_the_digest_of_the_declaring_file_counts(bench):
    bench.run(CHAIN)
    for kind in bench.types:
        if kind.spec.type == "clip":
            kind.spec = replace(kind.spec, digest="blake3:other")
    other = bench.new_engine(cache=bench.engine.cache)
    bench.run(CHAIN, engine=other)
    assert bench.ran == {"b"}
    other.close()


def test_threads_count_for_device_nodes_only_and_are_what_torch_uses(bench):
    nodes = {
        "a": {"type": "torch_threads"},
        "b": {"type": "number"},
        "x": {"type": "total", "inputs": {"numbers": ["a.integer", "b.number"]}},
    }
    ran, used = [], []
    for threads in (1, 1, 2):
        engine = bench.new_engine(cache=bench.engine.cache, threads=threads)
        used.append(bench.value(nodes, "x", engine=engine))
        ran.append(bench.ran)
        engine.close()
    assert ran == [{"a", "b", "x"}, set(), {"a", "x"}]
    assert used == [1.0, 1.0, 2.0]


def test_numerics_are_told_without_torch():
    code = (
        "import sys; from backend.engine.numerics import Numerics;"
        "n = Numerics('cpu', 2); assert 'torch=' in n.heavy and 'torch=' not in n.light;"
        "assert 'threads=2' in n.heavy; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Numerics("cpu", 1).of("device") != Numerics("cpu", 2).of("device")


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(bench):
    file = bench.folder / "in.txt"
    file.write_text("one")
    nodes = {"r": {"type": "read", "params": {"path": "in.txt"}}}
    assert bench.value(nodes, "r") == "one"
    assert bench.value(nodes, "r") == "one"
    assert not bench.calls
    file.write_text("two")
    assert bench.value(nodes, "r") == "two"


def test_a_file_named_by_a_link_counts_too(bench):
    file = bench.folder / "in.txt"
    file.write_text("one")
    nodes = {
        "t": {"type": "text", "params": {"text": "in.txt"}},
        "r": {"type": "read", "inputs": {"path": "t.text"}},
    }
    assert bench.value(nodes, "r") == "one"
    assert bench.value(nodes, "r") == "one"
    assert not bench.calls
    file.write_text("two")
    assert bench.value(nodes, "r") == "two"


def test_the_same_bytes_under_another_name_are_the_same(bench):
    for name in ("one.txt", "two.txt"):
        (bench.folder / name).write_text("same")
    nodes = {"r": {"type": "read", "params": {"path": "one.txt"}}}
    follow = {"s": {"type": "write", "inputs": {"text": "r.text"}}}
    bench.run({**nodes, **follow})
    bench.run({**edited(nodes, "r", path="two.txt"), **follow})
    assert bench.cached == {"s"}


def test_a_file_that_is_not_granted_fails_with_a_sentence(bench):
    result = bench.run({"r": {"type": "read", "params": {"path": "../secret.txt"}}})
    assert result.status == "failed"
    assert "secret.txt" in result.failures["r"].sentence


def test_a_fingerprint_decides_whether_a_source_runs_again(bench):
    now = bench.folder / "time"
    nodes = {"c": {"type": "clock"}}
    now.write_text("1")
    bench.run(nodes)
    assert bench.value(nodes, "c") == "1"
    assert not bench.calls
    now.write_text("2")
    assert bench.value(nodes, "c") == "2"


def test_a_saved_file_that_was_deleted_or_changed_is_written_again(bench):
    nodes = {
        "t": {"type": "text", "params": {"text": "hello"}},
        "w": {"type": "write", "inputs": {"text": "t.text"}},
    }
    bench.run(nodes)
    out = bench.folder / "out" / "file.txt"
    assert json.loads(out.read_text())["text"] == "hello"
    result = bench.run(nodes)
    assert not bench.calls
    assert (result.saved, [saved.path for saved in result.kept]) == ((), ["file.txt"])
    out.unlink()
    bench.run(nodes)
    assert bench.ran == {"w"}
    assert out.exists()
    out.write_text("tampered")
    result = bench.run(nodes)
    assert bench.ran == {"w"}
    assert result.saved


def test_two_equal_saves_both_write(bench):
    nodes = {"w": {"type": "write"}, "v": {"type": "write"}}
    result = bench.run(nodes)
    assert len({saved.path for saved in result.saved}) == 2


def test_the_name_of_a_file_follows_the_parameters_in_its_template(bench):
    nodes = {
        "n": {"type": "number", "params": {"value": 1}},
        "w": {"type": "write", "params": {"name": "at-{n.value}"}},
    }
    (saved,) = bench.run(nodes).saved
    assert saved.path.startswith("at-1")
    bench.run(nodes)
    assert not bench.calls
    (saved,) = bench.run(edited(nodes, "n", value=2)).saved
    assert saved.path.startswith("at-2")


def test_without_a_cache_everything_runs_and_gives_the_same(new_bench):
    bench = new_bench(use_cache=False)
    for _ in range(2):
        assert bench.run(CHAIN).values == {"c": {"number": 5.0}}
        assert bench.ran == {"a", "b", "c"}
    assert len(bench.engine.cache) == 0


def test_a_result_that_was_let_go_of_is_not_needed_for_one_behind_it(new_bench):
    bench = new_bench(cache=MemoryCache(30_000))
    nodes = {
        "p": {"type": "paint", "params": {"size": 60}},  # 43 200 bytes: more than the budget
        "q": {"type": "look", "inputs": {"image": "p.image"}},
        "n": {"type": "number"},
    }
    bench.run(nodes)
    bench.run(nodes)
    assert not bench.calls
    other = {**nodes, "q2": {"type": "look", "inputs": {"image": "p.image"}}}
    bench.run(other)
    assert bench.calls == {"paint": 1, "look": 1}


def test_another_process_gives_the_same_bits():
    code = """
import json, sys, tempfile
from pathlib import Path
from tests.backend.engine.conftest import Bench
from backend.values import digest
bench = Bench(Path(tempfile.mkdtemp()))
nodes = {"p": {"type": "paint", "params": {"color": "#123456", "size": 9}}}
first = bench.value(nodes, "p")
again = bench.value(nodes, "p")
(unit,) = bench.engine._compiler._last.units
print(json.dumps([digest(first), digest(again), unit.static, unit.memo[1]]))
"""
    root = Path(__file__).parents[3]
    said = [
        json.loads(subprocess.run([sys.executable, "-c", code], check=True, cwd=root,
                                  capture_output=True, text=True).stdout)
        for _ in range(2)
    ]  # fmt: skip
    assert said[0] == said[1]
    assert said[0][0] == said[0][1]
    assert digest(1.0) not in said[0]


@pytest.mark.parametrize("cached", [True, False])
def test_cached_or_not_the_bits_are_the_same(new_bench, cached):
    bench = new_bench(use_cache=cached)
    nodes = {"p": {"type": "paint", "params": {"color": "#123456"}}}
    assert digest(bench.value(nodes, "p")) == digest(bench.value(nodes, "p"))


def test_registry_of_other_code_is_another_node(bench):
    specs = NodeRegistry(bench.types).specs
    assert specs["choose"].hooks == ("needs",)
    assert specs["clock"].hooks == ("fingerprint",)
