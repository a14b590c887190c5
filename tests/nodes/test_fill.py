from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.models.fill import with_hole
from backend.models.pixels import to_tensor
from backend.sdk import Conditioning, Image, Latent, Mask, Peak, UserError, facts_of
from backend.values import Phase
from nodes.conditioning import encode_text
from nodes.fill import fill_condition
from nodes.latents import empty_latent
from nodes.loaders import LoadedModel, load_model
from nodes.sampling import sample
from tests.backend.models import tiny_sd15
from tests.nodes.fake_device import FakeDevice

PICTURE = Image(np.random.default_rng(1).random((1, 32, 48, 3), dtype=np.float32))
HOLE = np.zeros((1, 32, 48), np.float32)
HOLE[:, 8:24, 16:40] = 0.7


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("models")
    return FakeDevice(
        {
            "plain": tiny_sd15.write(home / "plain"),
            "fill": tiny_sd15.write(home / "fill", in_channels=9),
        }
    )


def shown(ctx: FakeDevice, found: LoadedModel, image: Image = PICTURE) -> Conditioning:
    said = encode_text(ctx, found.text_encoder, "a red circle")
    return fill_condition(ctx, said, found.vae, image, Mask(HOLE))


def made(ctx: FakeDevice, found: LoadedModel, told: Conditioning, latent: Latent) -> np.ndarray:
    return sample(ctx, found.model, told, latent, told, steps=3, seed=1).samples


@pytest.mark.parametrize("space", ["srgb", "linear"])
def test_the_hole_is_middle_grey_to_a_vae(space: str) -> None:
    holed = with_hole(Image(PICTURE.pixels, space), HOLE)
    seen = to_tensor(holed)[0].numpy()
    inside = HOLE[0] > 0
    assert np.abs(seen[:, inside]).max() < 1e-6
    assert np.array_equal(
        seen[:, ~inside], to_tensor(Image(PICTURE.pixels, space))[0].numpy()[:, ~inside]
    )


def test_an_in_paint_model_sees_the_picture_around_the_hole(ctx: FakeDevice) -> None:
    found = load_model(ctx, "fill")
    latent = empty_latent(ctx, found.model, 48, 32)
    first = made(ctx, found, shown(ctx, found), latent)
    inside, outside = PICTURE.pixels.copy(), PICTURE.pixels.copy()
    inside[:, 10:20, 20:30] = 1 - inside[:, 10:20, 20:30]
    outside[:, :4] = 1 - outside[:, :4]
    assert np.array_equal(made(ctx, found, shown(ctx, found, Image(inside)), latent), first)
    other = made(ctx, found, shown(ctx, found, Image(outside)), latent)
    assert np.abs(other - first).max() > 1e-3


def test_one_picture_serves_several_latents_and_later_texts(ctx: FakeDevice) -> None:
    found = load_model(ctx, "fill")
    told = shown(ctx, found)
    both = made(ctx, found, told, empty_latent(ctx, found.model, 48, 32, 2))
    one = made(ctx, found, told, empty_latent(ctx, found.model, 48, 32))
    assert np.abs(both[:1] - one).max() < 1e-4
    plain = encode_text(ctx, found.text_encoder, "a dog")
    changing = replace(plain, later=(Phase(0.5, plain),))
    later = fill_condition(ctx, changing, found.vae, PICTURE, Mask(HOLE)).later
    assert set(later[0].conditioning.tensors) == set(told.tensors)


def test_what_does_not_go_together_is_explained(ctx: FakeDevice) -> None:
    fill, plain = load_model(ctx, "fill"), load_model(ctx, "plain")
    latent = empty_latent(ctx, fill.model, 48, 32)
    bare = encode_text(ctx, fill.text_encoder, "a dog")
    with pytest.raises(UserError, match="This is an in-paint model"):
        made(ctx, fill, bare, latent)
    with pytest.raises(UserError, match="This model is no in-paint model"):
        made(ctx, plain, shown(ctx, plain), latent)
    with pytest.raises(UserError, match="24x16 cells, the latent 24x24"):
        made(ctx, fill, shown(ctx, fill), empty_latent(ctx, fill.model, 48, 48))
    with pytest.raises(UserError, match="1 masks of 48x31 for 1 pictures of 48x32"):
        fill_condition(ctx, bare, fill.vae, PICTURE, Mask(HOLE[:, 1:]))
    small = Image(PICTURE.pixels[:, :16])
    other = fill_condition(ctx, bare, fill.vae, small, Mask(HOLE[:, :16]))
    with pytest.raises(UserError, match="differ in size"):
        sample(ctx, fill.model, shown(ctx, fill), latent, other, steps=1)


def test_its_facts_are_those_of_the_conditioning() -> None:
    facts = fill_condition.hooks["facts"]
    known = facts_of("Conditioning", space="sd15", count=2)
    assert facts(None, conditioning=known, vae=None, image=None, mask=None).count == 2
    assert facts(None, conditioning=None, vae=None, image=None, mask=None).type == "Conditioning"
    peak = fill_condition.hooks["peak"]
    size = facts_of("Image", width=10, height=20)
    vae = facts_of("VAE", pixel_bytes=3)
    told = peak(None, conditioning=None, vae=vae, image=size, mask=None)
    assert told == Peak(600, (("vae.encoder", 1),))
    assert peak(None, conditioning=None, vae=None, image=size, mask=None).activation is None
