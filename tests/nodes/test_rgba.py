"""Generate RGBA: room around the subject, and its alpha from the model's own attention."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.sdk import UserError, facts_of
from nodes.conditioning import encode_text
from nodes.latents import empty_latent, vae_decode
from nodes.loaders import load_model
from nodes.rgba import CutPicture, generate_rgba
from nodes.sampling import sample
from tests.backend.models import tiny
from tests.benchmarks.creative import PRIMER, Desk, codes
from tests.benchmarks.layers import Truth
from tests.nodes.fake_device import FakeDevice

TEXT = "a red circle on the left, on a white background"


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    torch.set_num_threads(1)
    home: Path = tmp_path_factory.mktemp("home")
    tiny.write(home / "tiny")
    return FakeDevice({"tiny": home / "tiny"})


def made(
    ctx: FakeDevice, prompt: str = TEXT, width: int = 48, count: int = 2, **told
) -> CutPicture:
    found = load_model(ctx, "tiny")
    latent = empty_latent(ctx, found.model, width, 32, count)
    parts = (found.model, found.text_encoder, found.vae, latent)
    return generate_rgba(ctx, *parts, prompt, **{"steps": 2, "seed": 3, **told})


def test_each_picture_gets_alpha_marks_and_heat(ctx: FakeDevice) -> None:
    cut = made(ctx, subject="red circle")
    assert cut.image.pixels.shape == (2, 32, 48, 4)
    assert cut.trimap.pixels.shape == (2, 32, 48, 1)
    assert cut.heat.coverage.shape == (2, 32, 48)
    assert cut.heat.coverage.max((1, 2)) == pytest.approx([1, 1])
    assert cut.whole.pixels.shape == (2, 32, 48, 3)
    assert np.isfinite(cut.image.pixels).all()


def test_without_a_border_the_picture_is_that_of_plain_sampling_to_the_bit(
    ctx: FakeDevice,
) -> None:
    found = load_model(ctx, "tiny")
    texts = [encode_text(ctx, found.text_encoder, text, syntax="plain") for text in (TEXT, "")]
    latent = empty_latent(ctx, found.model, 48, 32, 2)
    plain = sample(ctx, found.model, texts[0], latent, texts[1], steps=2, seed=3)
    wanted = vae_decode(ctx, found.vae, plain).pixels
    assert np.array_equal(made(ctx, border=0.0).whole.pixels, wanted)
    assert not np.array_equal(made(ctx, border=0.25).whole.pixels, wanted)


@pytest.mark.parametrize("told", [{"cfg": 1.0}, {"edge": 0}, {"holes": False}, {"width": 16}])
def test_other_settings_run_too(ctx: FakeDevice, told: dict) -> None:
    assert made(ctx, **told).image.channels == 4


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"prompt": "  "}, "prompt is empty"),
        ({"subject": "blue cat"}, "'blue cat' is not in the text"),
        ({"prompt": "word " * 400 + "cat", "subject": "cat"}, "too long"),
        ({"sure": 0.2}, "each must be at least"),
    ],
)
def test_what_cannot_be_gets_a_sentence(ctx: FakeDevice, told: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        made(ctx, **told)


def test_facts_and_peak(ctx: FakeDevice) -> None:
    defaults = {p.name: p.default for p in generate_rgba.spec.params}
    p = type("P", (), {**defaults, "lookup": None})
    latent = facts_of("Latent", width=6, height=4, factor=8, count=2)
    told = generate_rgba.hooks["facts"](p, None, None, None, latent)
    assert told["image"] == facts_of("Image", width=48, height=32, channels=4, count=2)
    assert told["heat"] == facts_of("Mask", width=48, height=32, count=2)
    uses = dict(generate_rgba.hooks["peak"](p, None, None, None, latent).uses)
    assert uses == {"text_encoder": 3, "model": 28, "vae.decoder": 2}


def test_primer_draws_a_subject_with_a_true_alpha() -> None:
    torch.set_num_threads(1)
    desk = Desk(PRIMER)
    found = desk.found
    latent = empty_latent(desk, found.model, 128, 128, 1)
    cut = generate_rgba(
        desk, found.model, found.text_encoder, found.vae, latent, TEXT, "red circle",
        "white background", seed=5,
    )  # fmt: skip
    truth = Truth(codes(cut.whole)[0])
    assert truth.count == 1
    assert truth.margin() >= 8
    assert truth.overlap(cut.image.pixels[0, ..., 3]) > 0.9
    assert truth.fringe(cut.image.pixels[0]) < 0.05
