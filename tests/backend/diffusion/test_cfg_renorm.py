"""CFG-Renorm by its formula, and CFG-Trunc by the calls that it saves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backend.diffusion.guidance.cfg_renorm import renorm
from tests.backend.diffusion.gaussian import GaussianDenoiser, guider
from tests.backend.diffusion.test_guidance import NEGATIVE, POSITIVE, SHAPE, run


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(SHAPE)


def test_each_sample_is_scaled_down_and_never_up() -> None:
    torch.manual_seed(1)
    positive = torch.randn(3, 2, 4, 5)
    guided = positive * torch.tensor([0.5, 1.0, 4.0]).reshape(3, 1, 1, 1)
    got = renorm(guided, positive, 1.0).flatten(1).norm(dim=1)
    whole = positive.flatten(1).norm(dim=1)
    assert torch.allclose(got, whole * torch.tensor([0.5, 1.0, 1.0]))
    assert torch.allclose(renorm(guided, positive, 2.0)[2], positive[2] * 2, atol=1e-6)
    assert torch.equal(renorm(positive * 0, positive, 1.0), positive * 0)


def test_a_wide_limit_is_plain_cfg_and_a_narrow_one_is_not(x: Tensor) -> None:
    plain = run(guider("cfg", POSITIVE, NEGATIVE, cfg=3.0), x)
    wide = run(guider("cfg_renorm", POSITIVE, NEGATIVE, cfg=3.0, limit=1e6), x)
    assert torch.equal(plain, wide)
    held = run(guider("cfg_renorm", POSITIVE, NEGATIVE, cfg=3.0), x)
    assert not torch.allclose(plain, held, atol=1e-2)


def test_outside_its_part_of_the_run_it_costs_one_evaluation(x: Tensor) -> None:
    denoiser = GaussianDenoiser()
    run(guider("cfg_renorm", POSITIVE, NEGATIVE, cfg=3.0, begin=0.2, end=0.6), x, denoiser)
    assert [batch for batch, _ in denoiser.calls] == [2, 4, 4, 2, 2]
