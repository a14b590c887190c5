"""Texts of different lengths go through an encoder without their padding."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

from backend.models.texts import encode_unpadded

LENGTH, WORDS = 32, 50
SHAPE = {"vocab_size": WORDS, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}


@pytest.fixture(params=["t5", "umt5"])
def encoder(request):
    torch.manual_seed(20261122)
    if request.param == "t5":
        return T5EncoderModel(T5Config(**SHAPE, feed_forward_proj="gated-gelu")).eval()
    return UMT5EncoderModel(UMT5Config(**SHAPE)).eval()


def coded(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token numbers and masks of texts of these lengths, padded with 0."""
    drawn = torch.randint(
        1, WORDS, (len(lengths), LENGTH), generator=torch.Generator().manual_seed(1)
    )
    mask = (torch.arange(LENGTH)[None] < torch.tensor(lengths)[:, None]).long()
    return drawn * mask, mask


def flops(encoder, ids: torch.Tensor, mask: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counted:
        encode_unpadded(encoder, ids, mask, "cpu")
    return counted.get_total_flops()


@pytest.mark.parametrize("beyond", [0, 1])
def test_it_gives_what_padded_texts_give(encoder, beyond):
    ids, mask = coded(3, 17, 3, 1, LENGTH)
    with torch.no_grad():
        padded = encoder(ids, attention_mask=mask)[0]
    found, kept = encode_unpadded(encoder, ids, mask, "cpu", beyond)
    assert found.shape == (5, LENGTH, 16)
    for row, length in enumerate((3, 17, 3, 1, LENGTH)):
        end = min(length + beyond, LENGTH)
        assert kept[row].sum() == end
        assert torch.allclose(found[row, :end], padded[row, :end], atol=1e-5)
        assert not found[row, end:].any()


def test_what_is_computed_is_in_proportion_to_the_tokens(encoder):
    """But for attention, whose cost grows with the square of a text's length."""
    alone = {length: flops(encoder, *coded(length)) for length in (2, 8, 16, LENGTH)}
    together = flops(encoder, *coded(2, 8, 16, 2))
    assert together == 2 * alone[2] + alone[8] + alone[16]
    assert alone[16] / alone[2] == pytest.approx(8, rel=0.1)
    assert together < 0.3 * 4 * alone[LENGTH]


def test_it_is_as_long_as_the_longest_text(encoder):
    found, kept = encode_unpadded(encoder, *coded(4, 9), "cpu")
    assert (found.shape[1], kept.sum(1).tolist()) == (9, [4, 9])
