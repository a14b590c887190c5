"""Models of several experts, from one folder or joined of several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.catalog.folder import read_folder
from backend.diffusion.around import Around, Moment
from backend.diffusion.experts import ExpertSwitch
from backend.diffusion.sample import sample
from backend.memory.sheet import sheet_of
from backend.models.experts import assemble, experts_of
from backend.models.family import References, families, recognise, references
from backend.models.patch import Stage
from backend.models.store import Store
from backend.values import (
    Conditioning,
    Expert,
    Guider,
    Latent,
    Model,
    Noise,
    Patch,
    Schedule,
    Solver,
    Term,
    digest,
    pack,
    unpack,
)
from tests.backend.models import tiny, tiny_wan


def refs_of(path: Path) -> References:
    folder = read_folder(path)
    return references(folder, recognise(folder, families()))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return refs_of(tiny_wan.write(tmp_path_factory.mktemp("pair"), boundary=0.8)).model


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return refs_of(tiny_wan.write(tmp_path_factory.mktemp("single"))).model


def joined(high: Model, low: Model, below: float) -> Model:
    return replace(high, experts=(Expert(high, math.inf), Expert(low, below)))


def named(model: Model) -> list[tuple[str, str, float]]:
    return [(e.model.identity[-4:], e.model.part, e.below) for e in experts_of(model)]


def test_a_folder_with_two_transformers_is_two_experts(pair: Model, single: Model) -> None:
    end = pair.identity[-4:]
    assert named(pair) == [(end, "transformer", math.inf), (end, "transformer_2", 0.8)]
    assert named(single) == [(single.identity[-4:], "transformer", math.inf)]


def test_joined_experts_keep_their_own_in_their_range(pair: Model, single: Model) -> None:
    two, one = pair.identity[-4:], single.identity[-4:]
    high, low = (two, "transformer", math.inf), (two, "transformer_2", 0.8)
    assert named(joined(pair, single, 0.3)) == [high, low, (one, "transformer", 0.3)]
    assert named(joined(pair, single, 0.9)) == [high, (one, "transformer", 0.9)]
    first = (one, "transformer", math.inf)
    assert named(joined(single, pair, 0.3)) == [first, (two, "transformer_2", 0.3)]
    assert named(joined(single, pair, 0.9)) == [first, (two, "transformer", 0.9), low]
    assert named(joined(joined(single, pair, 0.9), single, 0.5)) == [
        first, (two, "transformer", 0.9), low, (one, "transformer", 0.5)
    ]  # fmt: skip


def test_patches_of_the_whole_go_on_every_expert(pair: Model, single: Model) -> None:
    own, whole = Patch("own"), Patch("whole")
    found = experts_of(joined(pair, single.with_(own), 0.3).with_(whole))
    assert [e.model.patches for e in found] == [(whole,), (whole,), (own, whole)]
    assert [e.model.patches for e in experts_of(pair.with_(own))] == [(own,)] * 2


def test_a_joined_model_travels_and_is_another_value(pair: Model, single: Model) -> None:
    whole = joined(single, pair, 0.3)
    assert unpack(pack(whole)) == whole
    values = [single, whole, joined(single, pair, 0.4), joined(pair, single, 0.3)]
    assert len({digest(value) for value in values}) == 4
    moved = joined(single, replace(pair, source="/elsewhere"), 0.3)
    assert digest(moved) == digest(whole)


class Loads:
    """A loader that remembers what was asked for."""

    def __init__(self) -> None:
        self.store = Store(families(), 2**30)
        self.parts: list[tuple[str, str]] = []

    def __call__(self, weights: Any) -> Any:
        if weights.part.startswith("transformer"):
            self.parts.append((weights.identity[-4:], weights.part))
        return self.store.get(weights, "cpu")


def run(model: Model, load: Any, dress: Any = lambda stage: (), start: float = 0.0,
        width: int = 32) -> tuple[torch.Tensor, Any]:  # fmt: skip
    rng = np.random.default_rng(1)
    text = Conditioning("x", {"sequence": rng.normal(size=(1, 24, width))})
    denoiser, around = assemble(model, load, "cpu", dress)
    found = sample(
        denoiser, Guider("none", {}, model, (Term("positive", text),)), Solver("euler"),
        Schedule("native", steps=6, start=start), Noise("gaussian", seed=1),
        Latent(np.zeros((1, 4, 2, 4, 6), np.float32), "x"), around=around,
    )  # fmt: skip
    return torch.from_numpy(found.samples.copy()), denoiser


def test_only_what_a_run_reaches_is_loaded(pair: Model) -> None:
    load = Loads()
    _, denoiser = run(pair, load, start=0.7)
    assert isinstance(denoiser, ExpertSwitch)
    assert {part for _, part in load.parts} == {"transformer_2"}
    load = Loads()
    run(pair, load)
    assert [part for _, part in load.parts] == ["transformer", "transformer_2"]


def test_with_a_budget_for_one_only_one_is_in_memory_and_they_change_once(pair: Model) -> None:
    """Looked at whenever the run loads one: the weights of the one before are gone by then."""
    whole = Loads()
    sizes = sheet_of(whole(pair)).sizes.values()
    budget = int(sum(sizes) * 1.2)
    load = Loads()
    load.store = Store(families(), budget)
    seen: list[list[str]] = []

    def watched(weights: Any) -> Any:
        made = load(weights)
        seen.append([name for name in load.store.resident() if "transformer" in name])
        return made

    _, denoiser = run(pair, watched)
    assert [name.split()[1] for name in denoiser.ran] == ["transformer", "transformer_2"]
    assert load.store.residency.peak <= budget
    ones = [names[0].split()[1] for names in seen if len(names) == 1]
    assert {"transformer", "transformer_2"} <= set(ones)
    assert max(map(len, seen)) == 1


def test_a_joined_model_runs_each_in_its_range(pair: Model, single: Model) -> None:
    load = Loads()
    whole, _ = run(joined(pair, single, 0.4), load)
    assert [part for _, part in load.parts] == ["transformer", "transformer_2", "transformer"]
    assert load.parts[-1][0] == single.identity[-4:]
    before, _ = run(pair, Loads())
    assert not torch.allclose(whole, before, atol=1e-3)
    same, _ = run(joined(pair, pair, 0.4), Loads())
    assert torch.equal(same, before)


def test_patches_are_laid_on_the_network_that_runs(pair: Model) -> None:
    seen: list[tuple[str, float]] = []

    def dress(stage: Stage) -> tuple[Around, ...]:
        def make(part: str) -> Around:
            @contextmanager
            def around(moment: Moment) -> Iterator[None]:
                seen.append((part, moment.sigma))
                yield

            return around

        return (make(stage.model.part),)

    run(pair, Loads(), dress)
    assert {part for part, sigma in seen if sigma >= 0.8} == {"transformer"}
    assert {part for part, sigma in seen if sigma < 0.8} == {"transformer_2"}


def test_a_model_of_one_network_needs_no_switch(single: Model, tmp_path: Path) -> None:
    assert not isinstance(assemble(single, Loads(), "cpu", lambda stage: ())[0], ExpertSwitch)
    flux = refs_of(tiny.write(tmp_path)).model
    whole = joined(flux, flux, 0.5)
    like = assemble(whole, Loads(), "cpu", lambda stage: ())[0].process
    assert like.handovers == (0.5,)
