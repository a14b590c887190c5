"""The middle block of an autoencoder stops where it is told to, and computes the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backend.models.tiling import middle as module
from backend.models.tiling.middle import LEAST, middle
from backend.sdk import Cancelled
from tests.backend.models import tiny

SIDE = 20
CONVOLUTIONS = 4
"""Two residual blocks with two each."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Portions as small as they can be; gives a list to count in."""
    monkeypatch.setitem(module.SCORES, "cpu", 1)
    return []


def plane(block: torch.nn.Module) -> Tensor:
    width = block.resnets[0].in_channels
    return torch.randn(1, width, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def portions() -> int:
    return -(-(SIDE**2) // LEAST)


def test_it_is_asked_before_every_portion_and_gives_what_the_whole_gives(asked: list[int]) -> None:
    block = tiny.vae().decoder.mid_block
    x = plane(block)
    with torch.no_grad():
        whole = block(x, None)
        found = middle(block, x, lambda: asked.append(1))
    assert len(asked) == CONVOLUTIONS + portions()
    assert ((found - whole).norm() / whole.norm()).item() < 1e-5
    without = block.resnets[1](block.resnets[0](x, None), None)
    assert ((found - without).norm() / whole.norm()).item() > 1e-3  # attention says something


def test_it_ends_at_the_portion_where_it_is_told_to(asked: list[int]) -> None:
    block = tiny.vae().decoder.mid_block
    attended = 0

    def count(*_: object) -> None:
        nonlocal attended
        attended += 1

    block.attentions[0].to_out[0].register_forward_hook(count)

    def pause() -> None:
        asked.append(1)
        if len(asked) == 2 + 3:  # behind the first residual block and two portions
            raise Cancelled

    with torch.no_grad(), pytest.raises(Cancelled):
        middle(block, plane(block), pause)
    assert len(asked) == 5
    assert attended == 0
    # Nothing of it is left on the thread.
    with torch.no_grad():
        block(plane(block), None)
    assert len(asked) == 5


def test_what_is_small_goes_in_one_portion() -> None:
    block = tiny.vae().decoder.mid_block
    x, asked = plane(block), []
    with torch.no_grad():
        found = middle(block, x, lambda: asked.append(1))
        assert torch.equal(found, block(x, None))
    assert len(asked) == CONVOLUTIONS + 1
