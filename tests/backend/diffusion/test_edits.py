"""In-painting and MagicMix: what happens to the latent between steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.diffusion.edit import Start
from backend.diffusion.errors import DiffusionError
from backend.diffusion.inpaint import keep, latent_mask
from backend.diffusion.mix import semantic_mix
from backend.diffusion.paths import FLOW
from backend.diffusion.sample import sample
from backend.diffusion.solver import solver_kinds
from backend.values import Latent, Noise, Schedule, Solver
from tests.backend.diffusion.gaussian import GaussianDenoiser, guider

SHAPE = (2, 3, 4, 6)


@pytest.fixture
def start() -> Start:
    torch.manual_seed(0)
    return Start(FLOW, torch.randn(SHAPE), torch.randn(SHAPE))


def picture(sigma: float = 0.0) -> Latent:
    rng = np.random.default_rng(3)
    return Latent(rng.standard_normal(SHAPE), "gauss", sigma=sigma)


def run(
    latent: Latent, schedule: Schedule, edits: tuple = (), seed: int = 5, solver: str = "euler"
) -> Latent:
    return sample(
        GaussianDenoiser(), guider("none", 0.5), Solver(solver), schedule,
        Noise("gaussian", seed=seed), latent, edits=edits,
    )  # fmt: skip


def test_keep_renoises_outside_the_mask_to_the_level_reached(start: Start) -> None:
    mask = torch.zeros(1, 4, 6)
    mask[..., 3:] = 1
    x = torch.full(SHAPE, 9.0)
    kept = keep(start, mask)(x, 0.3, 0.5)
    assert torch.equal(kept[..., 3:], x[..., 3:])
    noised = 0.7 * start.original + 0.3 * start.noise
    assert torch.allclose(kept[..., :3], noised[..., :3])


def test_keep_works_on_video_and_checks_sizes(start: Start) -> None:
    video = Start(FLOW, torch.ones(2, 3, 5, 4, 6), torch.zeros(2, 3, 5, 4, 6))
    mask = torch.zeros(2, 4, 6)
    assert keep(video, mask)(torch.zeros(2, 3, 5, 4, 6), 0.0, 0.0).all()
    with pytest.raises(DiffusionError, match="must agree"):
        keep(start, torch.zeros(1, 4, 5))


def test_in_painting_keeps_the_rest_exactly_and_changes_the_masked() -> None:
    latent = picture()
    mask = np.zeros((2, 4, 6), np.float32)
    mask[1, 1:3, 2:] = 1
    result = run(latent.but(mask=mask), Schedule("native", steps=6, start=0.2))
    assert np.array_equal(result.samples[0], latent.samples[0])
    inside = mask[1] == 1
    assert np.array_equal(result.samples[1][:, ~inside], latent.samples[1][:, ~inside])
    assert not np.allclose(result.samples[1][:, inside], latent.samples[1][:, inside], atol=0.05)


def test_in_painting_a_noised_latent_is_refused() -> None:
    latent = picture(sigma=0.5).but(mask=np.ones((1, 4, 6), np.float32))
    with pytest.raises(DiffusionError, match="clean latent"):
        run(latent, Schedule("native", steps=4))


def test_hard_and_soft_masks_come_at_latent_size() -> None:
    pixels = np.zeros((1, 8, 12), np.float32)
    pixels[:, :3] = 1
    hard = latent_mask(pixels, 4, 6)
    assert hard[0, :, 0].tolist() == [1, 1, 0, 0]
    soft = latent_mask(pixels, 4, 6, soft=True)
    assert soft[0, :, 0].tolist() == [1, 0.5, 0, 0]
    with pytest.raises(DiffusionError, match="does not divide into 6x4 cells"):
        latent_mask(pixels[:, :7], 4, 6, soft=True)


def test_the_mix_is_the_papers_inside_the_window_only(start: Start) -> None:
    edit = semantic_mix(0.3, 0.2, 0.6)(start)
    x = torch.full(SHAPE, 2.0)
    for left in (0.6, 0.4, 0.2):
        layout = 0.75 * start.original + 0.25 * start.noise
        assert torch.allclose(edit(x, 0.25, left), 0.3 * x + 0.7 * layout)
    for left in (0.7, 0.1, 0.0):
        assert edit(x, 0.25, left) is x


def test_nu_1_from_the_beginning_is_plain_sampling_bit_for_bit() -> None:
    plain = run(picture(), Schedule("native", steps=8))
    mixed = run(picture(), Schedule("native", steps=8), (semantic_mix(1.0, 0.3, 1.0),))
    assert np.array_equal(plain.samples, mixed.samples)


def test_nu_0_to_the_end_gives_the_layout_back() -> None:
    back = run(picture(), Schedule("native", steps=8, start=0.4), (semantic_mix(0.0, 0.0, 0.6),))
    assert np.array_equal(back.samples, picture().samples)


@pytest.mark.parametrize("solver", list(solver_kinds()))
def test_more_layout_comes_nearer_to_the_layout_with_every_solver(solver: str) -> None:
    plan = Schedule("native", steps=10, start=0.2)
    away = [
        run(picture(), plan, (semantic_mix(nu, 0.1, 0.8),), solver=solver).samples
        for nu in (1.0, 0.6, 0.2)
    ]
    errors = [float(np.abs(result - picture().samples).mean()) for result in away]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.5 * errors[0]


@pytest.mark.parametrize("settings", [(1.2, 0.3, 0.6), (0.5, 0.7, 0.6), (0.5, -0.1, 0.6)])
def test_wrong_mix_settings_are_explained(settings: tuple[float, float, float]) -> None:
    with pytest.raises(DiffusionError, match="0 <= k_min <= k_max <= 1"):
        semantic_mix(*settings)
