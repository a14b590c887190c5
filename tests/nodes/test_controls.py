"""The nodes of controls, from a trained file to a followed picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.sdk import Image, Mask, UserError, facts_of
from backend.train.adapter.sets import write_set
from nodes.conditioning import encode_text
from nodes.controls import (
    control_colours,
    control_depth_order,
    control_edges,
    control_lines,
    control_lora,
)
from nodes.latents import empty_latent
from nodes.loaders import load_model
from nodes.patches import lora
from nodes.sampling import sample
from nodes.training import train_adapter
from tests.backend.models import tiny
from tests.backend.train.adapter.test_adapter import drawn
from tests.nodes.test_training import Studio

PICTURE = Image(np.random.default_rng(1).random((1, 32, 32, 3), dtype=np.float32))


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    torch.set_num_threads(1)
    home: Path = tmp_path_factory.mktemp("home")
    tiny.write(home / "tiny")
    write_set(home / "set", drawn(3, 1))
    made = Studio(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        model = load_model(made, "tiny").model
        train_adapter(
            made, model, "set", form="control", rank=2, steps=3, batch=2, levels=1, size=32,
            name="follow",
        )  # fmt: skip
    return made


def made(ctx: Studio, strength: float, image: Image = PICTURE, side: int = 32) -> np.ndarray:
    found = load_model(ctx, "tiny")
    model = control_lora(ctx, found.model, found.vae, image, "out/follow.safetensors", strength)
    text = encode_text(ctx, found.text_encoder, "a red circle")
    latent = empty_latent(ctx, model, side, side)
    return sample(ctx, model, text, latent, text, steps=2, seed=1).samples


def test_a_model_follows_what_the_file_was_trained_for(ctx: Studio) -> None:
    plain, followed = made(ctx, 0.0), made(ctx, 1.0)
    assert np.abs(plain - followed).max() > 1e-4
    assert np.abs(followed - made(ctx, 1.0, Image(1 - PICTURE.pixels))).max() > 1e-4


def test_what_does_not_fit_is_told(ctx: Studio) -> None:
    found = load_model(ctx, "tiny")
    with pytest.raises(UserError, match="The control picture has 4x4 cells"):
        made(ctx, 1.0, Image(PICTURE.pixels[:, :8, :8]), 32)
    with pytest.raises(UserError, match="is a control: it follows a picture"):
        lora(ctx, found.model, "out/follow.safetensors")
    with pytest.raises(UserError, match="multiples of"):
        made(ctx, 1.0, Image(PICTURE.pixels[:, :31]))


def test_facts_tell_sizes_before_a_run() -> None:
    image = facts_of("Image", width=40, height=24, channels=4, count=2)
    for node in (control_edges, control_lines, control_colours):
        assert node.hooks["facts"](None, image=image) == image.but(channels=3)
        assert node.hooks["facts"](None, image=None).channels == 3
    vae, model = facts_of("VAE", space="a"), facts_of("Model", space="b")
    with pytest.raises(UserError, match="space"):
        control_lora.hooks["facts"](None, model=model, vae=vae, image=image)


def test_pictures_to_follow(ctx: Studio) -> None:
    assert control_edges(ctx, PICTURE).pixels.shape == (1, 32, 32, 3)
    assert control_lines(ctx, PICTURE).pixels.max() == 1.0
    assert len(np.unique(control_colours(ctx, PICTURE, 2).pixels[..., 0])) == 4
    mask = Mask(np.ones((1, 4, 4), np.float32))
    assert control_depth_order(ctx, [mask, mask]).pixels.min() == 1.0
