"""Pictures in tiles: the same as whole where tiles see enough, in memory that does not grow."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.diffusion.errors import DiffusionError
from backend.models.tiling.tiles import Tiling
from backend.models.upscale.enlarging import enlarged
from backend.models.upscale.pieces import Pieces, enlarge, fade
from backend.sdk import Cancelled, UserError
from backend.values import Image

REACH = 3
"""Pixels that the network of these tests looks at to each side."""


class Toy:
    """A few random convolutions that see ``REACH`` pixels around, then twice as large."""

    scale, whole, title = 2, False, "toy"

    def __init__(self, channels: int = 3) -> None:
        self.channels = channels
        generator = torch.Generator().manual_seed(4)
        widths = [channels, 6, 6, channels * 4]
        self.layers = [
            torch.randn(out, into, 3, 3, generator=generator) / (9 * into) ** 0.5
            for into, out in pairwise(widths)
        ]
        assert len(self.layers) == REACH

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
        for weight in self.layers:
            x = torch.tanh(torch.nn.functional.conv2d(x, weight, padding=1))
        made = torch.nn.functional.pixel_shuffle(x, 2)[0].permute(1, 2, 0) * 0.5 + 0.5
        return made.numpy()


def picture(*shape: int) -> Image:
    return Image(np.random.default_rng(2).random(shape, np.float32))


@pytest.mark.parametrize("size", [(64, 64), (41, 70), (33, 32), (20, 90)])
def test_tiles_are_the_same_as_the_whole_where_they_see_enough(size: tuple[int, int]) -> None:
    toy, image = Toy(), picture(2, *size, 3)
    whole = enlarged(toy, image, Pieces(0, 1)).pixels
    parted = enlarged(toy, image, Pieces(32, 4 * REACH)).pixels
    assert np.abs(whole - parted).max() < 1e-5


def test_tiles_that_see_too_little_differ_at_their_seams() -> None:
    toy, image = Toy(), picture(1, 62, 62, 3)
    far = np.abs(
        enlarged(toy, image, Pieces(0, 1)).pixels - enlarged(toy, image, Pieces(32, 2)).pixels
    )[0].max(-1)
    assert far[:, 58:66].max() > 1 / 255
    assert far[:50, :50].max() < 1e-5


@given(
    st.integers(2, 24).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n // 2))),
    st.integers(1, 120),
    st.sampled_from([1, 2, 4]),
)
def test_the_weights_of_all_tiles_add_up_to_one(
    tile: tuple[int, int], length: int, scale: int
) -> None:
    tiling = Tiling(*tile)
    total = np.zeros(length * scale)
    for start in tiling.starts(length):
        weights = fade(tiling, start, length, scale)
        total[start * scale : start * scale + len(weights)] += weights
    assert np.allclose(total, 1, atol=1e-5)


def test_memory_does_not_grow_with_the_picture() -> None:
    """Beside the result, what one tile takes."""

    def work(piece: np.ndarray) -> np.ndarray:
        return piece.repeat(4, 0).repeat(4, 1)

    beside = []
    for side in (64, 256):
        pixels = picture(1, side, side, 3).pixels
        tracemalloc.start()
        made = enlarge(pixels, 4, 3, Pieces(32, 8), work)
        beside.append(tracemalloc.get_traced_memory()[1] - made.nbytes)
        tracemalloc.stop()
        assert not made.flags.writeable
        assert Image(made).pixels is made  # nobody copies it
    assert beside[1] < 1.5 * beside[0]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("own", [1, 3])
def test_any_channels_go_through_any_network(channels: int, own: int) -> None:
    image = picture(1, 12, 16, channels)
    made = enlarged(Toy(own), image, Pieces(0, 1))
    assert made.pixels.shape == (1, 24, 32, channels)
    if channels == 4:
        near = image.pixels[0, ..., 3].repeat(2, 0).repeat(2, 1)
        assert np.abs(made.pixels[0, ..., 3] - near).mean() < 0.2


def test_linear_light_is_shown_as_srgb() -> None:
    class Same(Toy):
        scale = 1

        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            self.seen = pixels
            return pixels

    same, image = Same(), Image(np.full((1, 4, 4, 3), 0.5, np.float32), "linear")
    made = enlarged(same, image, Pieces(0, 1))
    assert np.allclose(same.seen, 0.7354, atol=1e-3)
    assert np.allclose(made.pixels, 0.5, atol=1e-5)
    assert made.space == "linear"


def test_a_cancel_stops_between_tiles() -> None:
    heard: list[tuple[int, int]] = []

    def told(done: int, total: int) -> None:
        heard.append((done, total))
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        enlarged(Toy(), picture(1, 64, 64, 3), Pieces(32, 8), told)
    assert heard == [(k, 9) for k in range(4)]


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(DiffusionError, match="no more than half of a tile"):
        Pieces(32, 17)
    with pytest.raises(DiffusionError, match="no more than half of a tile"):
        Pieces(32, 0)
    huge = Toy()
    huge.scale = 100_000
    with pytest.raises(UserError, match="pixels"):
        enlarged(huge, picture(1, 4, 4, 3), Pieces(0, 1))
