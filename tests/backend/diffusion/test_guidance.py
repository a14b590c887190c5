from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from backend.diffusion.errors import DiffusionError
from backend.diffusion.guidance.cfg_zero import optimal_scale
from backend.diffusion.guide import guidance_kinds
from backend.diffusion.paths import FLOW, VE
from backend.diffusion.sample import GuidedModel, Hooks, integrate
from backend.diffusion.solver import solver_kinds
from backend.values import Guider, Term
from tests.backend.diffusion.gaussian import GaussianDenoiser, condition, guider, predict

SHAPE = (2, 3, 4, 4)
LEVELS = [1.0, 0.8, 0.55, 0.3, 0.1, 0.0]
POSITIVE, NEGATIVE = 1.0, -0.4


def run(given: Guider, x: Tensor, denoiser: Any = None, solver: str = "euler",
        levels: Sequence[float] = LEVELS) -> Tensor:  # fmt: skip
    model = GuidedModel(denoiser or GaussianDenoiser(), given, x.shape[0], Hooks())
    return integrate(model, solver_kinds()[solver], levels, x, {})


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(SHAPE)


def velocity(x: Tensor, sigma: float, mean: float) -> Tensor:
    return predict(GaussianDenoiser().process, x, sigma, mean)


def test_cfg_is_its_formula_in_one_batch_a_step(x: Tensor) -> None:
    denoiser = GaussianDenoiser()
    got = run(guider("cfg", POSITIVE, NEGATIVE, cfg=3.0), x, denoiser)
    for sigma, target in pairwise(LEVELS):
        low, high = velocity(x, sigma, NEGATIVE), velocity(x, sigma, POSITIVE)
        x = x + (target - sigma) * (low + 3.0 * (high - low))
    assert torch.allclose(got, x, atol=1e-5)
    assert [batch for batch, _ in denoiser.calls] == [4] * 5


def test_cfg_of_1_asks_only_the_positive(x: Tensor) -> None:
    denoiser = GaussianDenoiser()
    got = run(guider("cfg", POSITIVE, NEGATIVE, cfg=1.0), x, denoiser)
    assert torch.equal(got, run(guider("none", POSITIVE), x))
    assert [batch for batch, _ in denoiser.calls] == [2] * 5


def test_the_interval_is_counted_in_steps(x: Tensor) -> None:
    denoiser = GaussianDenoiser()
    settings = {"cfg": 3.0, "begin": 0.2, "end": 0.6}
    got = run(guider("cfg_interval", POSITIVE, NEGATIVE, **settings), x, denoiser)
    assert [batch for batch, _ in denoiser.calls] == [2, 4, 4, 2, 2]
    always = {"cfg": 3.0, "begin": 0.0, "end": 1.0}
    whole = run(guider("cfg_interval", POSITIVE, NEGATIVE, **always), x)
    assert torch.equal(whole, run(guider("cfg", POSITIVE, NEGATIVE, cfg=3.0), x))
    assert not torch.allclose(got, whole)


def test_cfg_zero_fits_the_negative_and_stands_still_first(x: Tensor) -> None:
    low, high = velocity(x, 0.8, NEGATIVE), velocity(x, 0.8, POSITIVE)
    scale = optimal_scale(high, low)
    assert scale.shape == (2, 1, 1, 1)
    for factor in (0.99, 1.01):
        assert ((high - scale * low) ** 2).sum() < ((high - factor * scale * low) ** 2).sum()
    got = run(guider("cfg_zero", POSITIVE, NEGATIVE, cfg=3.0), x, levels=[1.0, 0.8, 0.55])
    want = x + (0.55 - 0.8) * (scale * low + 3.0 * (high - scale * low))
    assert torch.allclose(got, want, atol=1e-5)
    still = run(guider("cfg_zero", POSITIVE, NEGATIVE, cfg=3.0), x, levels=[1.0, 0.8])
    assert torch.allclose(still, x, atol=1e-6)


def test_cfg_zero_without_a_zero_start_moves_at_once(x: Tensor) -> None:
    given = guider("cfg_zero", POSITIVE, NEGATIVE, cfg=3.0, zero_steps=0.0)
    assert not torch.allclose(run(given, x, levels=[1.0, 0.8]), x, atol=0.01)
    noise_model = GaussianDenoiser(VE, "epsilon")
    held = run(guider("cfg_zero", POSITIVE, NEGATIVE, cfg=3.0), x, noise_model, levels=[2.0, 1.0])
    assert not torch.allclose(held, x, atol=0.01)


@pytest.mark.parametrize("solver", list(solver_kinds()))
def test_cfg_pp_of_0_is_unconditional(solver: str, x: Tensor) -> None:
    got = run(guider("cfg_pp", POSITIVE, NEGATIVE, strength=0.0), x, solver=solver)
    assert torch.allclose(got, run(guider("none", NEGATIVE), x, solver=solver), atol=2e-5)


def test_cfg_pp_is_the_papers_step(x: Tensor) -> None:
    """x_s = a_s (x_t - s_t eps_l) / a_t + s_s eps_u, in flow form with a = 1 - t."""
    sigma, target, strength = 0.8, 0.55, 0.6
    eps = {}
    for mean in (POSITIVE, NEGATIVE):
        eps[mean] = x + (1 - sigma) * velocity(x, sigma, mean)
    guided = eps[NEGATIVE] + strength * (eps[POSITIVE] - eps[NEGATIVE])
    want = (1 - target) * (x - sigma * guided) / (1 - sigma) + target * eps[NEGATIVE]
    got = run(guider("cfg_pp", POSITIVE, NEGATIVE, strength=strength), x, levels=[sigma, target])
    assert torch.allclose(got, want, atol=1e-5)


def test_cfg_pp_with_dpmpp_2m_is_the_papers_form(x: Tensor) -> None:
    """D_l + e^-h (x - D_u) - expm1(-h) (D_u - D_u_before) / 2r, in variance exploding form."""
    levels, strength = [3.0, 2.0, 1.1, 0.5], 0.6
    denoiser = GaussianDenoiser(VE, "epsilon")
    got = run(
        guider("cfg_pp", POSITIVE, NEGATIVE, strength=strength), x, denoiser, "dpmpp_2m", levels
    )
    before, last = None, 0.0
    for sigma, target in pairwise(levels):
        free = x - sigma * predict(denoiser.process, x, sigma, NEGATIVE)
        full = x - sigma * predict(denoiser.process, x, sigma, POSITIVE)
        guided, h = free + strength * (full - free), math.log(sigma / target)
        moved = guided + math.exp(-h) * (x - free)
        if before is not None:
            ratio = math.log(last / sigma) / h
            moved = moved - math.expm1(-h) * (free - before) / (2 * ratio)
        x, before, last = moved, free, sigma
    assert torch.allclose(got, x, atol=1e-5)


class Frozen(GaussianDenoiser):
    """Noise predictions that depend on the level alone: what "frozen" means in the paper."""

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        torch.manual_seed(0)
        return torch.randn(x.shape, dtype=x.dtype) + prepared.to(x).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize("path", [FLOW, VE], ids=lambda p: p.name)
def test_cfg_pp_inversion_undoes_sampling_at_frozen_predictions(path: Any, x: Tensor) -> None:
    denoiser = Frozen(path, "epsilon")
    levels = [0.95, 0.7, 0.4, 0.1, 0.02]
    settings = {"strength": 0.6}
    down = run(guider("cfg_pp", POSITIVE, NEGATIVE, **settings), x, denoiser, levels=levels)
    given = guider("cfg_pp_inverse", POSITIVE, NEGATIVE, **settings)
    up = run(given, down, denoiser, levels=levels[::-1])
    assert (up - x).abs().max() < 1e-5
    wrong = run(
        guider("cfg_pp", POSITIVE, NEGATIVE, **settings), down, denoiser, levels=levels[::-1]
    )
    assert (wrong - x).abs().max() > 0.05


def test_cfg_pp_strength_is_a_fraction(x: Tensor) -> None:
    with pytest.raises(DiffusionError, match="between 0 and 1"):
        run(guider("cfg_pp", POSITIVE, NEGATIVE, strength=1.5), x)


def composed(*weighted: tuple[float, float]) -> Guider:
    terms = [Term("positive", condition(mean), weight) for mean, weight in weighted]
    return Guider("compose", {}, None, (*terms, Term("negative", condition(NEGATIVE))))


def test_a_composition_of_one_is_cfg_exactly(x: Tensor) -> None:
    one = run(composed((POSITIVE, 3.0)), x)
    assert (one - run(guider("cfg", POSITIVE, NEGATIVE, cfg=3.0), x)).abs().max() == 0


def test_a_composition_is_its_formula_in_one_batch(x: Tensor) -> None:
    denoiser = GaussianDenoiser()
    got = run(composed((1.0, 3.0), (2.0, 1.5), (0.5, -2.0)), x, denoiser, levels=[0.8, 0.55])
    base = velocity(x, 0.8, NEGATIVE)
    pushed = base
    for mean, weight in ((1.0, 3.0), (2.0, 1.5), (0.5, -2.0)):
        pushed = pushed + weight * (velocity(x, 0.8, mean) - base)
    assert torch.allclose(got, x + (0.55 - 0.8) * pushed, atol=1e-5)
    assert denoiser.calls == [(8, 0.8)]
    assert guidance_kinds()["compose"].branches(4) == 4


def test_negation_pushes_the_other_way(x: Tensor) -> None:
    towards, away = run(composed((2.0, 1.0)), x), run(composed((2.0, -1.0)), x)
    assert towards.mean() > NEGATIVE + 0.5
    assert away.mean() < NEGATIVE - 0.5


def test_missing_terms_are_explained(x: Tensor) -> None:
    with pytest.raises(DiffusionError, match="needs a negative"):
        run(guider("cfg", POSITIVE, cfg=2.0), x)
    with pytest.raises(DiffusionError, match="at least one"):
        run(Guider("compose", {}, None, (Term("negative", condition(0.0)),)), x)
    with pytest.raises(DiffusionError, match="no guidance 'psychic'"):
        run(guider("psychic", POSITIVE), x)
