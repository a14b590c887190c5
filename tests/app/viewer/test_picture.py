"""Whatever can be seen of a value becomes single pictures; two of them can be held apart."""

import numpy as np
import pytest

from app.viewer.picture import ALL, LUMINANCE, Picture, difference, pictures_of
from backend.values import Image, Latent, Mask


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).random(shape, np.float32)


def test_a_batch_is_as_many_pictures_and_shares_their_pixels():
    image = Image(random(3, 4, 5, 4), "linear")
    pictures = pictures_of(image)
    assert [each.names for each in pictures] == [("R", "G", "B", "A")] * 3
    assert all(np.shares_memory(each.pixels, image.pixels) for each in pictures)
    assert pictures[0].curve == "linear"
    assert pictures[0].words() == "5 x 4 · RGBA straight · linear"


def test_lists_are_pictures_in_their_order_though_their_sizes_differ():
    given = [Image(random(1, 2, 3, 3)), [Mask(random(2, 4, 5))], Image(random(1, 6, 7, 1))]
    assert [(each.width, each.height) for each in pictures_of(given)] == [
        (3, 2), (5, 4), (5, 4), (7, 6),
    ]  # fmt: skip


def test_a_latent_is_shown_between_three_deviations_of_its_mean():
    samples = np.random.default_rng(0).normal(2, 0.5, (1, 16, 32, 32)).astype(np.float32)
    (picture,) = pictures_of(Latent(samples, "flux-1"))
    assert picture.low == pytest.approx(0.5, abs=0.05)
    assert picture.high == pytest.approx(3.5, abs=0.05)
    assert np.array_equal(picture.pixels[..., 3], samples[0, 3])
    assert picture.choices == tuple(range(16))


def test_frames_of_a_latent_are_pictures_one_after_the_other():
    samples = random(2, 4, 3, 5, 6)
    pictures = pictures_of(Latent(samples, "wan"))
    assert len(pictures) == 6
    assert np.array_equal(pictures[4].pixels, np.moveaxis(samples[1, :, 1], 0, 2))


@pytest.mark.parametrize("value", ["text", 3, None, [], Latent(np.zeros((1, 4, 2, 2)), "x")])
def test_anything_can_be_asked(value):
    for picture in pictures_of(value):
        assert picture.high > picture.low


def test_colours_offer_their_channels_and_luminance():
    assert Picture(random(2, 2, 3), names=("R", "G", "B")).choices == (ALL, 0, 1, 2, LUMINANCE)
    assert Picture(random(2, 2, 1), "plain", names=("M",)).choices == (ALL,)


def test_a_difference_is_nothing_of_equal_pictures_and_the_same_both_ways():
    one, other = (pictures_of(Image(random(1, 4, 5, 3) * share))[0] for share in (1, 0.5))
    assert not difference(one, one).pixels.any()
    assert np.array_equal(difference(one, other).pixels, difference(other, one).pixels)
    assert difference(one, other).pixels == pytest.approx(one.pixels / 2)


def test_a_difference_leaves_out_alpha_that_only_one_has():
    opaque = pictures_of(Image(random(1, 4, 5, 3)))[0]
    cut = pictures_of(Image(np.concatenate([opaque.pixels[None], np.zeros((1, 4, 5, 1))], 3)))[0]
    assert difference(opaque, cut).channels == 3
    assert not difference(opaque, cut).pixels.any()


def test_pictures_of_two_sizes_or_kinds_have_no_difference():
    one = pictures_of(Image(random(1, 4, 5, 3)))[0]
    with pytest.raises(ValueError, match="A is 5 x 4, B is 5 x 6"):
        difference(one, pictures_of(Image(random(1, 6, 5, 3)))[0])
    with pytest.raises(ValueError, match="different kinds"):
        difference(one, pictures_of(Mask(random(1, 4, 5)))[0])


def test_layers_are_seen_laid_over_each_other():
    from backend.media.pixels.flatten import flatten
    from backend.values import Layer, Layers

    pixels = np.random.default_rng(0).random((2, 3, 4), np.float32)
    stack = Layers(4, 3, (Layer(pixels), Layer(pixels, mode="multiply", x=1)))
    (seen,) = pictures_of(stack)
    assert np.array_equal(seen.pixels, flatten(stack).pixels[0])
    assert seen.has_alpha
