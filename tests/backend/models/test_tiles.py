from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.diffusion.errors import DiffusionError
from backend.models.tiling.tiles import Coding, Tiling, blend
from backend.sdk import Cancelled
from backend.train.world import scenes
from backend.values import Image
from nodes.latents import vae_decode, vae_encode
from nodes.loaders import load_model
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(__file__).parents[3] / "resources/models/primer"
sizes = st.integers(2, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1)))


@given(sizes, st.integers(1, 90))
def test_tiles_cover_a_side_and_overlap_enough(size: tuple[int, int], length: int) -> None:
    tiling = Tiling(*size)
    starts = tiling.starts(length)
    assert starts[0] == 0
    assert starts[-1] == max(0, length - tiling.size)
    steps = [b - a for a, b in pairwise(starts)]
    assert all(0 < step <= tiling.size - tiling.overlap for step in steps)


@given(sizes, st.integers(1, 40), st.integers(1, 40), st.sampled_from([(1, 1), (4, 1)]))
def test_tiles_that_agree_give_back_the_whole(
    size: tuple[int, int], height: int, width: int, scale: tuple[int, int]
) -> None:
    plane = np.random.default_rng(0).random((2, 3, height, width), np.float32)

    def larger(part: np.ndarray) -> np.ndarray:
        return part.repeat(scale[0], -1).repeat(scale[0], -2)

    found = blend(plane, Tiling(*size), scale, larger)
    assert np.allclose(found, larger(plane), atol=1e-5)


def test_a_seam_fades_instead_of_jumping() -> None:
    """Two tiles that disagree: the step between neighbouring cells is a part of the difference."""
    made = iter((0.0, 1.0))
    found = blend(
        np.zeros((1, 1, 8, 14), np.float32), Tiling(8, 2), (8, 1),
        lambda part: np.full((1, 1, 64, 64), next(made), np.float32),
    )  # fmt: skip
    steps = np.abs(np.diff(found[0, 0, 0]))
    assert found[0, 0, 0, 0] == 0
    assert found[0, 0, 0, -1] == 1
    assert 0 < steps.max() < 0.1


@pytest.mark.parametrize("overlap", [0, 8, 9])
def test_an_overlap_that_is_none_is_refused(overlap: int) -> None:
    with pytest.raises(DiffusionError, match="cannot overlap"):
        Tiling(8, overlap)


def test_tiles_are_told_in_pixels() -> None:
    with pytest.raises(DiffusionError, match="Tiles of 32 pixels cannot overlap by 64"):
        Coding(tile=32, overlap=64).tiling(64, 64, 8)
    assert Coding(tile=64).tiling(64, 64, 8) == Tiling(8, 2)  # a quarter, where none is given
    assert Coding(tile=8).tiling(64, 64, 8) == Tiling(2, 1)


@pytest.fixture(scope="module")
def wide() -> Image:
    """Four scenes of the world side by side."""
    pictures = [scene.pixels for scene in scenes(5, 4, "any")]
    rows = [np.concatenate(pictures[i : i + 2], 1) for i in (0, 2)]
    return Image(np.concatenate(rows, 0)[None].astype(np.float32) / 255)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((first.astype(np.float64) - second) ** 2)))


def test_tiles_of_a_real_vae_are_close_to_the_whole(wide: Image) -> None:
    """Latent Diffusion's row: a tiled decode equals the full one to 45 dB. The four scenes have
    backgrounds of their own, so tiles normed apart would differ in colour (22 dB)."""
    ctx = FakeDevice({"primer": PRIMER})
    vae = load_model(ctx, "primer").vae
    latent = vae_encode(ctx, vae, wide)
    whole = vae_decode(ctx, vae, latent).pixels
    tiled = vae_decode(ctx, vae, latent, tile=128, overlap=64).pixels
    print(f"tiled decode {psnr(whole, tiled):.1f} dB")
    assert psnr(whole, tiled) > 45
    assert ctx.done[-1] == (8, 9)
    parts = vae_encode(ctx, vae, wide, tile=128, overlap=64)
    back = vae_decode(ctx, vae, parts).pixels
    print(f"tiled encode {psnr(whole, back):.1f} dB")
    assert psnr(whole, back) > 45
    assert parts.space == latent.space
    assert np.array_equal(vae_decode(ctx, vae, latent, tile=256).pixels, whole)


def test_a_cancelled_run_stops_between_tiles(wide: Image) -> None:
    ctx = FakeDevice({"primer": PRIMER})
    vae = load_model(ctx, "primer").vae
    latent = vae_encode(ctx, vae, wide)
    ctx.cancel_at = ctx.checks + 30
    with pytest.raises(Cancelled):
        vae_decode(ctx, vae, latent, tile=64, overlap=32)


def test_wide_keeps_what_clipping_loses(wide: Image) -> None:
    ctx = FakeDevice({"primer": PRIMER})
    vae = load_model(ctx, "primer").vae
    latent = vae_encode(ctx, vae, wide)
    far = latent.but(samples=latent.samples * 1.5)
    open_ended, clipped = vae_decode(ctx, vae, far, wide=True), vae_decode(ctx, vae, far)
    assert open_ended.pixels.max() > 1.01
    assert np.array_equal(open_ended.pixels.clip(0, 1), clipped.pixels)
