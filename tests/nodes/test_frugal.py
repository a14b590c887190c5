"""Nodes that are asked to take as little memory as can be: pictures of a batch one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nodes.attention import sample_with_map
from nodes.conditioning import encode_text, guider
from nodes.coop import coop_sample
from nodes.latents import empty_latent
from nodes.loaders import load_model
from nodes.patches import share_attention
from nodes.sampling import invert_latent, noise, sample, schedule, solver
from nodes.video_latents import empty_video_latent
from tests.backend.models import tiny, tiny_sd15, tiny_wan
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(__file__).parents[2] / "resources/models/primer"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("models")
    return {
        "primer": PRIMER,
        "flux": tiny.write(home / "flux"),
        "sd15": tiny_sd15.write(home / "sd15"),
        "pair": tiny_wan.write(home / "pair", boundary=0.8),
    }


@contextmanager
def batches() -> Iterator[list[int]]:
    """How many rows each call of a denoiser's network has."""
    seen: list[int] = []
    blocks = ("FluxTransformerBlock", "WanTransformerBlock", "UNetMidBlock2DCrossAttn")

    def note(module: Any, args: Any, out: Any) -> None:
        if type(module).__name__ in blocks:
            seen.append(int((out[0] if isinstance(out, tuple) else out).shape[0]))

    handle = torch.nn.modules.module.register_module_forward_hook(note)
    try:
        yield seen
    finally:
        handle.remove()


def made(ctx: FakeDevice, name: str, **more: Any) -> np.ndarray:
    loaded = load_model(ctx, name)
    texts = [encode_text(ctx, loaded.text_encoder, t) for t in ("a red circle", "")]
    if name == "pair":
        latent = empty_video_latent(ctx, loaded.model, 48, 32, 5, 3)
    else:
        latent = empty_latent(ctx, loaded.model, 64, 48, 3)
    return sample(ctx, loaded.model, texts[0], latent, texts[1], steps=4, cfg=2.0, **more).samples


@pytest.mark.parametrize("name", ["primer", "sd15", "pair"])
def test_pictures_of_a_batch_are_sampled_one_by_one(folders: dict[str, Path], name: str) -> None:
    plain, frugal = FakeDevice(folders), FakeDevice(folders)
    frugal.frugal = True
    with batches() as whole:
        wanted = made(plain, name)
    with batches() as apart:
        found = made(frugal, name)
    assert set(whole) == {6}
    assert set(apart) == {1}
    assert np.abs(found - wanted).max() < 1e-4 * max(1.0, float(np.abs(wanted).max()))
    assert frugal.done == plain.done == [(n, 4) for n in range(1, 5)]
    assert frugal.notes == []
    (size,) = {shown.pixels.shape for shown in (*frugal.previews, *plain.previews)}
    assert size[0] == 3  # a preview shows all pictures


def guide(ctx: FakeDevice, model: Any, encoder: Any) -> Any:
    texts = [encode_text(ctx, encoder, text) for text in ("a red circle on the left", "")]
    return guider(ctx, model, *texts, "cfg", 2.0)


def test_what_looks_from_one_picture_to_another_keeps_them_together(
    folders: dict[str, Path],
) -> None:
    def shared(ctx: FakeDevice, strength: float) -> np.ndarray:
        loaded = load_model(ctx, "primer")
        model = share_attention(ctx, loaded.model, strength=strength)
        text = encode_text(ctx, loaded.text_encoder, "a red circle")
        return sample(ctx, model, text, empty_latent(ctx, model, 64, 64, 2), steps=3).samples

    plain, frugal = FakeDevice(folders), FakeDevice(folders)
    frugal.frugal = True
    with batches() as seen:
        found = shared(frugal, 1.0)
    assert set(seen) == {2}
    assert np.allclose(found, shared(plain, 1.0), atol=1e-4)
    (said,) = frugal.notes
    assert "2 pictures of this batch are not taken one by one" in said
    assert "Shared attention looks from one to another" in said
    with batches() as seen:
        shared(frugal, 0.0)  # which lays nothing on
    assert set(seen) == {1}
    assert len(frugal.notes) == 1


def test_maps_and_noise_of_pictures_one_by_one(folders: dict[str, Path]) -> None:
    """What looks on, and the way back from a picture to its noise."""
    found = []
    for frugal in (False, True):
        ctx = FakeDevice(folders)
        ctx.frugal = frugal
        loaded = load_model(ctx, "primer")
        who, plan = guide(ctx, loaded.model, loaded.text_encoder), schedule(ctx, steps=4)
        watched = sample_with_map(
            ctx, who, solver(ctx), plan, noise(ctx, seed=3),
            empty_latent(ctx, loaded.model, 64, 64, 2), loaded.text_encoder,
            "a red circle on the left", "red circle",
        )  # fmt: skip
        back = invert_latent(ctx, who, plan, watched.latent)
        found.append((watched.map.coverage, watched.latent.samples, back.samples))
    for whole, apart in zip(*found, strict=True):
        assert whole.shape == apart.shape
        assert len(whole) == 2
        assert np.abs(whole - apart).max() < 2e-4
        assert not np.allclose(whole[0], whole[1], atol=1e-2)


def test_two_models_take_pictures_one_by_one(folders: dict[str, Path]) -> None:
    def both(ctx: FakeDevice) -> np.ndarray:
        given: list[Any] = []
        for name in ("flux", "sd15"):
            loaded = load_model(ctx, name)
            latent = empty_latent(ctx, loaded.model, 40, 24, 2)
            given += [guide(ctx, loaded.model, loaded.text_encoder), loaded.vae, latent]
        return coop_sample(ctx, *given, steps=4, seed=3).second.samples

    plain, frugal = FakeDevice(folders), FakeDevice(folders)
    frugal.frugal = True
    wanted = both(plain)
    with batches() as seen:
        found = both(frugal)
    assert set(seen) == {1}
    assert np.abs(found - wanted).max() < 1e-4 * max(1.0, float(np.abs(wanted).max()))
    assert frugal.done == plain.done
