"""Engines over one folder, one after the other: what the first computed the second does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from backend.engine.cache import MemoryCache
from backend.engine.disk import DiskCache, LayeredCache, make_cache
from backend.engine.events import KeptFile, Note, RunFinished
from tests.backend.engine.conftest import Bench, bench, new_bench

__all__ = ["bench", "new_bench"]

CHAIN = {
    "a": {"type": "paint", "version": 1},
    "b": {"type": "copy", "version": 1, "inputs": {"image": "a.image"}},
    "c": {"type": "look", "version": 1, "inputs": {"image": "b.image"}},
}
FILE = {
    "n": {"type": "number", "version": 1, "params": {"value": 2.0}},
    "t": {"type": "named", "version": 1, "inputs": {"values": {"x": "n.number"}}},
    "w": {"type": "write", "version": 1, "inputs": {"text": "t.text"}},
}


@pytest.fixture
def restart(bench: Bench, root) -> Iterator[Callable[..., None]]:
    """Gives the bench an engine and a cache of its own, as a new process has them."""
    made = []

    def anew(costly: float = 0.0, build: str = "") -> None:
        for engine in made[-1:]:
            engine.close()
            engine.cache.close()
        layers = LayeredCache(MemoryCache(10**8), DiskCache(root, 10**9, costly, build))
        bench.engine = bench.new_engine(cache=layers)
        made.append(bench.engine)

    yield anew
    for engine in made[-1:]:
        engine.close()
        engine.cache.close()


def test_after_a_restart_nothing_costly_runs_again(bench, restart):
    restart()
    first = bench.run(CHAIN, only=("b",))
    restart()
    again = bench.run(CHAIN, only=("b",))
    assert not bench.ran
    assert bench.calls == {}
    assert (again.values["b"]["image"].pixels == first.values["b"]["image"].pixels).all()


def test_a_run_that_is_done_is_on_disk(bench, restart, root):
    restart()
    seen = []

    def listen(event):
        if isinstance(event, RunFinished):
            other = DiskCache(root, 10**9, 0.0)
            seen.append(other.info().entries)
            other.close()

    bench.run(CHAIN, on_event=listen)
    assert seen == [3]


def test_cheap_steps_lead_to_what_was_saved_without_running(bench, restart):
    """None of them took half a second; their digests lead to the step that wrote a file."""
    restart(costly=0.5)
    (saved,) = bench.run(FILE).saved
    restart(costly=0.5)
    again = bench.run(FILE)
    assert (bench.calls, again.saved, again.kept) == ({}, (), (saved,))
    assert [e.path for e in bench.events if isinstance(e, KeptFile)] == [saved.path]
    (bench.folder / "out" / saved.path).unlink()
    restart(costly=0.5)
    assert [again.path for again in bench.run(FILE).saved] == [saved.path]
    assert bench.calls == {"number": 1, "named": 1, "write": 1}


def test_a_file_that_is_gone_is_looked_for_once_and_written_once(bench, restart):
    restart()
    (saved,) = bench.run(FILE).saved
    (bench.folder / "out" / saved.path).write_text("changed")
    restart()
    assert len(bench.run(FILE).saved) == 1
    assert bench.calls == {"write": 1}
    restart()
    bench.run(FILE)
    assert bench.calls == {}


def test_the_plan_of_a_new_process_knows(bench, restart):
    from tests.backend.engine.conftest import flow

    restart()
    assert bench.engine.plan(flow(CHAIN)).run == 3
    bench.run(CHAIN)
    restart()
    assert bench.engine.plan(flow(CHAIN)).cached == 3


def test_lazy_branches_are_decided_as_before(bench, restart):
    nodes = {
        "x": {"type": "noise", "version": 1, "params": {"seed": 1}},
        "y": {"type": "noise", "version": 1, "params": {"seed": 2}},
        "pick": {
            "type": "choose",
            "version": 1,
            "inputs": {"yes": "x.number", "no": "y.number"},
        },
    }
    restart()
    assert bench.value(nodes, "pick") == 1.0
    restart()
    assert bench.value(nodes, "pick") == 1.0
    assert bench.calls == {}
    assert bench.cached == {"x", "pick"}


def test_a_run_without_the_cache_neither_reads_nor_writes(bench, root):
    cache = make_cache(root.parent, 10**8, 10**9, 0.0)
    engine = bench.new_engine(cache=cache, use_cache=False)
    for _ in range(2):
        bench.run(CHAIN, engine)
        assert bench.calls == {"paint": 1, "look": 1}
    assert not root.exists()
    engine.close()
    cache.close()


def test_without_a_budget_there_is_no_folder(root):
    cache = make_cache(root, 10**8, 0, 0.0)
    assert isinstance(cache, MemoryCache)


def test_trouble_is_told_once_as_a_note_and_the_run_goes_on(bench, restart, root):
    root.parent.mkdir()
    root.write_text("in the way")
    restart()
    assert bench.run(CHAIN).status == "done"
    (said,) = [e for e in bench.events if isinstance(e, Note)]
    assert said.step == ""
    assert "The run goes on without." in said.text
    assert isinstance(bench.events[-1], RunFinished)
    nodes = CHAIN | {"a": {"type": "paint", "version": 1, "params": {"size": 5}}}
    assert bench.run(nodes).status == "done"
    assert not [e for e in bench.events if isinstance(e, Note)]


def test_the_folder_goes_while_an_engine_runs(bench, restart, root):
    restart()
    bench.run(CHAIN)
    shutil.rmtree(root.parent)
    bench.engine.cache.memory.clear()
    assert bench.run(CHAIN).status == "done"
    assert bench.calls == {"paint": 1, "look": 1}
    restart()
    bench.run(CHAIN)
    assert bench.calls == {}
