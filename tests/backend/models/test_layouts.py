"""Guidance by attention and regional prompts on families of several kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.diffusion.around import Moment, Window
from backend.diffusion.errors import DiffusionError
from backend.diffusion.guidance.regional import REGION, in_region
from backend.diffusion.sample import sample
from backend.models.patch import movers, surround
from backend.models.patches.attention_guidance import KIND
from backend.models.seams.maps import Recorder
from backend.models.seams.sites import grid, places_in
from backend.models.tiling.latents import LatentTiles, TiledDenoiser
from backend.values import Guider, Latent, Noise, Patch, Schedule, Solver, Term
from tests.backend.models import tiny, tiny_sd15, tiny_wan, tiny_z_image
from tests.backend.models.test_seams import Bench

WRITERS = {"flux": tiny.write, "sd15": tiny_sd15.write, "z_image": tiny_z_image.write}
BOXES = np.array([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 0.5, 1.0]], np.float32)
TOKENS = np.array([[0, 1, 0, 0], [0, 0, 1, 0]], np.float32)


@pytest.fixture(scope="module", params=WRITERS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    torch.set_num_threads(1)
    return Bench(WRITERS[request.param](tmp_path_factory.mktemp("model") / "model"))


def guided(
    bench: Bench, strength: float, watch: Recorder | None = None, **params: float
) -> np.ndarray:
    given = {"repeats": 2, "pace": 0.05, "end": 1.0, **params}
    patch = Patch(KIND, strength, given, tensors={"boxes": BOXES, "tokens": TOKENS})
    model = bench.refs.model.with_(patch)
    stage, guider = bench.stage(model), Guider("cfg", {"cfg": 3.0}, model, bench.terms())
    looking = [watch.around(stage)] if watch else []
    return sample(
        stage.denoiser, guider, Solver("euler"), Schedule("native", steps=3),
        Noise("gaussian", seed=1), Latent(np.zeros(bench.shape), "any"),
        around=(*surround(stage, guider.terms), *looking), movers=movers(stage),
    ).samples  # fmt: skip


def inside(bench: Bench, strength: float, **params: float) -> float:
    """The share of the attention to the words of each box that lies in it."""
    watch, shape = Recorder(), bench.shape
    guided(bench, strength, watch, **params)
    patch = bench.family.card.geometry.patch
    maps = watch.maps(shape[-2] // patch, shape[-1] // patch)[:, 1:3]
    half = maps.shape[-1] // 2
    left = maps[:, 0, :, :half].sum() / maps[:, 0].sum()
    right = maps[:, 1, :, -half:].sum() / maps[:, 1].sum()
    return float(left + right) / 2


@pytest.mark.parametrize(
    "params", [{"inter": 0.0, "within": 0.0}, {"repeats": 0, "redistribute": 2.0}]
)
def test_attention_to_words_goes_into_their_boxes(bench: Bench, params: dict[str, float]) -> None:
    assert inside(bench, 1.0, **params) > inside(bench, 0.0)


def test_nothing_stays_behind(bench: Bench) -> None:
    plain = bench.run()
    guided(bench, 1.0, redistribute=1.0)
    assert np.array_equal(plain, bench.run())
    with pytest.raises(DiffusionError, match="range of steps"):
        guided(bench, 1.0, begin=0.9, end=0.1)
    assert np.array_equal(plain, bench.run())
    weights = bench.load(bench.refs.model).parameters()
    assert all(weight.grad is None for weight in weights)


def test_a_region_over_all_is_its_text_alone(bench: Bench) -> None:
    positive, negative = bench.terms()
    plain = bench.run()
    height, width = bench.shape[-2:]
    everywhere = in_region(positive.conditioning, np.ones((height, width), np.float32))
    terms = (Term("positive", negative.conditioning), Term(REGION, everywhere), negative)
    params = {"cfg": 3.0, "whole": 0.0}
    same = bench.run(guider=Guider("regional", params, bench.refs.model, terms))
    assert np.abs(plain - same).max() < 1e-3 * np.abs(plain).max()
    halves = [np.zeros((height, width), np.float32) for _ in range(2)]
    halves[0][:, : width // 2], halves[1][:, width // 2 :] = 1, 1
    parts = [Term(REGION, in_region(positive.conditioning, half)) for half in halves]
    split = (terms[0], *parts, negative)
    both = bench.run(guider=Guider("regional", params, bench.refs.model, split))
    assert np.abs(both - same).max() < 1e-3 * np.abs(plain).max()
    doubled = (*terms[:1], terms[1], Term(REGION, everywhere), negative)
    twice = bench.run(guider=Guider("regional", params, bench.refs.model, doubled))
    assert np.abs(twice - same).max() < 1e-3 * np.abs(plain).max()


def test_a_model_of_videos_is_refused(tmp_path: Path) -> None:
    bench = Bench(tiny_wan.write(tmp_path / "model"))
    with pytest.raises(DiffusionError, match="Nothing in this model looks at the words"):
        guided(bench, 1.0)


def test_the_grid_of_odd_sizes_is_found() -> None:
    places = grid((1, 4, 9, 7), 5 * 4)
    assert places is not None
    assert places.shape == (20, 2)
    assert places[0].tolist() == pytest.approx([1 / 8, 1 / 10])
    assert grid((1, 4, 9, 7), 19) is None
    assert grid((1, 4, 3, 9, 7), 63) is None


@pytest.mark.parametrize("how", ["shifted", "blended"])
@pytest.mark.parametrize("side", [1, 2])
def test_the_places_of_a_tile_are_those_of_its_cells_in_the_whole(how: Any, side: int) -> None:
    whole = grid((1, 4, 20, 28), 20 * 28 // side**2)
    assert whole is not None
    rows, columns = 20 // side, 28 // side
    known = whole.reshape(rows, columns, 2)
    for step in range(4):
        for tile in LatentTiles(8, 4, how, 1, 2).tiles(20, 28, step):
            window = Window((20, 28), tile.rows, tile.columns)
            moment = Moment(0.5, step, 4, (1, 4, 8, 8), (), 1, 64 // side**2, window=window)
            found = places_in(moment, 64 // side**2)
            assert found is not None
            there = known[[y // side for y in tile.rows[::side]]]
            there = there[:, [x // side for x in tile.columns[::side]]]
            assert torch.allclose(found, there.reshape(-1, 2), atol=1e-6)


def test_places_of_the_whole_are_as_ever() -> None:
    moment = Moment(0.5, 0, 4, (1, 4, 9, 7), (), 1, 20)
    assert torch.equal(places_in(moment, 20), grid((1, 4, 9, 7), 20))
    assert places_in(moment, 19) is None


def test_guidance_is_refused_for_a_tile(bench: Bench) -> None:
    """Each tile would take the boxes of the whole for its own."""
    params = {"redistribute": 1.0, "repeats": 0}
    patch = Patch(KIND, 1.0, params, tensors={"boxes": BOXES, "tokens": TOKENS})
    stage, terms = bench.stage(bench.refs.model.with_(patch)), bench.terms()
    half = bench.shape[-1] // 4 * 2
    parted = TiledDenoiser(stage.denoiser, surround(stage, terms), LatentTiles(half, 2, patch=2))
    with pytest.raises(DiffusionError, match="go through the model in tiles"):
        sample(
            parted, Guider("cfg", {"cfg": 3.0}, bench.refs.model, terms), Solver("euler"),
            Schedule("native", steps=1), Noise("gaussian", seed=1),
            Latent(np.zeros(bench.shape), "any"), around=(parted.around,),
        )  # fmt: skip
