"""CFG with the norms of tokens kept: by its formula, and by the calls that it makes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backend.diffusion.guidance.cfg_token_norm import apply, token_norms
from backend.diffusion.guide import Call
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.values import Term
from tests.backend.diffusion.gaussian import GaussianDenoiser, guider
from tests.backend.diffusion.test_guidance import NEGATIVE, POSITIVE, SHAPE, run


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (2, 3, 5, 4, 6)])
def test_the_norm_of_a_token_counts_its_cells_and_channels(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape)
    found = token_norms(x, 2)
    assert found.shape == (2, 1, *shape[2:])
    last = x[1][..., 2:4, 4:6].square().sum((0, -2, -1)).sqrt()
    for row, column in ((2, 4), (3, 4), (3, 5)):
        assert torch.allclose(found[1, 0, ..., row, column], last)
    assert torch.allclose(token_norms(x, 1)[:, 0], x.norm(dim=1))


def guided(positive: Tensor, negative: Tensor, cfg: float, patch: int) -> Tensor:
    """The velocity that two predictions lead to."""
    x = torch.zeros_like(positive)
    call = Call(
        x=x,
        sigma=0.5,
        step=0,
        steps=4,
        process=Process(FLOW, "velocity", patch=patch),
        terms=(Term("positive", POSITIVE), Term("negative", NEGATIVE)),
        params={"cfg": cfg},
        predict=lambda terms: [positive, negative][: len(terms)],
    )
    found = apply(call)
    return found.eps - found.x0


@pytest.mark.parametrize("cfg", [0.5, 4.0])
def test_tokens_are_turned_and_keep_their_length(cfg: float) -> None:
    torch.manual_seed(0)
    positive, negative = torch.randn(2, 3, 4, 6), torch.randn(2, 3, 4, 6)
    found = guided(positive, negative, cfg, 2)
    assert torch.allclose(token_norms(found, 2), token_norms(positive, 2), rtol=1e-4)
    plain = negative + cfg * (positive - negative)
    ratio = found / plain
    assert torch.allclose(ratio[:, :, :2, :2], ratio[:, :1, :1, :1].expand(2, 3, 2, 2), rtol=1e-3)
    assert not torch.allclose(found, guided(positive, negative, cfg, 1), rtol=1e-2)


def test_nothing_stays_nothing() -> None:
    zero = torch.zeros(1, 3, 4, 4)
    assert torch.equal(guided(zero, zero, 4.0, 2), zero)


def test_at_1_the_negative_is_not_asked() -> None:
    torch.manual_seed(0)
    x, denoiser = torch.randn(SHAPE), GaussianDenoiser()
    alone = run(guider("cfg_token_norm", POSITIVE, NEGATIVE, cfg=1.0), x, denoiser)
    assert {batch for batch, _ in denoiser.calls} == {2}
    assert torch.equal(alone, run(guider("none", POSITIVE), x))
