from __future__ import annotations

import math

import pytest
import torch

from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW, VE, VP, Path, split
from backend.diffusion.process import Process
from tests.backend.diffusion.gaussian import posterior, predict

PATHS = [FLOW, VE, VP]


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.name)
@pytest.mark.parametrize("kind", ["velocity", "epsilon", "x0", "v"])
def test_every_parametrisation_says_the_same(path: Path, kind: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    for sigma in (0.1, 0.5, 0.9):
        out = predict(Process(path, kind), x, sigma, 0.3)
        estimate = split(path, kind, x, sigma, out)
        want = posterior(path, x, sigma, 0.3)
        assert torch.allclose(estimate.x0, want, atol=1e-12)
        assert torch.allclose(path.noisy(estimate.x0, estimate.eps, sigma), x, atol=1e-12)


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.name)
def test_a_move_is_straight_along_the_slope(path: Path) -> None:
    x0, eps = torch.tensor(0.4), torch.tensor(-1.3)
    for sigma, target in ((0.9, 0.3), (0.3, 0.9)):
        here, there = path.noisy(x0, eps, sigma), path.noisy(x0, eps, target)
        straight = here / path.unit(sigma) + (target - sigma) * path.slope(x0, eps)
        assert torch.allclose(straight * path.unit(target), there, atol=1e-6)


def test_log_snr_is_what_it_says_and_finite_at_pure_noise() -> None:
    assert FLOW.log_snr(0.5) == 0.0
    assert VE.log_snr(2.0) == pytest.approx(-math.log(2.0))
    assert VP.log_snr(2.0) == pytest.approx(VE.log_snr(2.0))
    assert FLOW.log_snr(0.0) == math.inf
    assert FLOW.log_snr(1.0) == pytest.approx(math.log(1e-6))


def test_a_start_without_an_image_has_the_paths_variance() -> None:
    noise = torch.ones(1)
    assert FLOW.start(noise, 1.0) == VP.start(noise, 14.6) == 1.0
    assert VE.start(noise, 14.6).item() == pytest.approx(math.hypot(1, 14.6))


def test_undefined_predictions_are_refused() -> None:
    x = torch.zeros(1)
    with pytest.raises(DiffusionError, match="pure noise"):
        split(FLOW, "epsilon", x, 1.0, x)
    with pytest.raises(DiffusionError, match="sigma 0"):
        split(FLOW, "x0", x, 0.0, x)
