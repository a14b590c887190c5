"""Runs under a budget of memory: the same bits, each network read once for all that need it, and
what was learnt for the next plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.engine.engine import Engine, RunResult, make_store
from backend.engine.events import Note
from backend.engine.registry import NodeRegistry, scan_nodes
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.memory.sheet import sheet_of
from backend.models.store import Store
from backend.plan.measured import Measured
from tests.backend.engine.conftest import flow
from tests.benchmarks.cancel_sites import primer, sample

MIB = 2**20
DECODE = {
    "type": "vae_decode",
    "inputs": {"vae": "model.vae", "latent": "sample.latent"},
}
PICTURE = {**primer(64, sample=sample(4, 1)), "decode": DECODE}


class Bench:
    """An engine with a store of its own budget."""

    def __init__(self, folder: Path, budget: int, measured: Measured | None = None) -> None:
        store = make_store("cpu", budget)
        assert isinstance(store, Store)
        self.store, self.folder, self.measured = store, folder, measured
        self.engine = self.new_engine(scan_nodes())

    def new_engine(self, registry: NodeRegistry) -> Engine:
        return Engine(
            registry,
            grants=Grants(self.folder),
            output=OutputFolder(self.folder),
            use_cache=False,
            store=self.store,
            measured=self.measured,
            threads=1,
        )

    def run(self, nodes: dict[str, Any], only: str = "decode") -> RunResult:
        result = self.engine.run(flow(nodes), only=[only])
        assert result.status == "done", (result.failures, result.diagnostics)
        return result

    def close(self) -> None:
        self.engine.close()
        self.store.close()


def network_bytes(bench: Bench) -> list[int]:
    """What the weights of each network take that was used."""
    sheets = [sheet_of(value) for value in bench.store.values()]
    return [sheet.nbytes() for sheet in sheets if sheet is not None]


def pixels(result: RunResult) -> Any:
    return result.values["decode"]["image"].pixels


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The picture with room for all."""
    bench = Bench(tmp_path_factory.mktemp("whole"), 2**30)
    made = pixels(bench.run(PICTURE))
    bench.close()
    return made


@pytest.mark.parametrize("room", [4, 6, 9, 14, 30])
def test_a_model_larger_than_its_memory_makes_the_same_picture(
    tmp_path: Path, whole: Any, room: int
) -> None:
    bench = Bench(tmp_path, room * MIB)
    made = pixels(bench.run(PICTURE))
    peak = bench.store.residency.peak
    bench.close()
    assert np.array_equal(made, whole)
    assert peak <= room * MIB


def test_many_prompts_read_each_network_once(tmp_path: Path) -> None:
    """Ten MiB hold the transformer or the encoders, not both."""
    bench = Bench(tmp_path, 10 * MIB)
    texts = {f"text{n}": {**PICTURE["text"], "params": {"text": f"a {n}"}} for n in range(6)}
    samples = {
        f"sample{n}": {
            **PICTURE["sample"],
            "inputs": {**PICTURE["sample"]["inputs"], "positive": f"text{n}.conditioning"},
        }
        for n in range(6)
    }
    nodes = {k: v for k, v in PICTURE.items() if k not in ("text", "sample", "decode")}
    bench.engine.run(flow({**nodes, **texts, **samples}), only=list(samples))
    read, sizes = bench.store.residency.loaded, network_bytes(bench)
    bench.close()
    assert sum(sizes) > 10 * MIB
    assert read == pytest.approx(sum(sizes), abs=1024)  # and a few buffers


def test_turns_of_a_zone_read_each_network_once(tmp_path: Path) -> None:
    inner = {
        "text": {
            **PICTURE["text"],
            "inputs": {"text_encoder": "model.text_encoder", "text": "$.prompt"},
        },
        "sample": {**PICTURE["sample"], "version": 1},
        "decode": {**DECODE, "version": 2},
    }
    each = {
        "type": "for_each",
        "inputs": {"items": {"prompt": "prompts.texts"}},
        "body": {"nodes": inner, "outputs": {"image": "decode.image"}},
    }
    lines = "\n".join(f"a circle {n}" for n in range(12))
    nodes = {k: v for k, v in PICTURE.items() if k in ("model", "empty")}
    nodes["words"] = {"type": "text", "params": {"value": lines}}
    prompts = {"type": "split_text", "params": {"by": "lines"}, "inputs": {"text": "words.text"}}
    bench = Bench(tmp_path, 10 * MIB)
    result = bench.run({**nodes, "prompts": prompts, "each": each}, only="each")
    read, sizes = bench.store.residency.loaded, network_bytes(bench)
    bench.close()
    assert len(result.values["each"]["image"]) == 12
    assert sum(sizes) > 16 * MIB
    assert read <= 1.2 * sum(sizes)  # the first blocks of the next round may be there already


def test_what_steps_took_is_learnt_from_the_second_time_on(tmp_path: Path) -> None:
    measured = Measured(tmp_path / "measured.sqlite")
    bench = Bench(tmp_path, 2**30, measured)
    bench.run(PICTURE)
    assert not bench.engine.memory_plan(flow(PICTURE), only=["decode"]).measured
    assert measured.speed("disk") > 0
    bench.run(PICTURE)
    assert bench.engine.memory_plan(flow(PICTURE), only=["decode"]).measured
    bench.close()


def test_a_node_that_says_nonsense_of_its_memory_runs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nonsense(p: Any, **facts: Any) -> Any:
        raise ZeroDivisionError

    registry = scan_nodes()
    monkeypatch.setitem(registry.type("vae_decode").hooks, "peak", nonsense)
    bench = Bench(tmp_path, 2**30)
    bench.engine = bench.new_engine(registry)
    assert bench.run(PICTURE).status == "done"
    bench.close()


def test_a_step_that_computes_in_more_than_its_budget_says_so(tmp_path: Path) -> None:
    said: list[Any] = []
    bench = Bench(tmp_path, 6 * MIB)
    large = {**primer(128, sample=sample(1, 1)), "decode": DECODE}
    result = bench.engine.run(flow(large), only=["decode"], on_event=said.append)
    bench.close()
    assert result.status == "done"
    notes = [event for event in said if isinstance(event, Note)]
    assert [note.step for note in notes] == ["decode"]
    assert "more than the memory budget leaves" in notes[0].text
