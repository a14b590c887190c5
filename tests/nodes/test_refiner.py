"""An SDXL base and its refiner, wired as a user would."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.sdk import Latent, UserError
from nodes.conditioning import encode_text, guider
from nodes.latents import empty_latent, vae_decode
from nodes.loaders import load_model
from nodes.sampling import noise, sample_with_parts, schedule, solver
from nodes.size_conditions import set_size_condition
from tests.backend.models import tiny_sd15, tiny_sdxl
from tests.nodes.fake_device import FakeDevice


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("models")
    return FakeDevice(
        {
            "base": tiny_sdxl.write(home / "base"),
            "refiner": tiny_sdxl.write_refiner(home / "refiner"),
            "sd15": tiny_sd15.write(home / "sd15"),
        }
    )


def made(ctx: FakeDevice, name: str, latent: Latent | None, leave: float, seed: int = 1) -> Latent:
    """A run of ten steps of one model on a latent, or on an empty one."""
    found = load_model(ctx, name)
    positive = encode_text(ctx, found.text_encoder, "a red circle")
    negative = encode_text(ctx, found.text_encoder, "")
    negative = set_size_condition(ctx, negative, aesthetic_score=2.5)
    guided = guider(ctx, found.model, positive, negative, "cfg", 3.0)
    plan = schedule(ctx, "native", 10, leave=leave)
    start = latent or empty_latent(ctx, found.model, 48, 32)
    return sample_with_parts(ctx, guided, solver(ctx), plan, noise(ctx, seed), start)


def test_the_refiner_goes_on_where_the_base_stopped(ctx: FakeDevice) -> None:
    left = made(ctx, "base", None, leave=0.2)
    assert left.sigma > 0
    refined = made(ctx, "refiner", left, leave=0.0)
    assert refined.sigma == 0
    assert refined.space == left.space == "sdxl"
    assert np.array_equal(made(ctx, "refiner", left, 0.0, seed=9).samples, refined.samples)
    alone = made(ctx, "base", None, leave=0.0)
    assert np.abs(alone.samples - refined.samples).max() > 1e-3
    picture = vae_decode(ctx, load_model(ctx, "base").vae, refined)
    assert (picture.width, picture.height) == (48, 32)


def test_another_familys_latent_is_refused(ctx: FakeDevice) -> None:
    left = made(ctx, "base", None, leave=0.2)
    with pytest.raises(UserError, match="in the space sdxl, the model works in sd15"):
        made(ctx, "sd15", left, leave=0.0)
