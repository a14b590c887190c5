"""Training an adapter on a tiny Flux: what it learns, how it goes on, and what the file is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header
from backend.diffusion.errors import DiffusionError
from backend.models.family import families
from backend.models.loaders import loaders
from backend.models.lora.adapter import lora_patch
from backend.models.reference import heeded
from backend.models.store import Store
from backend.train.adapter import course as courses
from backend.train.adapter.looks import plot, samples, smoothed
from backend.train.adapter.plan import AdapterPlan
from backend.train.adapter.session import Order, Watcher, alone, place_of, train
from backend.train.adapter.sets import Drawn, read_set, write_set
from backend.train.tuning import TunePlan
from backend.values import Patch
from tests.backend.models import tiny, tiny_sd15
from tests.backend.models.test_seams import Bench, far

COURSE = TunePlan(steps=6, levels=2, batch=2, warmup=1, checkpoint_every=2)
PLAN = AdapterPlan(rank=4, size=32, course=COURSE)


def drawn(count: int, beside: int, size: tuple[int, int] = (32, 32)) -> list[Drawn]:
    rng = np.random.default_rng(7)
    return [
        Drawn(
            rng.integers(0, 256, (*size, 3), np.uint8),
            f"a picture {k}",
            [rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(beside)],
        )
        for k in range(count)
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return tiny.write(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    write_set(folder, drawn(4, 0))
    return folder


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paired")
    write_set(folder, drawn(4, 1))
    return folder


def unmoved(done: int, of: int) -> None:
    del done, of


def begun(model: Path, examples: Path, folder: Path, plan: AdapterPlan = PLAN) -> courses.Course:
    return courses.begin(str(model), read_set(examples), plan, folder, "cpu", unmoved)


def quiet(line: str) -> None:
    del line


def made(model: Path, examples: Path, folder: Path, plan: AdapterPlan = PLAN) -> Path:
    course = begun(model, examples, folder, plan)
    courses.train(course, quiet)
    courses.write(course, folder / "adapter.safetensors")
    return folder / "adapter.safetensors"


def watcher(seen: list[float]) -> Watcher:
    return Watcher(lambda done, of, loss: seen.append(loss), unmoved, lambda sheet: None)


def with_files(model: Path) -> Bench:
    bench = Bench(model)
    bench.store = Store(families(), 2**30, loaders())
    return bench


def test_the_loss_falls(model: Path, plain: Path, tmp_path: Path) -> None:
    longer = replace(PLAN, rank=8, rate=1e-2, course=replace(COURSE, steps=40, levels=4))
    seen: list[float] = []
    train(Order(str(model), plain, longer, tmp_path), watcher(seen))
    assert len(seen) == 40
    assert np.mean(seen[-10:]) < 0.9 * np.mean(seen[:10])


def test_a_broken_off_training_goes_on_to_the_same_bits(
    model: Path, plain: Path, tmp_path: Path
) -> None:
    whole = made(model, plain, tmp_path / "whole")
    course = begun(model, plain, tmp_path / "parts")

    def stops(done: int, losses: Sequence[float]) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        courses.train(course, quiet, stops)
    assert len(courses.losses(course)) == 3
    again = made(model, plain, tmp_path / "parts")
    first, second = load_file(whole), load_file(again)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_file_is_a_lora_that_says_what_it_is(model: Path, plain: Path, tmp_path: Path) -> None:
    file = made(model, plain, tmp_path)
    said = read_header(file).metadata
    assert said["weft.form"] == "text"
    assert (said["weft.family"], said["weft.rank"], said["weft.steps"]) == ("flux", "4", "6")
    assert "weft.gives" not in said
    bench = with_files(model)
    plainly = bench.run()
    laid = bench.run((lora_patch(file, "flux", 1.0, 0.0, 1.0),))
    assert far(plainly, laid) > 1e-5
    assert np.array_equal(plainly, bench.run((lora_patch(file, "flux", 0.0, 0.0, 1.0),)))
    assert np.array_equal(plainly, bench.run())


def test_the_file_does_what_the_training_saw(model: Path, plain: Path, tmp_path: Path) -> None:
    """The factors in the file, laid on by the node's patch, give the loss of the training."""
    course = begun(model, plain, tmp_path)
    courses.train(course, quiet)
    courses.write(course, tmp_path / "a.safetensors")
    trained = dict(course.learnt.named_parameters())
    held = load_file(tmp_path / "a.safetensors")
    name = "transformer_blocks.0.attn.to_q"
    down = trained[f"factors.down.{name.replace('.', '/')}"].detach()
    assert torch.equal(held[f"transformer.{name}.lora_A.weight"], down.bfloat16())


@pytest.mark.parametrize(("targets", "least"), [("attention", 1), ("blocks", 2), ("all", 3)])
def test_targets_choose_more_and_more_layers(
    model: Path, plain: Path, tmp_path: Path, targets: str, least: int
) -> None:
    counts = [
        len(begun(model, plain, tmp_path / each, replace(PLAN, targets=each)).learnt.state_dict())
        for each in ("attention", "blocks", "all")
    ]
    assert counts == sorted(set(counts))
    assert counts[("attention", "blocks", "all").index(targets)] >= 2 * least


def test_a_reference_adapter_teaches_a_model_to_heed_pictures(
    model: Path, paired: Path, tmp_path: Path
) -> None:
    file = made(model, paired, tmp_path, replace(PLAN, form="reference"))
    bench = with_files(model)
    taught = bench.refs.model.with_(lora_patch(file, "flux", 1.0, 0.0, 1.0))
    assert not heeded(bench.refs.model)
    assert heeded(taught)
    assert not heeded(bench.refs.model.with_(lora_patch(file, "flux", 0.0, 0.0, 1.0)))


def test_a_model_that_is_no_flow_learns_too(tmp_path: Path, plain: Path) -> None:
    folder = tiny_sd15.write(tmp_path / "sd15")
    file = made(folder, plain, tmp_path / "run")
    assert read_header(file).metadata["weft.family"] == "sd15"
    bench = with_files(folder)
    assert far(bench.run(), bench.run((lora_patch(file, "sd15", 1.0, 0.0, 1.0),))) > 1e-6


def test_families_without_a_place_for_references_are_refused(tmp_path: Path, paired: Path) -> None:
    folder = tiny_sd15.write(tmp_path / "sd15")
    with pytest.raises(CatalogError, match="no place for the tokens of other pictures"):
        begun(folder, paired, tmp_path / "run", replace(PLAN, form="reference"))


def test_pictures_of_several_shapes_are_learnt_by_shape(model: Path, tmp_path: Path) -> None:
    write_set(tmp_path / "set", [*drawn(2, 0), *drawn(3, 0, (48, 24)), *drawn(1, 0, (40, 30))])
    course = begun(model, tmp_path / "set", tmp_path / "run")
    shapes = {group.latents.shape[-2:]: len(group.captions) for group in course.groups}
    assert sum(shapes.values()) == 6
    assert len(shapes) >= 2
    courses.train(course, quiet)


def test_latents_are_kept_until_a_picture_changes(model: Path, tmp_path: Path) -> None:
    place, run = tmp_path / "set", tmp_path / "run"
    write_set(place, drawn(4, 0))
    begun(model, place, run).close()
    kept = (run / "latents-0.safetensors").stat().st_mtime_ns
    begun(model, place, run).close()
    assert (run / "latents-0.safetensors").stat().st_mtime_ns == kept
    write_set(place, drawn(4, 0))
    Image.fromarray(drawn(1, 1)[0].references[0]).save(place / "00003.png")
    begun(model, place, run).close()
    assert (run / "latents-0.safetensors").stat().st_mtime_ns != kept


def test_what_makes_no_sense_is_said(
    model: Path, plain: Path, paired: Path, tmp_path: Path
) -> None:
    cases: list[tuple[Path, AdapterPlan, str]] = [
        (plain, replace(PLAN, targets="nose"), "no targets called 'nose'"),
        (plain, replace(PLAN, rank=0), "The rank is 0"),
        (plain, replace(PLAN, rate=0.0), "The rate is 0"),
        (plain, replace(PLAN, form="reference"), "at least one picture beside each"),
        (paired, PLAN, "this set has 1"),
    ]
    for examples, plan, said in cases:
        with pytest.raises(CatalogError, match=said):
            begun(model, examples, tmp_path, plan)
    with pytest.raises(DiffusionError, match="no form of adapter 'song'"):
        begun(model, plain, tmp_path, replace(PLAN, form="song"))


def test_another_adapters_checkpoint_is_not_gone_on_with(
    model: Path, plain: Path, paired: Path, tmp_path: Path
) -> None:
    made(model, plain, tmp_path / "a")
    for plan in (replace(PLAN, rank=5), replace(PLAN, rate=1e-3)):
        with pytest.raises(CatalogError, match="checkpoint of another adapter"):
            made(model, plain, tmp_path / "a", plan)
    write_set(tmp_path / "other", [*drawn(3, 0), Drawn(drawn(1, 1)[0].references[0], "another")])
    with pytest.raises(CatalogError, match="checkpoint of another adapter"):
        made(model, tmp_path / "other", tmp_path / "a")
    with pytest.raises(CatalogError, match="has learnt for 6 steps already, and 3"):
        made(model, plain, tmp_path / "a", replace(PLAN, course=replace(COURSE, steps=3)))
    (tmp_path / "a" / courses.CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(CatalogError, match="cannot be read"):
        made(model, plain, tmp_path / "a")


def test_a_loss_that_is_no_number_ends_the_training(
    model: Path, plain: Path, tmp_path: Path
) -> None:
    course = begun(model, plain, tmp_path)
    with torch.no_grad():
        next(course.learnt.parameters()).fill_(float("nan"))
    with pytest.raises(CatalogError, match="no number any more at step 1"):
        courses.train(course, quiet)
    with pytest.raises(CatalogError, match="holds values that are no numbers"):
        courses.write(course, tmp_path / "adapter.safetensors")
    course.close()
    assert not list(tmp_path.glob("*.pt")) + list(tmp_path.glob("adapter*"))


def test_nothing_of_a_model_stays_when_a_course_is_closed(
    model: Path, plain: Path, tmp_path: Path
) -> None:
    def readers() -> int:
        return sum("weft-weights" in thread.name for thread in threading.enumerate())

    before = readers()
    course = begun(model, plain, tmp_path)
    courses.train(course, quiet)
    course.close()
    assert readers() <= before
    with pytest.raises(CatalogError):
        begun(model, plain, tmp_path, replace(PLAN, targets="nose"))
    assert readers() <= before


def test_one_process_at_a_time_trains_in_a_folder(model: Path, plain: Path, tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(CatalogError, match="Another run trains in"):
        train(Order(str(model), plain, PLAN, tmp_path), watcher([]))


def test_more_steps_go_on_in_the_same_place(model: Path, plain: Path, tmp_path: Path) -> None:
    order = Order(str(model), plain, PLAN, Path())
    more = replace(order, plan=replace(PLAN, course=replace(COURSE, steps=9)))
    other = replace(order, plan=replace(PLAN, rank=5))
    assert place_of(tmp_path, order) == place_of(tmp_path, more)
    assert place_of(tmp_path, order) != place_of(tmp_path, other)


def test_samples_show_what_was_asked_and_what_is_made(
    model: Path, paired: Path, tmp_path: Path
) -> None:
    course = begun(model, paired, tmp_path, replace(PLAN, form="reference"))
    sheet = samples(course, 2)
    assert sheet.pixels.shape == (1, 2 * 32 + 6, 3 * 32 + 2 * 6, 3)


def test_the_plot_shows_its_last_loss() -> None:
    falling = [1 / (1 + k / 10) for k in range(200)]
    drawn_plot = plot(falling).pixels[0]
    blue = (drawn_plot[..., 2] > 0.7) & (drawn_plot[..., 0] < 0.3)
    rows = [int(np.nonzero(blue[:, x])[0].mean()) for x in (80, 200, 400)]
    assert rows == sorted(rows)
    assert smoothed([3.0] * 5) == pytest.approx([3.0] * 5)
    assert plot([]).pixels.shape == (1, 320, 640, 3)


def test_patches_carry_what_a_file_gives(model: Path, plain: Path, tmp_path: Path) -> None:
    patch = lora_patch(made(model, plain, tmp_path), "flux", 1.0, 0.0, 1.0)
    assert isinstance(patch, Patch)
    assert "gives" not in patch.params
