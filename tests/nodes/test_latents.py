from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from backend.sdk import Image, Latent, Mask, Peak, UserError, facts_of
from nodes.latents import empty_latent, inpaint_mask, vae_decode, vae_encode
from nodes.loaders import LoadedModel, load_model
from tests.backend.models import tiny
from tests.nodes.fake_device import FakeDevice


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    return FakeDevice({"primer": tiny.write(tmp_path_factory.mktemp("flux"))})


@pytest.fixture(scope="module")
def loaded(ctx: FakeDevice) -> LoadedModel:
    return load_model(ctx, "primer")


def picture(width: int = 40, height: int = 24, count: int = 2, channels: int = 3) -> Image:
    rng = np.random.default_rng(1)
    return Image(rng.random((count, height, width, channels), dtype=np.float32))


def test_empty_latent_has_the_models_shape_and_space(ctx: FakeDevice, loaded: LoadedModel) -> None:
    latent = empty_latent(ctx, loaded.model, 40, 24, 3)
    assert latent.samples.shape == (3, 4, 12, 20)
    assert not latent.samples.any()
    assert latent.space == loaded.vae.space
    assert empty_latent(ctx, loaded.model).samples.shape == (1, 4, 16, 16)


def test_empty_latent_names_the_nearest_size(ctx: FakeDevice, loaded: LoadedModel) -> None:
    with pytest.raises(UserError, match="multiples of 4 pixels, not 41x24"):
        empty_latent(ctx, loaded.model, 41, 24)


def test_encode_and_decode_keep_size_and_count(ctx: FakeDevice, loaded: LoadedModel) -> None:
    latent = vae_encode(ctx, loaded.vae, picture())
    assert latent.samples.shape == (2, 4, 12, 20)
    assert (latent.space, latent.sigma) == (loaded.vae.space, 0.0)
    decoded = vae_decode(ctx, loaded.vae, latent)
    assert decoded.pixels.shape == (2, 24, 40, 3)
    assert 0 <= decoded.pixels.min() <= decoded.pixels.max() <= 1


def test_the_posterior_mean_is_fixed_and_samples_follow_the_seed(
    ctx: FakeDevice, loaded: LoadedModel
) -> None:
    mean = vae_encode(ctx, loaded.vae, picture()).samples
    drawn = [vae_encode(ctx, loaded.vae, picture(), "sample", s).samples for s in (1, 1, 2)]
    assert np.array_equal(mean, vae_encode(ctx, loaded.vae, picture(), "mean", 9).samples)
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.allclose(drawn[0], drawn[2])
    assert not np.allclose(drawn[0], mean)


def test_grey_alpha_and_linear_pictures_encode_as_their_colours(
    ctx: FakeDevice, loaded: LoadedModel
) -> None:
    grey = picture(channels=1)
    colour = Image(np.repeat(grey.pixels, 3, axis=3))
    alpha = Image(np.concatenate([colour.pixels, np.ones_like(grey.pixels)], axis=3))
    linear = Image(np.asarray(((colour.pixels + 0.055) / 1.055) ** 2.4), "linear")
    want = vae_encode(ctx, loaded.vae, colour).samples
    assert np.array_equal(vae_encode(ctx, loaded.vae, grey).samples, want)
    assert np.array_equal(vae_encode(ctx, loaded.vae, alpha).samples, want)
    bright = Image(np.clip(colour.pixels, 0.1, 1))
    line = Image(np.asarray(((bright.pixels + 0.055) / 1.055) ** 2.4), linear.space)
    got = vae_encode(ctx, loaded.vae, line).samples
    assert np.allclose(got, vae_encode(ctx, loaded.vae, bright).samples, atol=1e-4)


def test_a_latent_of_another_space_is_refused(ctx: FakeDevice, loaded: LoadedModel) -> None:
    with pytest.raises(UserError, match="in the space sdxl"):
        vae_decode(ctx, loaded.vae, Latent(np.zeros((1, 4, 8, 8)), "sdxl"))


def test_inpaint_mask_comes_at_latent_size() -> None:
    latent = Latent(np.zeros((2, 4, 12, 20)), "x")
    mask = np.zeros((1, 24, 40), np.float32)
    mask[:, :12] = 0.7
    hard = inpaint_mask(None, latent, Mask(mask)).mask
    assert hard.shape == (1, 12, 20)
    assert hard[0, :6].min() == 1
    assert hard[0, 6:].max() == 0
    soft = inpaint_mask(None, latent, Mask(mask), True).mask
    assert np.allclose(soft[0, :6], 0.7)


@pytest.mark.parametrize(
    ("shape", "message"), [((1, 24, 24), "other proportions"), ((3, 24, 40), "3 masks for 2")]
)
def test_inpaint_mask_wants_the_pictures_shape(shape: tuple[int, ...], message: str) -> None:
    latent = Latent(np.zeros((2, 4, 12, 20)), "x")
    with pytest.raises(UserError, match=message):
        inpaint_mask(None, latent, Mask(np.ones(shape, np.float32)))


def test_facts_flow_through(ctx: FakeDevice, loaded: LoadedModel) -> None:
    known = load_model.hooks["facts"](SimpleNamespace(model="primer", lookup=ctx))
    p = SimpleNamespace(width=40, height=24, count=3, tile=0, overlap=0)
    latent = empty_latent.hooks["facts"](p, model=known["model"])
    assert (latent.space, latent.count, latent.masked) == (loaded.vae.space, 3, False)
    assert (latent.factor, latent.width, latent.height, latent.channels) == (2, 20, 12, 4)
    masked = inpaint_mask.hooks["facts"](p, latent=latent, mask=None)
    assert masked.masked is True
    image = vae_decode.hooks["facts"](p, vae=known["vae"], latent=latent)
    assert (image.type, image.width, image.height, image.count) == ("Image", 40, 24, 3)
    coded = vae_encode.hooks["facts"](
        p, vae=known["vae"], image=facts_of("Image", width=40, height=24, count=2)
    )
    assert (coded.space, coded.width, coded.count) == (loaded.vae.space, 20, 2)
    peaks = [
        vae_decode.hooks["peak"](p, vae=known["vae"], latent=latent),
        vae_encode.hooks["peak"](p, vae=known["vae"], image=image),
    ]
    whole = 40 * 24 * known["vae"].pixel_bytes
    assert peaks == [Peak(whole, (("vae.decoder", 3),)), Peak(whole, (("vae.encoder", 3),))]


def test_a_latent_without_a_size_has_that_of_the_model(ctx: FakeDevice) -> None:
    known = load_model.hooks["facts"](SimpleNamespace(model="primer", lookup=ctx))["model"]
    made = empty_latent(ctx, load_model(ctx, "primer").model)
    told = empty_latent.hooks["facts"](SimpleNamespace(width=0, height=0, count=1), model=known)
    assert (told.height, told.width) == made.samples.shape[2:]


def test_a_peak_without_facts_is_not_known() -> None:
    p = SimpleNamespace(tile=0, overlap=0)
    assert vae_decode.hooks["peak"](p, vae=None, latent=None).activation is None
    assert vae_encode.hooks["peak"](p, vae=None, image=None).activation is None


def test_in_tiles_each_tile_is_a_pass_and_takes_the_room_of_one() -> None:
    vae = facts_of("VAE", pixel_bytes=100, factor=8)
    p = SimpleNamespace(tile=128, overlap=32)
    image = facts_of("Image", width=256, height=128, count=2)
    told = vae_encode.hooks["peak"](p, vae=vae, image=image)
    assert told == Peak(100 * 128 * 128, (("vae.encoder", 2 * 3),))
