"""Compressed keys against PixArt-Sigma's formula, written out with a convolution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import conv2d, scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from backend.catalog.errors import CatalogError
from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.models.patches.compressed_keys import compress
from backend.models.seams import sites
from backend.models.seams.sites import Attention, spans
from backend.values import Guider, Patch, Term
from tests.backend.models import tiny_pixart, tiny_sdxl, tiny_wan
from tests.backend.models.test_seams import Bench, far

WRITERS = {"pixart": tiny_pixart.write, "sdxl": tiny_sdxl.write}


@pytest.fixture(scope="module", params=["pixart", "sdxl", "sd3"])
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sd3_folder: Path
) -> Bench:
    if request.param == "sd3":
        return Bench(sd3_folder)
    return Bench(WRITERS[request.param](tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def plain(bench: Bench) -> np.ndarray:
    return bench.run()


def attention(height: int, width: int, text: int = 0, mask: Any = None) -> Attention:
    """One attention over a latent of patches of 2x2, image tokens before those of the text."""
    generator = torch.Generator().manual_seed(0)
    image = height // 2 * (width // 2)
    parts = [torch.randn((2, 3, image + text, 8), generator=generator) for _ in range(3)]
    moment = Moment(0.5, 0, 1, (2, 4, height, width), (), 2, image)
    site = sites.Site("x", "", "", "image text" if text else "self")
    given = spans(site, image + text, image + text, image)
    return Attention(site, 0, 1, moment, given, *parts, mask, {})


@pytest.mark.parametrize("ratio", [2, 4])
@pytest.mark.parametrize("text", [0, 5])
def test_it_is_the_papers_convolution_before_training(ratio: int, text: int) -> None:
    """A depthwise convolution of stride R with weights 1 / R^2."""
    call = attention(16, 24, text)
    image = 8 * 12
    weight = torch.full((8, 1, ratio, ratio), 1 / ratio**2)

    def fewer(tokens: torch.Tensor) -> torch.Tensor:
        grid = tokens[:, :, :image].reshape(6, 8, 12, 8).permute(0, 3, 1, 2)
        made = conv2d(grid, weight, stride=ratio, groups=8).flatten(2).transpose(1, 2)
        return torch.cat([made.reshape(2, 3, -1, 8), tokens[:, :, image:]], 2)

    key, value = fewer(call.key), fewer(call.value)
    assert key.shape[2] == image // ratio**2 + text
    expected = scaled_dot_product_attention(call.query, key, value)
    found = compress(call, ratio, 2, (True, True))
    assert torch.allclose(found, expected, atol=1e-6)
    one = compress(call, ratio, 2, (True, False))
    assert torch.allclose(one[0], expected[0], atol=1e-6)
    assert torch.equal(one[1], call.attend()[1])


def test_at_an_edge_the_mean_is_of_what_is_there() -> None:
    call = attention(6, 10)
    call = call.but(value=torch.ones_like(call.value))
    assert torch.allclose(compress(call, 2, 2, (True, True)), torch.ones(2, 3, 15, 8))


def test_what_has_no_neighbours_is_refused() -> None:
    call = attention(8, 8)
    with pytest.raises(DiffusionError, match="masks some of its keys"):
        compress(call.but(mask=torch.ones(1, 1, 16, 16)), 2, 2, (True, True))
    odd = Moment(0.5, 0, 1, (2, 4, 10, 14), (), 2, 16)
    with pytest.raises(DiffusionError, match=r"16 image tokens.*14x10 cells"):
        compress(call.but(moment=odd), 2, 2, (True, True))


def test_ratio_1_changes_no_bit(bench: Bench, plain: np.ndarray) -> None:
    assert np.array_equal(bench.run((Patch("compressed_keys", 1.0, {"ratio": 1}),)), plain)


def test_more_layers_and_larger_ratios_change_more(bench: Bench, plain: np.ndarray) -> None:
    def moved(**params: Any) -> float:
        return far(bench.run((Patch("compressed_keys", 1.0, params),)), plain)

    assert 0 < moved(ratio=2, layers=(0,)) < moved(ratio=2, layers=(0, 1))
    assert moved(ratio=2) < moved(ratio=8, layers=(0, 1))
    assert 0 < moved(ratio=2, begin=0.75) < moved(ratio=2)
    assert np.array_equal(bench.run(), plain)


def flops(attend: Callable[[], torch.Tensor]) -> int:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        attend()
    return counter.get_total_flops()


@pytest.mark.parametrize("learnt", [False, True])
def test_at_4096_tokens_a_layer_needs_60_percent_less(learnt: bool) -> None:
    """Counted by torch, the convolutions along; the deeper half of the layers alone therefore saves
    three eighths of all attention."""
    made = attention(128, 128)
    call = made.but(**{n: getattr(made, n).to("meta") for n in ("query", "key", "value")})
    assert call.key.shape[2] == 4096
    kernels = (torch.full((24, 2, 2), 0.25, device="meta"),) * 2 if learnt else None
    dense = flops(call.attend)
    assert dense == 4 * 2 * 3 * 4096**2 * 8
    fewer = flops(lambda: compress(call, 2, 2, (True, True), kernels))
    assert fewer <= 0.4 * dense
    assert fewer == pytest.approx(dense / 4, rel=0.01)


def test_means_as_kernels_are_the_means_at_edges_too() -> None:
    for height, width, ratio in ((16, 24, 2), (6, 10, 2), (10, 14, 4)):
        call = attention(height, width, text=3)
        kernels = (torch.full((24, ratio, ratio), 1 / ratio**2),) * 2
        learnt = compress(call, ratio, 2, (True, True), kernels)
        assert torch.allclose(learnt, compress(call, ratio, 2, (True, True)), atol=1e-6)


def test_every_channel_of_keys_and_values_has_its_own_kernel() -> None:
    call = attention(8, 8)
    key, value = torch.randn(2, 24, 2, 2, generator=torch.Generator().manual_seed(1)).unbind(0)

    def fewer(tokens: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        image = tokens.reshape(2, 3, 2, 2, 2, 2, 8)  # rows and columns, each in pairs
        return torch.einsum("bhrickw,hwik->bhrcw", image, kernel.view(3, 8, 2, 2)).flatten(2, 3)

    expected = scaled_dot_product_attention(
        call.query, fewer(call.key, key), fewer(call.value, value)
    )
    found = compress(call, 2, 2, (True, True), (key, value))
    assert torch.allclose(found, expected, atol=1e-5)
    with pytest.raises(CatalogError, match="keys of 24 channels, but this model's have 16"):
        compress(call.but(key=call.key[:, :2]), 2, 2, (True, True), (key, value))


def test_strength_0_changes_no_bit_and_no_half_is_offered(bench: Bench, plain: np.ndarray) -> None:
    assert np.array_equal(bench.run((Patch("compressed_keys", 0.0, {"ratio": 2}),)), plain)
    with pytest.raises(DiffusionError, match=r"strength is 1 or 0, not 0\.5"):
        bench.run((Patch("compressed_keys", 0.5, {"ratio": 2}),))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"ratio": 3}, "by 1, 2, 4, 8, not by 3"),
        ({"ratio": "two"}, "'ratio' must be a number"),
        ({"layers": (99,)}, "layers 99 cannot be compressed"),
        ({"layers": (0.5,)}, "layers 0.5 cannot"),
        ({"layers": ("a",)}, "layers a cannot"),
        ({"begin": 0.5, "end": 0.2}, "range of steps"),
    ],
)
def test_settings_that_do_not_fit_are_explained(
    bench: Bench, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(DiffusionError, match=said):
        bench.run((Patch("compressed_keys", 1.0, params),))


def test_videos_are_refused(tmp_path: Path) -> None:
    bench = Bench(tiny_wan.write(tmp_path))
    with pytest.raises(DiffusionError, match="make videos"):
        bench.run((Patch("compressed_keys", 1.0),))


def test_one_term_alone_can_have_it(bench: Bench, plain: np.ndarray) -> None:
    positive, negative = bench.terms()
    patched = Term(
        "negative", negative.conditioning, patches=(Patch("compressed_keys", 1.0, {"ratio": 2}),)
    )
    guider = Guider("cfg", {"cfg": 3.0}, bench.refs.model, (positive, patched))
    one = far(bench.run(guider=guider), plain)
    both = far(bench.run((Patch("compressed_keys", 1.0, {"ratio": 2}),)), plain)
    assert one > 0
    assert one != both
