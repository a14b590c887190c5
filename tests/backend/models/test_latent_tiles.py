"""Denoising in tiles: every cell is covered, as few calls as can be, and no seam that stays."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.diffusion.sample import sample
from backend.models import reference
from backend.models.tiling.latents import LatentTiles, TiledDenoiser
from backend.sdk import Cancelled
from backend.values import (
    Conditioning,
    Float32,
    Guider,
    Latent,
    Model,
    Noise,
    Schedule,
    Solver,
    Term,
)

SEEDS = 24
SAID = Conditioning("text", {"sequence": np.zeros((1, 2, 3), np.float32)})
MODEL = Model("toy", "net", "blake3:0", "")


class Shaded:
    """A model whose clean picture of any tile is a ramp from its left to its right edge: tiles that
    are put side by side jump at each seam, the most that tiles can."""

    process = Process(FLOW, "velocity")

    def __init__(self) -> None:
        self.calls: list[tuple[int, ...]] = []
        self.seen: list[Any] = []

    def tokens(self, shape: Sequence[int]) -> int:
        return shape[-1] * shape[-2]

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> Any:
        return [reference.gathered(conditionings, count)]

    def __call__(self, x: torch.Tensor, sigma: float, prepared: Any) -> torch.Tensor:
        self.calls.append(tuple(x.shape))
        self.seen.append(prepared)
        ramp = torch.linspace(-1, 1, x.shape[-1]).expand_as(x)
        there = x / max(1 - sigma, 0.1)  # the less noise, the more it heeds what is there
        clean = sigma * ramp + (1 - sigma) * there
        return (x - clean) / max(sigma, 1e-3)


class Plain(Shaded):
    """A model that looks at each cell alone."""

    def __call__(self, x: torch.Tensor, sigma: float, prepared: Any) -> torch.Tensor:
        self.calls.append(tuple(x.shape))
        return x * 0.5 + sigma


def run(
    inner: Any,
    tiles: LatentTiles | None,
    side: int = 32,
    steps: int = 8,
    solver: str = "euler",
    around: Sequence[Any] = (),
    said: Conditioning = SAID,
    content: Float32 | None = None,
) -> Float32:
    parted = TiledDenoiser(inner, around, tiles) if tiles else inner
    laid = (parted.around,) if tiles else around
    return sample(
        parted,
        Guider("none", {}, MODEL, (Term("positive", said),)),
        Solver(solver),
        Schedule("native", steps=steps, start=0.0 if content is None else 0.4),
        Noise("gaussian" if content is None else "none", seed=3),
        Latent(np.zeros((1, 2, side, side), np.float32) if content is None else content, "s"),
        around=laid,
    ).samples


plans = st.sampled_from(["shifted", "blended"]).flatmap(
    lambda how: st.integers(1, 12).flatmap(
        lambda n: st.builds(
            LatentTiles,
            st.just(2 * n),
            st.integers(1, 2 * n - 1),
            st.just(how),
            st.integers(0, 5),
            st.just(2),
        )
    )
)


@given(plans, st.integers(1, 20), st.integers(1, 20), st.integers(0, 30))
def test_tiles_cover_every_cell_in_whole_tokens(
    tiles: LatentTiles, rows: int, columns: int, step: int
) -> None:
    height, width = 2 * rows, 2 * columns
    total = np.zeros((height, width))
    for tile in tiles.tiles(height, width, step):
        assert len(tile.rows) == min(tiles.size, height)
        assert len(tile.columns) == min(tiles.size, width)
        assert tile.rows[0] % 2 == 0
        assert (tile.weight > 0).all()
        assert len(set(tile.rows)) == len(tile.rows)
        total[np.ix_(tile.rows, tile.columns)] += tile.weight
    assert (total > 0).all()
    if tiles.how == "shifted":
        least = -(-height // tiles.size) * -(-width // tiles.size)
        assert tiles.count(height, width) == least


@pytest.mark.parametrize("how", ["shifted", "blended"])
@pytest.mark.parametrize("solver", ["euler", "heun", "dpmpp_2m", "unipc"])
def test_a_model_that_looks_at_cells_alone_gives_the_same_in_tiles(how: Any, solver: str) -> None:
    whole = run(Plain(), None, solver=solver)
    parted = run(Plain(), LatentTiles(8, 4, how), solver=solver)
    assert np.abs(whole - parted).max() < 1e-5


@pytest.mark.parametrize(("side", "most"), [(32, 1), (36, 2), (33, 2), (8, 1)])
def test_shifted_tiles_meet_only_where_a_side_does_not_divide(side: int, most: int) -> None:
    for step in range(6):
        told = np.zeros((side, 8))
        for tile in LatentTiles(8, 1, "shifted").tiles(side, 8, step):
            told[np.ix_(tile.rows, tile.columns)] += 1
        assert told.min() == 1
        assert told.max() == most


def seam_energy(made: Sequence[Float32], tile: int) -> float:
    """Steps at the borders of a fixed grid, against those elsewhere, over all pictures
    ``[..., height, width]``."""
    steps = np.mean([np.abs(np.diff(each, axis=-1)).reshape(-1, each.shape[-1] - 1).mean(0)
                     for each in made], 0)  # fmt: skip
    borders = np.arange(tile - 1, len(steps), tile)
    return float(steps[borders].mean() / np.delete(steps, borders).mean())


class Fixed(LatentTiles):
    """The same grid at every step, its borders at multiples of its tile."""

    def _side(self, length: int, rng: Any) -> Any:
        cells = np.arange(min(self.size, length))
        return [
            (tuple((start + cells).tolist()), np.ones(len(cells)))
            for start in range(0, length, self.size)
        ]


def test_a_grid_that_moves_leaves_no_seam_where_a_fixed_one_does() -> None:
    """A picture is drawn anew from 0.6 of the noise on; borders of the fixed grid, over seeds whose
    grids lie anywhere."""
    content = np.random.default_rng(4).normal(0, 0.3, (1, 2, 2, 64)).astype(np.float32)
    fixed, moving = (
        seam_energy(
            [
                run(Shaded(), kind(8, 1, "shifted", seed), 64, 40, content=content)
                for seed in range(SEEDS)
            ],
            8,
        )
        / seam_energy([content], 8)
        for kind in (Fixed, LatentTiles)
    )
    assert fixed > 1.3
    assert moving <= 1.05


def test_calls_are_as_few_as_tiles_that_share_nothing() -> None:
    shifted, blended = Shaded(), Shaded()
    run(shifted, LatentTiles(8, 4, "shifted"), 64, 5)
    run(blended, LatentTiles(8, 4, "blended"), 64, 5)
    assert len(shifted.calls) == 5 * (64 // 8) ** 2
    assert len(shifted.calls) <= 0.55 * len(blended.calls)
    assert {shape[-2:] for shape in shifted.calls + blended.calls} == {(8, 8)}


def test_the_same_seed_gives_the_same_grid_and_another_another() -> None:
    def rows(seed: int, step: int) -> list[int]:
        return [t.rows[0] for t in LatentTiles(8, 1, "shifted", seed).tiles(64, 64, step)]

    assert rows(1, 2) == rows(1, 2)
    assert len({tuple(rows(1, step)) for step in range(8)}) > 1
    assert any(rows(1, step) != rows(2, step) for step in range(4))


def test_what_surrounds_a_call_is_told_the_tile_and_references_are_cut() -> None:
    heard: list[Moment] = []

    @contextmanager
    def around(moment: Moment) -> Any:
        heard.append(moment)
        yield

    samples = np.arange(16 * 16, dtype=np.float32).reshape(1, 1, 16, 16)
    whole = Latent(samples, "s")
    other = Latent(np.ones((1, 1, 4, 4), np.float32), "s")
    said = reference.add(reference.add(SAID, other), whole)
    inner = Shaded()
    run(inner, LatentTiles(8, 2, "shifted", 5), 16, 1, around=(around,), said=said)
    assert len(heard) == len(inner.seen) == 4
    for moment, ((small, cut),) in zip(heard, inner.seen, strict=True):
        assert moment.shape == (1, 2, 8, 8)
        assert moment.whole == (1, 2, 16, 16)
        assert moment.image == 64
        rows, columns = moment.window.rows, moment.window.columns
        assert np.array_equal(cut[0, 0], samples[0, 0][np.ix_(rows, columns)])
        assert small.shape == (1, 1, 4, 4)


def test_a_cancel_stops_between_tiles() -> None:
    inner = Shaded()

    def check() -> None:
        if len(inner.calls) == 3:
            raise Cancelled

    parted = TiledDenoiser(inner, (), LatentTiles(8, 2), check)
    x = torch.zeros(1, 2, 32, 32)
    moment = Moment(1.0, 0, 1, (1, 2, 32, 32), (), 1, 64)
    with parted.around(moment), pytest.raises(Cancelled):
        parted(x, 1.0, parted.prepare([SAID], 1))
    assert len(inner.calls) == 3


def test_tiles_that_cannot_be_are_told() -> None:
    with pytest.raises(DiffusionError, match="do not divide into tokens of 2"):
        LatentTiles(7, 1, patch=2)
    with pytest.raises(DiffusionError, match="cannot overlap by 8"):
        LatentTiles(8, 8, "blended")
