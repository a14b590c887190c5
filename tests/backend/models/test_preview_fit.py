"""The fit of colours: it finds a matrix that is there, and a file comes back or counts as none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend.media.color import linear_from_srgb
from backend.models.preview_fit import Fit, pairs, read_factors, write_factors
from backend.values import Float32, Image

RNG = np.random.default_rng(7)
MATRIX = RNG.normal(0, 0.03, (6, 3))
OFFSET = np.array([0.4, 0.5, 0.6])


def latent(height: int = 24, width: int = 40, seed: int = 0) -> Float32:
    drawn = np.random.default_rng(seed).standard_normal((6, height, width))
    return np.asarray(drawn * 1.5 + 0.3, np.float32)


def picture(cells: Float32, factor: int = 4, noise: float = 0.02) -> Image:
    """The picture whose blocks have the true colours in the mean, with a grain inside blocks."""
    colours = np.moveaxis(cells, 0, -1) @ MATRIX + OFFSET
    pixels = colours.repeat(factor, 0).repeat(factor, 1)
    grain = np.random.default_rng(1).standard_normal(pixels.shape) * noise
    return Image(np.asarray(pixels + grain, np.float32)[None])


def fitted(pictures: int = 4) -> Fit:
    fit = Fit(6)
    for seed in range(pictures):
        fit.add(latent(seed=seed), picture(latent(seed=seed)))
    return fit


def test_a_matrix_that_is_there_is_found():
    found = fitted().solve()
    assert found is not None
    assert np.abs(found.matrix - MATRIX).max() < 2e-3
    assert np.abs(found.offset - OFFSET).max() < 2e-3
    assert found.mean == pytest.approx(np.full(6, 0.3), abs=0.1)
    assert found.deviation == pytest.approx(np.full(6, 1.5), abs=0.1)
    fresh = latent(seed=99)
    true = np.moveaxis(fresh, 0, -1) @ MATRIX + OFFSET
    assert np.abs(found.colours(fresh[None])[0] - true.clip(0, 1)).max() < 0.02


def test_the_same_pictures_give_the_same_bits():
    first, second = fitted().solve(), fitted().solve()
    assert first is not None
    assert second is not None
    assert first.matrix.tobytes() == second.matrix.tobytes()


def test_a_few_cells_give_no_fit():
    fit = Fit(6)
    fit.add(latent(5, 5), picture(latent(5, 5)))
    assert fit.cells == 25
    assert fit.solve() is None
    fit.add(latent(5, 5), picture(latent(5, 5)))
    assert fit.solve() is not None


def test_a_flat_picture_gives_its_colour_and_no_wild_matrix():
    fit = Fit(6)
    fit.add(np.full((6, 16, 16), 0.7, np.float32), Image(np.full((1, 64, 64, 3), 0.25, np.float32)))
    found = fit.solve()
    assert found is not None
    assert np.abs(found.matrix).max() < 0.2
    assert found.colours(np.full((1, 6, 2, 2), 0.7, np.float32)) == pytest.approx(0.25, abs=0.01)


def test_large_pictures_are_looked_at_in_places():
    cells, colours = pairs(latent(128, 100), picture(latent(128, 100), noise=0))
    assert cells.shape == (32 * 25, 6)
    assert colours == pytest.approx(np.clip(cells @ MATRIX + OFFSET, 0, 1), abs=1e-4)


def test_alpha_is_left_out_grey_repeated_and_linear_light_encoded():
    true = pairs(latent(), picture(latent(), noise=0))[1]
    pixels = picture(latent(), noise=0).pixels.clip(0, 1)
    alpha = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], -1)
    assert pairs(latent(), Image(alpha))[1] == pytest.approx(true)
    light = Image(linear_from_srgb(pixels), "linear")
    assert pairs(latent(), light)[1] == pytest.approx(true, abs=1e-4)
    grey = pairs(latent(), Image(pixels[..., :1]))[1]
    assert grey == pytest.approx(np.repeat(true[:, :1], 3, 1))


def test_what_is_no_number_and_sizes_that_do_not_fit_teach_nothing():
    broken = latent(24, 32)
    broken[0, :, 3] = np.nan
    broken[1, :, 5] = 1e9
    assert len(pairs(broken, picture(latent(24, 32)))[0]) == 24 * (32 - 2)
    assert len(pairs(latent(), Image(np.zeros((1, 95, 160, 3), np.float32)))[0]) == 0


def test_a_file_comes_back_and_a_fit_goes_on_from_it(tmp_path: Path):
    found = fitted().solve()
    assert found is not None
    write_factors(tmp_path / "deep" / "fit.json", "room:1", found)
    again = read_factors(tmp_path / "deep" / "fit.json", "room:1")
    assert again is not None
    assert again.cells == found.cells
    assert np.abs(again.matrix - found.matrix).max() < 1e-6
    onwards = Fit(6, again).solve()
    assert onwards is not None
    assert np.abs(onwards.matrix - found.matrix).max() < 1e-3
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["fit.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"space": "another"},
        {"cells": 0},
        {"cells": "many"},
        {"offset": [0.1, 0.2]},
        {"mean": [0.0]},
        {"matrix": [[1e300, 0, 0]] * 6},
        {"matrix": []},
        {"deviation": None},
    ],
    ids=str,
)
def test_a_file_that_is_not_sound_counts_as_none(change: dict[str, object], tmp_path: Path):
    found, path = fitted().solve(), tmp_path / "fit.json"
    assert found is not None
    write_factors(path, "room:1", found)
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | change))
    assert read_factors(path, "room:1") is None


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", "\x00\xff", '{"cells": NaN}'])
def test_rubbish_counts_as_none(text: str, tmp_path: Path):
    (tmp_path / "fit.json").write_text(text)
    assert read_factors(tmp_path / "fit.json", "room:1") is None
    assert read_factors(tmp_path / "nothing.json", "room:1") is None
