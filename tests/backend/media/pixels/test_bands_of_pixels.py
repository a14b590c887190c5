"""Whatever is done to pixels gives the same bits in bands as in one piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.media.pixels import blur, composite, frames, masks, resample, sheets, stacks, tone
from backend.values import Color, Image, Mask
from tests.backend.media.banded import WHOLE, banded

GLASS = Color(0.2, 0.5, 0.9, 0.4)


def resized(image: Image, width: int, height: int, mode: Any, **how: Any) -> Image:
    fit = resample.plan_resize((image.width, image.height), (width, height), mode)
    return resample.resize(image, fit, color=GLASS, **how)


WORK: dict[str, Callable[[Image, Mask], Any]] = {
    "blur": lambda i, m: blur.blur(i, 1.3),
    "blur in linear light": lambda i, m: blur.blur(i, 0.6, linear=True),
    "blur by Fourier": lambda i, m: blur.blur(i, 13.0),
    "sharpen": lambda i, m: blur.sharpen(i, 0.8, 1.0, 0.05),
    "feather": lambda i, m: blur.feather(m, 2.0),
    "levels": lambda i, m: tone.levels(i, 0.1, 0.8, 1.7, 0.2, 0.9),
    "adjust": lambda i, m: tone.adjust(i, 1.2, 0.9, 1.4, 30.0),
    "grayscale": lambda i, m: tone.grayscale(i),
    "negative": lambda i, m: tone.negative(i),
    "larger": lambda i, m: resized(i, 17, 23, "stretch"),
    "smaller": lambda i, m: resized(i, 3, 2, "stretch", filter="area"),
    "nearest": lambda i, m: resized(i, 11, 5, "stretch", filter="nearest"),
    "in linear light": lambda i, m: resized(i, 9, 14, "fill", linear=True),
    "padded to a size": lambda i, m: resized(i, 15, 15, "pad", filter="bicubic"),
    "composite": lambda i, m: composite.composite(i, i, m, 1, -1, 0.7, "soft light"),
    "solid": lambda i, m: composite.solid(i.width, i.height, GLASS, 2),
    "alpha of": lambda i, m: composite.alpha_of(i),
    "without alpha": lambda i, m: composite.without_alpha(i),
    "joined alpha": lambda i, m: composite.joined_alpha(i, m),
    "union": lambda i, m: masks.combine(m, masks.invert(m), "exclude"),
    "grow": lambda i, m: masks.grow(m, 2.3),
    "shrink": lambda i, m: masks.grow(m, -1.5),
    "mask of a channel": lambda i, m: masks.from_channel(i, "luminance"),
    "mask of alpha": lambda i, m: masks.from_channel(i, "alpha"),
    "mask of a colour": lambda i, m: masks.from_color(i, GLASS, 0.3, 0.4),
    "mask to image": lambda i, m: masks.to_image(m),
    "rectangle": lambda i, m: masks.draw_shape((i.width, i.height), "rectangle", 0.5, 1, 4, 2.3),
    "ellipse": lambda i, m: masks.draw_shape((i.width, i.height), "ellipse", 0.5, 1, 4, 2.3),
    "crop": lambda i, m: frames.crop(i, (0, 0, 1 + i.width // 2, i.height)),
    "pad with a colour": lambda i, m: frames.pad(i, 1, 2, 3, 0, "color", GLASS),
    "pad with mirrors": lambda i, m: frames.pad(i, 4, 3, 0, 5, "reflect", GLASS),
    "turn": lambda i, m: frames.turn(i, "90 left"),
    "flip": lambda i, m: frames.turn(i, "flip vertical"),
    "stack": lambda i, m: stacks.stack([i, composite.without_alpha(i)]),
    "unstack": lambda i, m: stacks.unstack(i)[-1],
    "take": lambda i, m: stacks.take(i, -1, 1),
    "sheet": lambda i, m: sheets.make_sheet([i, i], 2, 1, GLASS, ["a"] * 2 * i.count, 6),
}


@pytest.mark.parametrize("name", WORK)
@settings(max_examples=15, deadline=None)
@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 40), st.integers(1, 2)),
    channels=st.sampled_from([1, 3, 4]),
    values=st.integers(1, 200),
    space=st.sampled_from(["srgb", "linear"]),
    seed=st.integers(0, 9),
)
def test_bands_change_no_bit(name, size, channels, values, space, seed):
    width, height, count = size
    rng = np.random.default_rng(seed)
    pixels = rng.random((count, height, width, channels), np.float32) * np.float32(1.1)
    pixels[pixels < 0.2] = 0  # of alpha too
    image = Image(pixels, space)
    mask = Mask(rng.random((count, height, width), np.float32))

    def made() -> Any:
        value = WORK[name](image, mask)
        return value.coverage if isinstance(value, Mask) else value.pixels

    with banded(WHOLE):
        whole = made()
    with banded(values):
        assert np.array_equal(made(), whole)
