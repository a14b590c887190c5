"""Attention maps and shared attention on Primer, scored by the world that knows the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend.sdk import Guider, Model, UserError
from backend.train.vision import look
from nodes.attention import Watched, sample_with_map
from nodes.conditioning import encode_text, guider
from nodes.latents import empty_latent, vae_decode
from nodes.loaders import LoadedModel, load_model
from nodes.patches import share_attention
from nodes.sampling import noise, sample_with_parts, schedule, solver
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(__file__).parents[2] / "resources/models/primer"
STEPS = 14


@pytest.fixture(scope="module")
def ctx() -> FakeDevice:
    return FakeDevice({"primer": PRIMER})


@pytest.fixture(scope="module")
def loaded(ctx: FakeDevice) -> LoadedModel:
    return load_model(ctx, "primer")


def guide(ctx: FakeDevice, loaded: LoadedModel, text: str, model: Model | None = None) -> Guider:
    positive, negative = (encode_text(ctx, loaded.text_encoder, t) for t in (text, ""))
    return guider(ctx, model or loaded.model, positive, negative, "cfg", 2.0)


def watched(ctx: FakeDevice, loaded: LoadedModel, text: str, word: str, **more: float) -> Watched:
    return sample_with_map(
        ctx, guide(ctx, loaded, text), solver(ctx), schedule(ctx, steps=STEPS), noise(ctx, seed=3),
        empty_latent(ctx, loaded.model), loaded.text_encoder, text, word,
        **more,
    )  # fmt: skip


TEXT = "a red star on the left and a blue ring on the right"


@pytest.mark.parametrize(("word", "left"), [("red star", True), ("blue ring", False)])
def test_a_word_is_looked_at_where_its_object_is(
    ctx: FakeDevice, loaded: LoadedModel, word: str, left: bool
) -> None:
    found = watched(ctx, loaded, TEXT, word)
    coverage = found.map.coverage[0]
    assert coverage.shape == (128, 128)
    assert coverage.max() == pytest.approx(1.0, abs=0.05)
    halves = (coverage[:, :64].mean(), coverage[:, 64:].mean())
    here, there = halves if left else halves[::-1]
    assert here > 3 * there


def test_looking_on_does_not_change_the_picture(ctx: FakeDevice, loaded: LoadedModel) -> None:
    plain = sample_with_parts(
        ctx, guide(ctx, loaded, TEXT), solver(ctx), schedule(ctx, steps=STEPS), noise(ctx, seed=3),
        empty_latent(ctx, loaded.model),
    )  # fmt: skip
    assert (watched(ctx, loaded, TEXT, "ring").latent.samples == plain.samples).all()


@pytest.mark.parametrize("word", ["green", "", " "])
def test_a_word_that_is_not_there_is_said(ctx: FakeDevice, loaded: LoadedModel, word: str) -> None:
    with pytest.raises(UserError, match="not in the text"):
        watched(ctx, loaded, TEXT, word)


def test_a_range_without_steps_is_said(ctx: FakeDevice, loaded: LoadedModel) -> None:
    with pytest.raises(UserError, match=r"No step lies between 0\.6 and 0\.5"):
        watched(ctx, loaded, TEXT, "ring", begin=0.6, end=0.5)


def test_the_encoder_is_that_of_the_prompt(ctx: FakeDevice, loaded: LoadedModel) -> None:
    other = loaded._replace(text_encoder=replace(loaded.text_encoder, space="another"))
    with pytest.raises(UserError, match="text encoder is not the one of the guider's positive"):
        sample_with_map(
            ctx, guide(ctx, loaded, TEXT), solver(ctx), schedule(ctx, steps=1), noise(ctx, seed=3),
            empty_latent(ctx, loaded.model), other.text_encoder, TEXT, "ring",
        )  # fmt: skip


def test_shared_attention_makes_pictures_alike(ctx: FakeDevice, loaded: LoadedModel) -> None:
    """The prompt leaves the background open: alone each picture has its own, shared all have the
    first one's."""
    text = "a red circle on the left and a blue square on the right"

    def backgrounds(model: Model) -> list[str | None]:
        latent = sample_with_parts(
            ctx, guide(ctx, loaded, text, model), solver(ctx), schedule(ctx, steps=STEPS),
            noise(ctx, seed=0), empty_latent(ctx, model, 0, 0, 6),
        )  # fmt: skip
        pixels = (vae_decode(ctx, loaded.vae, latent).pixels * 255).round().astype("uint8")
        return [look(picture).background for picture in pixels]

    alone, shared = backgrounds(loaded.model), backgrounds(share_attention(ctx, loaded.model))
    assert len(set(alone)) >= 3
    assert set(shared) == {alone[0]}
