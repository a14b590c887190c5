"""Another text in a border: by its formula, and nothing else without a border."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backend.diffusion.errors import DiffusionError
from backend.values import Guider, Term
from tests.backend.diffusion.gaussian import GaussianDenoiser, guider
from tests.backend.diffusion.test_guidance import NEGATIVE, POSITIVE, SHAPE, run


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(SHAPE)


def bordered(border: float, cfg: float) -> Guider:
    terms = guider("cfg", POSITIVE, NEGATIVE).terms
    around = Term("border", terms[1].conditioning)
    return Guider("bordered", {"cfg": cfg, "border": border}, None, (*terms, around))


def test_without_a_border_it_is_cfg_to_the_bit(x: Tensor) -> None:
    plain = run(guider("cfg", POSITIVE, NEGATIVE, cfg=3.0), x)
    assert torch.equal(run(bordered(0.0, 3.0), x), plain)


def test_the_middle_follows_one_text_and_the_border_the_other(x: Tensor) -> None:
    rows, columns = (round(0.3 * side) for side in SHAPE[-2:])
    assert rows
    assert columns
    inside = torch.zeros(SHAPE, dtype=bool)
    inside[..., rows : SHAPE[-2] - rows, columns : SHAPE[-1] - columns] = True
    # The toy denoiser looks at each place alone, so each is as if sampled with its own text.
    middle = run(guider("none", POSITIVE), x)
    around = run(guider("none", NEGATIVE), x)
    made = run(bordered(0.3, 1.0), x)
    assert torch.allclose(made[inside], middle[inside], atol=1e-5)
    assert torch.allclose(made[~inside], around[~inside], atol=1e-5)


def test_it_asks_all_texts_at_once(x: Tensor) -> None:
    for border, cfg, terms in ((0.3, 1.0, 2), (0.3, 3.0, 3), (0.0, 3.0, 2), (0.0, 1.0, 1)):
        denoiser = GaussianDenoiser()
        run(bordered(border, cfg), x, denoiser)
        assert {batch for batch, _ in denoiser.calls} == {terms * len(x)}


def test_a_border_needs_a_text(x: Tensor) -> None:
    lone = Guider("bordered", {"border": 0.3}, None, guider("none", POSITIVE).terms)
    with pytest.raises(DiffusionError, match="border"):
        run(lone, x)
