"""The profiler's node, on Primer and on a model of two experts."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from backend.sdk import Cancelled, Image, UserError, facts_of
from backend.values import Patch
from nodes.conditioning import encode_text
from nodes.latents import empty_latent
from nodes.loaders import load_model
from nodes.patches import share_attention
from nodes.profiling import Profiled, profile_model
from nodes.video_latents import empty_video_latent
from tests.backend.models import tiny_sd15, tiny_wan
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(__file__).parents[2] / "resources/models/primer"
NUMBER = r"([\d.]+)"


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("models")
    return FakeDevice(
        {
            "primer": PRIMER,
            "sd15": tiny_sd15.write(home / "sd15"),
            "pair": tiny_wan.write(home / "pair", boundary=0.8),
        }
    )


def profiled(ctx: FakeDevice, name: str, guided: bool = True, **more: Any) -> Profiled:
    loaded = load_model(ctx, name)
    texts = [encode_text(ctx, loaded.text_encoder, text) for text in ("a red circle", "")]
    if name == "pair":
        latent = empty_video_latent(ctx, loaded.model, 48, 32, 5)
    else:
        latent = empty_latent(ctx, loaded.model, 64, 64)
    negative = texts[1] if guided else None
    return profile_model(ctx, loaded.model, texts[0], latent, negative, repeats=2, **more)


def share(table: str, kind: str) -> list[float]:
    """Per cent of each step that a kind takes."""
    return [float(n) for n in re.findall(rf"^{kind} +\d* +[\d.]+ +{NUMBER}", table, re.MULTILINE)]


def test_a_profile_of_primer(ctx: FakeDevice) -> None:
    ctx.done.clear()
    found = profiled(ctx, "primer", steps=3)
    assert re.findall(r"step (\d+) of 28", found.table) == ["1", "15", "28"]
    kinds = ("linear", "attention, text and image", "norm", "other", "between operators")
    shares = np.array([share(found.table, kind) for kind in kinds])
    assert shares.shape == (5, 3)
    assert np.all(shares.sum(0) > 99.5)
    assert "roof: " in found.table
    assert ctx.done == [(1, 3), (2, 3), (3, 3)]
    tokens = re.search(r"attention, queries to keys: (\d+) to (\d+) \(5 calls\)", found.table)
    assert tokens
    assert tokens[1] == tokens[2]


def test_the_plot_shows_each_kind_that_there_is(ctx: FakeDevice) -> None:
    plot: Image = profiled(ctx, "sd15").plot
    assert plot.pixels.shape == (1, 560, 1200, 3)
    colours = {tuple(c) for c in (plot.pixels[0] * 255).round().astype(int).reshape(-1, 3).tolist()}
    from backend.models.profiling.picture import INKS

    shown = {kind for kind, ink in INKS.items() if ink in colours}
    assert {"convolution", "linear", "attention, self", "attention, cross", "norm"} <= shown
    assert "attention, text and image" not in shown


def test_guidance_asks_for_two_texts_at_once(ctx: FakeDevice) -> None:
    def operations(table: str) -> float:
        found = re.search(rf"^linear +\d+ +[\d.]+ +[\d.]+ +{NUMBER}", table, re.MULTILINE)
        assert found
        return float(found[1])

    both, one = (operations(profiled(ctx, "primer", guided).table) for guided in (True, False))
    assert both == pytest.approx(2 * one, abs=0.002)


def test_steps_of_both_experts(ctx: FakeDevice) -> None:
    table = profiled(ctx, "pair", steps=2).table
    assert len(share(table, "attention, cross")) == 2


def test_patches_are_part_of_it(ctx: FakeDevice) -> None:
    loaded = load_model(ctx, "primer")
    text = encode_text(ctx, loaded.text_encoder, "a red circle")
    latent = empty_latent(ctx, loaded.model, 64, 64, 2)
    patched = share_attention(ctx, loaded.model)
    plain, shared = (
        profile_model(ctx, model, text, latent, repeats=1).table
        for model in (loaded.model, patched)
    )
    pattern = r"queries to keys: (.*)"
    assert re.findall(pattern, plain) != re.findall(pattern, shared)


def test_a_cancel_is_heard_between_calls(ctx: FakeDevice) -> None:
    soon = FakeDevice(ctx.folders, cancel_at=4)
    with pytest.raises(Cancelled):
        profiled(soon, "primer")


def test_what_does_not_go_together_is_said(ctx: FakeDevice) -> None:
    primer, sd15 = load_model(ctx, "primer"), load_model(ctx, "sd15")
    text = encode_text(ctx, primer.text_encoder, "a")
    latent = empty_latent(ctx, sd15.model, 64, 64)
    with pytest.raises(UserError, match="latent is in the space sd15"):
        profile_model(ctx, primer.model, text, latent)
    fitting = empty_latent(ctx, primer.model, 64, 64)
    with pytest.raises(UserError, match="patch"):
        profile_model(ctx, primer.model.with_(Patch("no such")), text, fitting)


def test_facts_and_needs_are_known_before_a_run() -> None:
    p = SimpleNamespace(steps=2, repeats=3, cfg=2.0)
    model = facts_of("Model", space="a", token_bytes=100, patch=2, own_guider="cfg")
    latent = facts_of("Latent", space="a", width=8, height=4, count=1)
    facts = profile_model.hooks["facts"](p, model, None, latent)
    assert (facts["plot"].width, facts["table"].type) == (1200, "Text")
    needs = profile_model.hooks["peak"](p, model, None, latent, facts_of("Conditioning"))
    assert needs.activation == 100 * 8 * 2
    assert needs.uses == (("model", 22),)
    with pytest.raises(UserError, match="space b"):
        profile_model.hooks["facts"](p, model, None, latent.but(space="b"))
