from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models import reference
from backend.sdk import Conditioning, Image, Peak, UserError, facts_of
from backend.values import Phase
from nodes.conditioning import encode_text
from nodes.latents import empty_latent
from nodes.loaders import LoadedModel, load_model
from nodes.references import encode_edit_text, reference_image
from nodes.sampling import sample
from tests.backend.models import tiny, tiny_flux2, tiny_qwen
from tests.backend.models.checks import changed
from tests.nodes.fake_device import FakeDevice

PICTURE = Image(np.random.default_rng(1).random((1, 32, 48, 3), dtype=np.float32))


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    torch.set_num_threads(1)
    home: Path = tmp_path_factory.mktemp("models")
    plain = tiny.write(home / "plain")
    named = {"_class_name": "FluxKontextPipeline"}
    kontext = changed(plain, home / "kontext", "model_index.json", **named)
    return FakeDevice(
        {
            "plain": plain,
            "kontext": kontext,
            "klein": tiny_flux2.write(home / "klein"),
            "edit": tiny_qwen.write(home / "edit", pipeline="QwenImageEditPlusPipeline"),
        }
    )


def made(ctx: FakeDevice, found: LoadedModel, told: Conditioning) -> np.ndarray:
    latent = empty_latent(ctx, found.model, 32, 32)
    return sample(ctx, found.model, told, latent, told, steps=2, seed=1).samples


@pytest.mark.parametrize("name", ["kontext", "klein", "edit"])
def test_a_model_works_from_the_pictures_that_it_is_shown(ctx: FakeDevice, name: str) -> None:
    found = load_model(ctx, name)
    text = encode_text(ctx, found.text_encoder, "make it snow")
    one = reference_image(ctx, text, found.vae, PICTURE)
    two = reference_image(ctx, one, found.vae, Image(1 - PICTURE.pixels))
    seen = [made(ctx, found, told) for told in (text, one, two)]
    assert np.abs(seen[0] - seen[1]).max() > 1e-3
    assert np.abs(seen[1] - seen[2]).max() > 1e-3
    assert len(reference.names(two)) == 2


def test_what_comes_later_is_shown_it_too(ctx: FakeDevice) -> None:
    found = load_model(ctx, "kontext")
    text = encode_text(ctx, found.text_encoder, "a")
    told = reference_image(ctx, replace(text, later=(Phase(0.5, text),)), found.vae, PICTURE)
    assert reference.names(told.later[0].conditioning) == ["reference_1"]


def test_a_model_that_sees_none_is_named(ctx: FakeDevice) -> None:
    found = load_model(ctx, "plain")
    text = encode_text(ctx, found.text_encoder, "a")
    with pytest.raises(UserError, match="Flux model does not look at reference pictures"):
        reference_image(ctx, text, found.vae, PICTURE)


def test_a_picture_of_another_size_is_told_the_nearest(ctx: FakeDevice) -> None:
    found = load_model(ctx, "kontext")
    text = encode_text(ctx, found.text_encoder, "a")
    with pytest.raises(UserError, match="multiples of 4 pixels, not 48x30"):
        reference_image(ctx, text, found.vae, Image(PICTURE.pixels[:, :30]))


def test_an_edit_model_sees_pictures_while_it_reads(ctx: FakeDevice) -> None:
    found = load_model(ctx, "edit")
    first = Image(np.full((1, 32, 48, 3), 0.2, np.float32))
    told = encode_edit_text(ctx, found.text_encoder, found.vae, "snow", first)
    other = encode_edit_text(ctx, found.text_encoder, found.vae, "snow", PICTURE)
    assert told.tensors["sequence"].shape == other.tensors["sequence"].shape
    assert np.abs(told.tensors["sequence"] - other.tensors["sequence"]).max() > 1e-3
    assert reference.names(told) == ["reference_1"]
    assert np.abs(made(ctx, found, told) - made(ctx, found, other)).max() > 1e-3
    two = encode_edit_text(ctx, found.text_encoder, found.vae, "snow", first, PICTURE)
    assert len(reference.names(two)) == 2


def test_an_encoder_that_sees_none_is_named(ctx: FakeDevice) -> None:
    for name in ("kontext", "klein"):
        found = load_model(ctx, name)
        with pytest.raises(UserError, match="model does not see pictures"):
            encode_edit_text(ctx, found.text_encoder, found.vae, "a", PICTURE)
    edit = load_model(ctx, "edit")
    with pytest.raises(UserError, match="takes pictures, not 0"):
        encode_edit_text(ctx, edit.text_encoder, edit.vae, "a")


def test_facts_and_peak() -> None:
    image = facts_of("Image", width=100, height=50)
    vae = facts_of("VAE", pixel_bytes=8)
    text = facts_of("Conditioning", space="flux1", count=2)
    facts, peak = reference_image.hooks["facts"], reference_image.hooks["peak"]
    assert facts(None, conditioning=text, vae=vae, image=image) == text
    assert facts(None, conditioning=None, vae=vae, image=image).type == "Conditioning"
    told = peak(None, conditioning=text, vae=vae, image=image)
    assert told == Peak(40000, (("vae.encoder", 1),))
    assert peak(None, conditioning=text, vae=vae, image=None).activation is None
    facts, peak = encode_edit_text.hooks["facts"], encode_edit_text.hooks["peak"]
    encoder, small = facts_of("TextEncoder", space="s"), facts_of("Image", width=1, height=1)
    given = {"text_encoder": encoder, "vae": vae, "images": (small, image)}
    assert facts(None, **given).space == "s"
    assert peak(None, **given).activation is None
    given["text_encoder"] = encoder.but(text_bytes=700)
    coded = (("vae.encoder", 1),) * 2
    assert peak(None, **given) == Peak(40000, (("text_encoder", 1), *coded))
    assert peak(None, **given | {"images": ()}) == Peak(700, (("text_encoder", 1),))
