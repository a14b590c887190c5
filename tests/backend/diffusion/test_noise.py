from __future__ import annotations

import pytest
import torch

from backend.diffusion.errors import DiffusionError
from backend.diffusion.noise import draw, gaussian, sample_seed
from backend.values import Noise


def test_the_first_sample_is_plain_randn() -> None:
    want = torch.randn((4, 6, 5), generator=torch.Generator().manual_seed(42))
    assert torch.equal(gaussian(42, (3, 4, 6, 5))[0], want)


def test_a_sample_of_a_batch_is_that_sample_alone() -> None:
    batch = gaussian(7, (5, 4, 8, 8))
    for index in range(5):
        assert torch.equal(batch[index], gaussian(sample_seed(7, index), (1, 4, 8, 8))[0])
    assert torch.equal(batch[:2], gaussian(7, (2, 4, 8, 8)))


def test_samples_and_neighbouring_seeds_share_nothing() -> None:
    seeds = [sample_seed(s, i) for s in range(50) for i in range(50)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= s < 2**63 for s in seeds)
    assert sample_seed(2**63 - 1, 3) != sample_seed(0, 2)


def test_noise_is_standard_normal() -> None:
    noise = gaussian(1, (8, 4, 64, 64))
    assert abs(noise.mean().item()) < 0.01
    assert abs(noise.std().item() - 1) < 0.01
    correlation = torch.corrcoef(noise.flatten(1)).fill_diagonal_(0).abs().max()
    assert correlation < 0.05


def test_kinds_of_noise() -> None:
    assert torch.equal(draw(Noise("gaussian", seed=3), (1, 2, 2, 2)), gaussian(3, (1, 2, 2, 2)))
    assert not draw(Noise("none"), (1, 2, 2, 2)).any()
    with pytest.raises(DiffusionError, match="no noise 'pink'"):
        draw(Noise("pink"), (1, 2))
