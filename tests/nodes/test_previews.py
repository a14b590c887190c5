"""What is shown while Primer samples: by what it brings, by what was learnt, by a tiny decoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny

from backend.models.preview import NAME, PreviewLoader
from backend.sdk import UserError
from backend.values import Float32, Image, Latent, digest
from nodes.conditioning import encode_text
from nodes.latents import empty_latent, vae_decode, vae_encode
from nodes.loaders import LoadedModel, load_model
from nodes.previews import preview_decoder
from nodes.sampling import sample
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(__file__).parents[2] / "resources" / "models" / "primer"


class Place(FakeDevice):
    """Primer, with previews in a folder of its own, and files that may be read there."""

    def __init__(self, root: Path) -> None:
        super().__init__({"primer": PRIMER})
        self.root = root
        self.store._others = {**self.store._others, NAME: PreviewLoader(root=root / "previews")}

    def read(self, path: str) -> Path:
        return self.root / path


@pytest.fixture
def ctx(tmp_path: Path) -> Place:
    return Place(tmp_path)


def run(ctx: Place, loaded: LoadedModel, steps: int = 6) -> Latent:
    """A picture, with its previews in ``ctx``."""
    ctx.previews.clear()
    text = encode_text(ctx, loaded.text_encoder, "a red circle on the left, lavender background")
    none = encode_text(ctx, loaded.text_encoder, "")
    latent = empty_latent(ctx, loaded.model)
    return sample(ctx, loaded.model, text, latent, none, steps=steps, seed=4)


def decibels(shown: Float32, wanted: Float32) -> float:
    return float(-10 * np.log10(np.mean((shown - wanted) ** 2)))


def blocks(pixels: Float32, side: int) -> Float32:
    count, height, width, _ = pixels.shape
    parts = pixels.reshape(count, height // side, side, width // side, side, 3)
    return np.asarray(parts.mean((2, 4)), np.float32)


def test_the_last_preview_has_the_colours_of_the_picture(ctx: Place):
    loaded = load_model(ctx, "primer")
    latent = run(ctx, loaded)
    picture = vae_decode(ctx, loaded.vae, latent)
    assert 1 <= len(ctx.previews) <= 6
    assert decibels(ctx.previews[-1].pixels, blocks(picture.pixels, 8)) > 20


@pytest.mark.parametrize("way", ["decode", "encode"])
def test_decoding_and_encoding_teach_and_write(ctx: Place, way: str):
    loaded = load_model(ctx, "primer")
    latent = run(ctx, loaded, 2)
    assert not (ctx.root / "previews").exists()
    if way == "decode":
        vae_decode(ctx, loaded.vae, latent)
    else:
        vae_encode(ctx, loaded.vae, Image(np.full((1, 128, 128, 3), 0.5, np.float32)))
    (file,) = (ctx.root / "previews").iterdir()
    assert json.loads(file.read_text())["space"] == latent.space


def test_what_was_learnt_changes_no_result(ctx: Place, tmp_path: Path):
    loaded = load_model(ctx, "primer")
    first = run(ctx, loaded, 2)
    vae_decode(ctx, loaded.vae, Latent(first.samples[..., ::-1] * 3, first.space))
    assert run(ctx, loaded, 2).samples.tobytes() == first.samples.tobytes()


def small_decoder(ctx: Place, channels: int = 16) -> AutoencoderTiny:
    """A tiny VAE for Primer's latents that knows nothing yet."""
    torch.manual_seed(0)
    vae = AutoencoderTiny(
        latent_channels=channels,
        encoder_block_out_channels=(16, 16, 16, 16),
        decoder_block_out_channels=(16, 16, 16, 16),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
    )
    vae.save_pretrained(ctx.root / "tiny")
    return vae


def teach(ctx: Place, loaded: LoadedModel, vae: AutoencoderTiny, steps: int) -> None:
    """Train the decoder on decoded pictures of Primer."""
    from backend.train.world import scenes

    drawn = np.stack([scene.pixels for scene in scenes(5, 8, "any")])
    image = Image(np.float32(drawn) / np.float32(255))
    latents = torch.from_numpy(vae_encode(ctx, loaded.vae, image).samples.copy())
    pixels = torch.from_numpy(image.pixels.copy()).permute(0, 3, 1, 2)
    optimiser = torch.optim.Adam(vae.decoder.parameters(), 3e-3)
    for step in range(steps):
        some = slice(step % 8, step % 8 + 1)
        made = vae.decoder(latents[some]) / 2 + 0.5
        loss = torch.nn.functional.mse_loss(made, pixels[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    vae.save_pretrained(ctx.root / "tiny")


def test_a_tiny_decoder_shows_the_picture_at_its_full_size(ctx: Place):
    loaded = load_model(ctx, "primer")
    teach(ctx, loaded, small_decoder(ctx), 60)
    patched = loaded._replace(model=preview_decoder(ctx, loaded.model, "tiny"))
    latent = run(ctx, patched, 1)
    picture = vae_decode(ctx, loaded.vae, latent)
    (shown,) = ctx.previews
    assert shown.pixels.shape == picture.pixels.shape
    assert decibels(blocks(shown.pixels, 8), blocks(picture.pixels, 8)) > 15


def test_a_tiny_decoder_changes_neither_result_nor_digest(ctx: Place):
    loaded = load_model(ctx, "primer")
    small_decoder(ctx)
    model = preview_decoder(ctx, loaded.model, "tiny")
    assert model != loaded.model
    assert digest(model) == digest(loaded.model)
    plain, patched = run(ctx, loaded, 2), run(ctx, loaded._replace(model=model), 2)
    assert plain.samples.tobytes() == patched.samples.tobytes()


def test_a_tiny_decoder_of_other_latents_is_refused(ctx: Place):
    small_decoder(ctx, 4)
    model = load_model(ctx, "primer").model
    with pytest.raises(UserError, match=r"tiny decodes latents of 4 channels, .* have 16"):
        preview_decoder(ctx, model, "tiny")
    with pytest.raises(UserError, match="cannot be read"):
        preview_decoder(ctx, model, "gone.safetensors")
