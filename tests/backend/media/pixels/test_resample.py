"""Resizing: the geometry of a resize, and its filters against Pillow and against their formula."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from backend.media.color import linear_from_srgb, srgb_from_linear
from backend.media.pixels.batches import MAX_PIXELS
from backend.media.pixels.resample import Fit, plan_resize, resize, target_size
from backend.sdk import UserError
from backend.values import Color, Image

KERNELS = {
    "nearest": Pillow.Resampling.NEAREST,
    "bilinear": Pillow.Resampling.BILINEAR,
    "bicubic": Pillow.Resampling.BICUBIC,
    "lanczos": Pillow.Resampling.LANCZOS,
    "area": Pillow.Resampling.BOX,
}
sides = st.integers(1, 40)


def noise(height, width, channels, count=1, seed=0):
    pixels = np.random.default_rng(seed).random((count, height, width, channels), np.float32)
    return Image(pixels)


def stretch(image, width, height, filter, **options):
    plan = plan_resize((image.width, image.height), (width, height))
    return resize(image, plan, filter, **options).pixels


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({"by": "size", "width": 100, "height": 80}, (100, 80)),
        ({"by": "size", "width": 100}, (100, 75)),
        ({"by": "size", "height": 30}, (40, 30)),
        ({"by": "size"}, (400, 300)),
        ({"by": "scale", "scale": 0.5}, (200, 150)),
        ({"by": "scale", "scale": 0.001}, (1, 1)),
        ({"by": "longest side", "side": 1024}, (1024, 768)),
    ],
)
def test_what_is_asked_for_becomes_a_target_size(asked, size):
    assert target_size((400, 300), **asked) == size


def test_longest_side_of_an_upright_picture_is_its_height():
    assert target_size((300, 400), "longest side", side=200) == (150, 200)


def test_modes_lay_a_wide_picture_into_a_square():
    def plan(mode):
        return plan_resize((200, 100), (50, 50), mode)

    assert plan("stretch") == Fit((50, 50), (50, 50), (0, 0, 200, 100))
    assert plan("fit") == Fit((50, 25), (50, 25), (0, 0, 200, 100))
    assert plan("fill") == Fit((50, 50), (50, 50), (50, 0, 150, 100))
    assert plan("pad") == Fit((50, 50), (50, 25), (0, 0, 200, 100))


def test_sides_are_rounded_to_a_multiple():
    assert plan_resize((200, 100), (100, 50), multiple=16).size == (96, 48)
    assert plan_resize((200, 100), (3, 3), multiple=16).size == (16, 16)


@given(sides, sides, sides, sides, st.sampled_from(["stretch", "fit", "fill", "pad"]))
def test_every_plan_stays_inside_its_target_and_its_source(w, h, tw, th, mode):
    plan = plan_resize((w, h), (tw, th), mode)
    assert 1 <= plan.inner[0] <= plan.size[0] <= tw
    assert 1 <= plan.inner[1] <= plan.size[1] <= th
    left, top, right, bottom = plan.box
    assert 0 <= left < right <= w + 1e-9
    assert 0 <= top < bottom <= h + 1e-9


def test_a_result_beyond_the_cap_is_refused_with_its_size():
    with pytest.raises(UserError, match=r"40000 x 40000.*1600 million"):
        plan_resize((10, 10), (40000, 40000))
    big = plan_resize((1, 1), (16384, 16384))
    assert math.prod(big.size) == MAX_PIXELS
    with pytest.raises(UserError, match="2 pictures"):
        resize(noise(1, 1, 1, count=2), big)


@pytest.mark.parametrize("filter", KERNELS)
@pytest.mark.parametrize("size", [(31, 17), (90, 77), (48, 20)])
def test_filters_agree_with_pillow_on_8_bit_pictures_within_one_step(filter, size):
    # Middle values: Pillow cuts off the overshoot of sharp filters between its two passes,
    # and rounds there to whole codes.
    codes = np.random.default_rng(1).integers(80, 176, (40, 48, 3), dtype=np.uint8)
    expected = np.asarray(Pillow.fromarray(codes).resize(size, KERNELS[filter]), np.float32)
    ours = stretch(Image(codes[None].astype(np.float32) / 255), *size, filter)[0]
    assert np.abs(np.rint(ours * 255) - expected).max() <= 1


def test_lanczos_follows_its_formula():
    """Lanczos with three lobes, widened by the factor when shrinking, normalised at the border."""
    image, (width, height) = noise(23, 29, 1), (13, 37)

    def weights(source, target):
        factor = max(source / target, 1)
        centres = (np.arange(target)[:, None] + 0.5) * source / target
        t = (np.arange(source)[None] + 0.5 - centres) / factor
        kernel = np.where(np.abs(t) < 3, np.sinc(t) * np.sinc(t / 3), 0)
        return kernel / kernel.sum(axis=1, keepdims=True)

    expected = weights(23, height) @ image.pixels[0, :, :, 0] @ weights(29, width).T
    np.testing.assert_allclose(
        stretch(image, width, height, "lanczos")[0, :, :, 0], expected, atol=1e-5
    )


@given(sides, sides, sides, sides, st.sampled_from(list(KERNELS)), st.floats(-2, 3, width=32))
@settings(max_examples=60, deadline=None)
def test_a_flat_picture_stays_flat(w, h, tw, th, filter, value):
    flat = Image(np.full((1, h, w, 1), value, np.float32))
    np.testing.assert_allclose(stretch(flat, tw, th, filter), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("filter", KERNELS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_same_size_gives_the_same_bits_where_pixels_are_visible(filter, channels):
    image = noise(9, 7, channels)
    again = stretch(image, 7, 9, filter)
    if channels == 4 and filter != "nearest":
        np.testing.assert_allclose(again, image.pixels, atol=1e-6)
    else:
        np.testing.assert_array_equal(again, image.pixels)


@pytest.mark.parametrize("filter", [f for f in KERNELS if f != "nearest"])
@pytest.mark.parametrize("size", [(11, 5), (64, 50)])
def test_hidden_colours_do_not_bleed_into_edges(filter, size):
    """White beside fully transparent black must not turn grey: no dark fringe."""
    pixels = np.zeros((1, 24, 24, 4), np.float32)
    pixels[:, :, :13] = 1
    done = stretch(Image(pixels), *size, filter)[0]
    visible = done[..., 3] > 1e-3
    assert visible.any()
    assert (done[..., 3] < 1).any()
    np.testing.assert_allclose(done[visible][:, :3], 1, atol=1e-4)
    assert done[..., 3].min() >= 0
    assert done[..., 3].max() <= 1


def test_opaque_alpha_changes_nothing_about_the_colours():
    image = noise(20, 20, 3)
    opaque = Image(np.concatenate([image.pixels, np.ones((1, 20, 20, 1), np.float32)], axis=-1))
    done = stretch(opaque, 33, 9, "lanczos")
    np.testing.assert_array_equal(done[..., :3], stretch(image, 33, 9, "lanczos"))
    np.testing.assert_allclose(done[..., 3], 1, atol=1e-6)


def test_linear_light_averages_light():
    """Half of the light of white is code 0.735, not 0.5."""
    checks = Image(np.indices((8, 8)).sum(axis=0)[None, :, :, None] % 2)
    np.testing.assert_allclose(stretch(checks, 4, 4, "area"), 0.5, atol=1e-6)
    done = stretch(checks, 4, 4, "area", linear=True)
    np.testing.assert_allclose(done, srgb_from_linear(0.5), atol=1e-5)
    stored = Image(linear_from_srgb(checks.pixels), "linear")
    np.testing.assert_allclose(stretch(stored, 4, 4, "area", linear=True), 0.5, atol=1e-6)


def test_the_margin_of_pad_has_its_colour_and_the_picture_stays_in_the_middle():
    image = Image(np.full((2, 4, 8, 1), 0.5, np.float32))
    done = resize(image, plan_resize((8, 4), (8, 8), "pad"), color=Color(1, 0, 0)).pixels
    assert done.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(done[:, :2], np.broadcast_to([1, 0, 0], (2, 2, 8, 3)))
    np.testing.assert_array_equal(done[:, 6:], np.broadcast_to([1, 0, 0], (2, 2, 8, 3)))
    np.testing.assert_allclose(done[:, 2:6], 0.5)


def test_a_batch_is_resized_as_its_pictures_are():
    batch = noise(12, 10, 4, count=3)
    done = stretch(batch, 7, 15, "bicubic")
    for index in range(3):
        one = stretch(Image(batch.pixels[index : index + 1]), 7, 15, "bicubic")
        np.testing.assert_array_equal(done[index], one[0])


def test_a_cancel_is_seen_between_the_pictures_of_a_batch():
    seen = []

    def check():
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resize(noise(4, 4, 1, count=9), plan_resize((4, 4), (2, 2)), check=check)
    assert len(seen) == 3
