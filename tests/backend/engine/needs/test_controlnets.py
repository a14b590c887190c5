"""ControlNets in the plan of memory: counted before a run, and streamed in turn with the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.engine.engine import Engine, make_store
from backend.engine.registry import scan_nodes
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.memory.course import Visit
from backend.memory.residency import Residency
from backend.models.store import Store
from backend.plan.memory import MemoryPlan, plan_memory
from backend.plan.needs import Need
from backend.plan.residency.model import Budget
from tests.backend.engine.conftest import flow
from tests.backend.models import tiny, tiny_controlnet

REGISTRY = scan_nodes()
GRAPH: dict[str, Any] = {
    "model": {"type": "load_model", "params": {"model": "model"}},
    "net": {"type": "load_controlnet", "params": {"controlnet": "net"}},
    "image": {"type": "solid_image", "params": {"width": 32, "height": 24}},
    "control": {"type": "apply_controlnet",
                "inputs": {"model": "model.model", "controlnet": "net.control_net",
                           "image": "image.image", "vae": "model.vae"}},
    "text": {"type": "encode_text", "version": 2, "params": {"text": "a red circle"},
             "inputs": {"text_encoder": "model.text_encoder"}},
    "empty": {"type": "empty_latent", "params": {"width": 32, "height": 24},
              "inputs": {"model": "model.model"}},
    "sample": {"type": "sample", "params": {"steps": 3, "seed": 1},
               "inputs": {"model": "control.model", "positive": "text.conditioning",
                          "negative": "text.conditioning", "latent": "empty.latent"}},
}  # fmt: skip


class Bench:
    """An engine with a store of its own budget, on a tiny Flux with a net for it."""

    def __init__(self, folder: Path, budget: int = 2**30) -> None:
        store = make_store("cpu", budget)
        assert isinstance(store, Store)
        self.store = store
        self.engine = Engine(
            REGISTRY, grants=Grants(folder, (folder,)), output=OutputFolder(folder / "out"),
            use_cache=False, store=store, threads=1,
        )  # fmt: skip

    def plan(self, nodes: dict[str, Any], budget: int = 2**40) -> MemoryPlan:
        both = Budget(budget, 2**40)
        return self.engine.memory_plan(flow(nodes), budget=both, device="cpu", only=["sample"])

    def needs(self, nodes: dict[str, Any]) -> dict[str, Need]:
        return {need.step: need for need in self.plan(nodes).needs.needs}

    def run(self, nodes: dict[str, Any]) -> np.ndarray:
        done = self.engine.run(flow(nodes), only=["sample"])
        assert done.status == "done", (done.failures, done.diagnostics)
        return done.values["sample"]["latent"].samples

    def close(self) -> None:
        self.engine.close()
        self.store.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("home")
    tiny.write(home / "model")
    tiny_controlnet.for_flux(home / "model", home / "net", num_layers=2)
    tiny_controlnet.for_flux(home / "model", home / "other", seed=3)
    return home


@pytest.fixture
def bench(folder: Path) -> Iterator[Bench]:
    made = Bench(folder)
    yield made
    made.close()


def with_two() -> dict[str, Any]:
    net = {"type": "load_controlnet", "params": {"controlnet": "other"}}
    more = {**GRAPH["control"], "inputs": {**GRAPH["control"]["inputs"],
            "model": "control.model", "controlnet": "net2.control_net"}}  # fmt: skip
    last = {**GRAPH["sample"]["inputs"], "model": "more.model"}
    sample = {**GRAPH["sample"], "inputs": last}
    return {**GRAPH, "net2": net, "more": more, "sample": sample}


def changed(step: str, **params: Any) -> dict[str, Any]:
    return {**GRAPH, step: {**GRAPH[step], "params": params}}


def test_the_net_is_counted_before_each_pass_of_the_model(bench: Bench, folder: Path) -> None:
    plan = bench.plan(GRAPH)
    needs = {need.step: need for need in plan.needs.needs}
    (used,) = needs["sample"].uses
    assert (used.component, used.passes, used.before) == (
        "model/transformer", 3, ("net/controlnet",),
    )  # fmt: skip
    net = plan.needs.components["net/controlnet"]
    file = folder / "net" / "diffusion_pytorch_model.safetensors"
    assert 0 < file.stat().st_size - net.stored < 20_000
    assert len(net.blocks) > 2
    assert needs["control"].uses[0].component == "model/vae"
    assert not needs["sample"].unknown


def test_residuals_are_part_of_what_a_step_computes_in(bench: Bench) -> None:
    plain = bench.needs({**GRAPH, "sample": {**GRAPH["sample"], "inputs": {
        **GRAPH["sample"]["inputs"], "model": "model.model"}}})["sample"].activation  # fmt: skip
    one, two = (bench.needs(each)["sample"].activation for each in (GRAPH, with_two()))
    tokens, terms, width = (32 // 4) * (24 // 4), 2, 32
    assert one - plain == 4 * 3 * width * tokens * terms
    assert two - one == 4 * 2 * width * tokens * terms


def test_no_strength_needs_nothing(bench: Bench) -> None:
    (used,) = bench.needs(changed("control", strength=0.0))["sample"].uses
    assert used.before == ()


def test_a_plan_goes_through_net_and_model_by_turns(bench: Bench) -> None:
    """With as little room as does, all of them come again for each pass."""
    needs = bench.plan(with_two()).needs
    sizes = {name: component.held for name, component in needs.components.items()}
    misfit = plan_memory(needs, Budget(1000, 2**40)).misfit
    assert misfit is not None
    made = plan_memory(needs, Budget(misfit.needs.device, 2**40))
    assert made.misfit is None
    moved = dict.fromkeys(sizes, 0)
    for stage in made.stages:
        for move in stage.moves:
            if move.kind in ("load", "stream"):
                moved[move.component] += move.nbytes
    for name in ("net/controlnet", "other/controlnet", "model/transformer"):
        assert moved[name] > 1.5 * sizes[name], name


def test_a_run_is_told_the_turns_and_makes_the_same_bits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = Bench(folder)
    whole, size = roomy.run(with_two()), roomy.store.nbytes
    roomy.close()
    expected: list[list[Visit]] = []
    expect = Residency.expect

    def told(self: Residency, step: Any, later: Any = ()) -> None:
        expected.append(list(step))
        expect(self, step, later)

    monkeypatch.setattr(Residency, "expect", told)
    tight = Bench(folder, int(size * 0.4))
    try:
        assert np.array_equal(tight.run(with_two()), whole)
        assert tight.store.residency.loaded > size
    finally:
        tight.close()
    parts = [visit.network.split()[0] for visit in expected[-1]]
    assert parts == ["controlnet", "controlnet", "flux"] * 3
