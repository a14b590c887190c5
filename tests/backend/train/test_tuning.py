"""Tuning a finished model, on a tiny Flux: for compressed keys, and as experts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header
from backend.diffusion.around import Around
from backend.models.family import families
from backend.models.keys_file import TunedFor, tuned_for
from backend.models.loaders import loaders
from backend.models.lora.adapter import identity
from backend.models.patch import Stage, surround
from backend.models.store import Store
from backend.train import checkpoint, experts, keys
from backend.train.tuning import (
    Lessons,
    Pupil,
    TunePlan,
    check_flow,
    draw_levels,
    lessons,
    loss_of,
)
from backend.values import Patch
from tests.backend.models import tiny, tiny_sdxl
from tests.backend.models.test_seams import Bench, far

COURSE = TunePlan(steps=6, scenes=6, levels=2, batch=2, warmup=1, checkpoint_every=2)
PLAN = keys.KeysPlan(ratio=2, course=COURSE)


def quiet(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def tuned(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keys.train(model, tmp_path_factory.mktemp("tuned"), PLAN, "cpu", quiet)


def patch(file: Path | None, **more: object) -> Patch:
    source = (identity(file), str(file)) if file else ()
    return Patch("compressed_keys", 1.0, {"ratio": 2, **more}, *source)  # type: ignore[dict-item]


def with_files(model: Path) -> Bench:
    bench = Bench(model)
    bench.store = Store(families(), 2**30, loaders())
    return bench


def test_a_broken_off_tuning_goes_on_to_the_same_bits(
    model: Path, tuned: Path, tmp_path: Path
) -> None:
    assert keys.train(model, tmp_path, PLAN, "cpu", quiet, stop_at=3).exists()
    state = checkpoint.load(tmp_path / "keys.pt")
    assert state is not None
    assert state["step"] == 3
    again = keys.train(model, tmp_path, PLAN, "cpu", quiet)
    first, second = load_file(tuned), load_file(again)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert read_header(again).metadata == read_header(tuned).metadata


def test_the_file_says_what_it_was_tuned_for(tuned: Path) -> None:
    found = tuned_for(tuned)
    assert found == TunedFor(2, (2, 3), "flux")
    header = read_header(tuned)
    assert header.metadata["weft.keys.steps"] == "6"
    assert {info.dtype for info in header.tensors.values()} == {"BF16"}
    for n in found.layers:
        for what in ("key", "value"):
            assert header.tensors[f"compressed_keys.{n}.{what}"].shape[1:] == (2, 2)


def test_an_untrained_file_is_the_plain_mean(model: Path, tmp_path: Path) -> None:
    """Before the first step the convolutions average and nothing is added to the matrices."""
    none = replace(PLAN, course=replace(COURSE, steps=0))
    bench, file = with_files(model), keys.train(model, tmp_path, none, "cpu", quiet)
    plain = bench.run((patch(None),))
    assert far(bench.run((patch(file),)), plain) < 1e-5
    assert far(plain, bench.run()) > 1e-3


def test_what_was_tuned_is_what_the_patch_lays_on(model: Path, tuned: Path) -> None:
    """The loss in training's own surroundings is that under the patch of the finished file."""
    learning, plain, layers = Pupil(model, "cpu"), Pupil(model, "cpu"), tuned_for(tuned).layers
    learnt = keys.Learnt(learning.stage, PLAN, keys.channels_of(learning, layers))
    state = checkpoint.load(tuned.parent / "keys.pt")
    assert state is not None
    learnt.load_state_dict(state["learnt"])
    patched = replace(plain.stage, model=plain.refs.model.with_(patch(tuned, layers=layers)))

    def loss(stage: Stage, *around: Around) -> float:
        chance = torch.Generator().manual_seed(4)
        clean = torch.randn(2, *Bench(model).shape[1:], generator=chance)
        with torch.no_grad():
            return loss_of(stage, around, clean, 0.6, plain.read(["", "a ring"]), chance).item()

    inside = loss(learning.stage, keys.around_of(learning.stage, learnt, 2, layers))
    assert inside == pytest.approx(loss(patched, *surround(patched, ())), rel=1e-3)  # bf16 on disk
    assert abs(inside / loss(plain.stage) - 1) > 0.01


def test_tuning_brings_the_loss_down(model: Path, tmp_path: Path) -> None:
    """Held against the model itself without compression, on scenes that were not trained on."""
    course = replace(COURSE, steps=20, levels=1, batch=2, checkpoint_every=100)
    plan = replace(PLAN, course=course, muon_rate=2e-4, adam_rate=2e-2)
    file = keys.train(model, tmp_path, plan, "cpu", quiet)
    pupil = Pupil(model, "cpu")
    teacher = pupil.stage.denoiser

    def loss(file: Path | None) -> float:
        chance = torch.Generator().manual_seed(8)
        stage = replace(pupil.stage, model=pupil.refs.model.with_(patch(file)))
        clean = torch.randn(4, *Bench(model).shape[1:], generator=chance)
        said = pupil.read(["", "a ring", "a star", "a cross"])
        with torch.no_grad():
            return loss_of(stage, surround(stage, ()), clean, 0.6, said, chance, teacher).item()

    assert loss(file) < 0.9 * loss(None)


def test_the_file_changes_pictures_and_leaves_nothing_behind(model: Path, tuned: Path) -> None:
    bench = with_files(model)
    before = bench.run()
    with_file = bench.run((patch(tuned, layers=tuned_for(tuned).layers),))
    assert far(with_file, bench.run((patch(None),))) > 1e-4
    assert np.array_equal(bench.run((patch(tuned, ratio=1),)), before)
    assert np.array_equal(bench.run(), before)


def test_files_for_other_ratios_layers_or_models_are_refused(
    model: Path, tuned: Path, tmp_path: Path
) -> None:
    bench = with_files(model)
    with pytest.raises(CatalogError, match="not tuned for a ratio of 4 in these"):
        bench.run((patch(tuned, ratio=4),))
    with pytest.raises(CatalogError, match="Choose the ratio and the layers"):
        bench.run((patch(tuned, layers=(0,)),))
    plain = tmp_path / "plain.safetensors"
    save_file({"a": torch.zeros(1)}, plain)
    with pytest.raises(CatalogError, match="does not say that it was tuned"):
        tuned_for(plain)


def test_models_that_are_no_flow_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="only flow models are tuned"):
        check_flow(Pupil(tiny_sdxl.write(tmp_path / "model"), "cpu"))


def test_levels_stay_in_their_range_and_halve_at_the_boundary() -> None:
    def drawn(low: float, high: float) -> list[float]:
        plan = replace(COURSE, low=low, high=high)
        return draw_levels(plan, 1000, torch.Generator().manual_seed(1))

    whole, upper, lower = drawn(0, 1), drawn(0.65, 1), drawn(0, 0.65)
    assert min(upper) >= 0.65 - 1e-6
    assert max(lower) <= 0.65 + 1e-6
    assert sum(s >= 0.65 for s in whole) == pytest.approx(500, abs=20)
    assert np.quantile(lower, 0.5) == pytest.approx(
        np.quantile([s for s in whole if s < 0.65], 0.5), abs=0.01
    )


def test_lessons_are_the_worlds_scenes_and_are_kept(model: Path, tmp_path: Path) -> None:
    from backend.train.world import draw_spec

    pupil = Pupil(model, "cpu")
    first = lessons(pupil, tmp_path, 3, 4, quiet)
    assert first.captions == tuple(draw_spec(3, i, "train").caption for i in range(4))
    kept = (tmp_path / "lessons-3.npy").stat().st_mtime_ns
    again: Lessons = lessons(pupil, tmp_path, 3, 4, quiet)
    assert np.array_equal(again.latents, first.latents)
    assert (tmp_path / "lessons-3.npy").stat().st_mtime_ns == kept


def test_experts_are_copies_that_were_tuned_apart(model: Path, tmp_path: Path) -> None:
    """Three folders that load, of equal steps, each other than the model and than the others; what
    is broken off goes on to the same bits."""
    course = replace(COURSE, steps=2, scenes=2, levels=1, batch=1)
    plan = experts.ExpertsPlan(course=course)
    before = (model / "model_index.json").read_bytes()
    experts.train(model, tmp_path, plan, "cpu", quiet, stop_at=1)
    assert not (tmp_path / "single").exists()
    found = experts.train(model, tmp_path, plan, "cpu", quiet)
    whole = experts.train(model, tmp_path / "whole", plan, "cpu", quiet)
    names = {name: Bench(folder).refs.model.identity for name, folder in found.items()}
    assert list(names) == ["single", "high", "low"]
    assert names == {name: Bench(folder).refs.model.identity for name, folder in whole.items()}
    assert len({*names.values(), Bench(model).refs.model.identity}) == 4
    assert (model / "model_index.json").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))
