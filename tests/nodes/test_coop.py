"""Two models that make one picture, wired as a user would."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from backend.models.family import families
from backend.models.loaders import loaders
from backend.models.store import Store
from backend.sdk import Cancelled, Latent, UserError, facts_of
from backend.values import Float32
from nodes.conditioning import encode_text, guider
from nodes.coop import Cooperated, coop_sample
from nodes.latents import empty_latent, vae_decode
from nodes.loaders import load_model
from nodes.sampling import sample
from nodes.video_latents import empty_video_latent
from tests.backend.models import tiny, tiny_sd15, tiny_wan
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(__file__).parents[2] / "resources/models/primer"


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("models")
    return FakeDevice(
        {
            "primer": PRIMER,
            "flux": tiny.write(home / "flux"),
            "sd15": tiny_sd15.write(home / "sd15"),
            "wan": tiny_wan.write(home / "wan"),
        }
    )


def side(ctx: FakeDevice, name: str, width: int, height: int, count: int = 1) -> dict[str, Any]:
    """A model's guider for a text, its VAE and an empty latent."""
    loaded = load_model(ctx, name)
    texts = [encode_text(ctx, loaded.text_encoder, t) for t in ("a red circle on the left", "")]
    return {
        "guider": guider(ctx, loaded.model, *texts, "cfg", 2.0),
        "vae": loaded.vae,
        "latent": empty_latent(ctx, loaded.model, width, height, count),
    }


def coop(ctx: FakeDevice, one: dict[str, Any], two: dict[str, Any], **more: Any) -> Cooperated:
    given = [each[name] for each in (one, two) for name in ("guider", "vae", "latent")]
    return coop_sample(ctx, *given, **more)


def decibels(shown: Float32, wanted: Float32) -> float:
    return float(-10 * np.log10(np.mean((shown - wanted) ** 2)))


def test_primer_with_itself_is_primer(ctx: FakeDevice) -> None:
    """Up to what its VAE loses when views go through pixels."""
    primer = side(ctx, "primer", 128, 128)
    loaded = load_model(ctx, "primer")
    texts = [term.conditioning for term in primer["guider"].terms]
    alone = sample(
        ctx, loaded.model, texts[0], primer["latent"], texts[1], steps=8, cfg=2.0, seed=3,
        solver="euler",
    )  # fmt: skip
    wanted = vae_decode(ctx, loaded.vae, alone).pixels
    for made in coop(ctx, primer, primer, steps=8, seed=3):
        assert decibels(vae_decode(ctx, loaded.vae, made).pixels, wanted) > 38
    other = coop(ctx, primer, primer, steps=8, seed=4).first
    assert decibels(vae_decode(ctx, loaded.vae, other).pixels, wanted) < 20


def test_weight_0_is_the_first_model_alone(ctx: FakeDevice) -> None:
    flux, sd15 = side(ctx, "flux", 40, 24), side(ctx, "sd15", 80, 48)
    texts = [term.conditioning for term in flux["guider"].terms]
    model = load_model(ctx, "flux").model
    alone = sample(ctx, model, texts[0], flux["latent"], texts[1], steps=5, cfg=2.0, seed=3)
    made = coop(ctx, flux, sd15, steps=5, seed=3, weights=(0.0,))
    assert np.allclose(made.first.samples, alone.samples, atol=1e-4)


def test_two_families_of_other_spaces_and_sizes(ctx: FakeDevice) -> None:
    flux, sd15 = side(ctx, "flux", 40, 24, 2), side(ctx, "sd15", 80, 48, 2)
    ctx.done.clear()
    ctx.previews.clear()
    made = coop(ctx, flux, sd15, steps=6, seed=3, weights=(0.2, 0.8))
    given = flux["latent"], sd15["latent"]
    assert [m.samples.shape for m in made] == [each.samples.shape for each in given]
    assert [m.space for m in made] == [each.space for each in given]
    assert [m.sigma for m in made] == [0.0, 0.0]
    assert ctx.done == [(n, 6) for n in range(1, 7)]
    assert ctx.previews
    again = coop(ctx, flux, sd15, steps=6, seed=3, weights=(0.2, 0.8))
    assert np.array_equal(made.first.samples, again.first.samples)
    other = coop(ctx, flux, sd15, steps=6, seed=3, weights=(0.3, 0.8))
    assert not np.allclose(made.first.samples, other.first.samples, atol=1e-3)


def test_both_share_one_budget(ctx: FakeDevice) -> None:
    """Which does not hold both models; the result is the same."""
    roomy = FakeDevice(ctx.folders)
    sides = side(roomy, "flux", 40, 24), side(roomy, "sd15", 40, 24)
    wanted = coop(roomy, *sides, steps=4)
    tight = FakeDevice(ctx.folders)
    budget = int(0.6 * roomy.store.nbytes)
    tight.store = Store(families(), budget, loaders())
    assert np.array_equal(coop(tight, *sides, steps=4).second.samples, wanted.second.samples)
    assert tight.store.residency.peak <= budget


def test_a_cancel_is_heard(ctx: FakeDevice) -> None:
    sides = side(ctx, "flux", 40, 24), side(ctx, "sd15", 40, 24)
    soon = FakeDevice(ctx.folders, cancel_at=9)
    with pytest.raises(Cancelled):
        coop(soon, *sides, steps=6)


def test_what_does_not_go_together_is_said(ctx: FakeDevice) -> None:
    flux, sd15 = side(ctx, "flux", 40, 24), side(ctx, "sd15", 40, 24)

    def refused(match: str, one: dict[str, Any], two: dict[str, Any], **more: Any) -> None:
        with pytest.raises(UserError, match=match):
            coop(ctx, one, two, steps=2, **more)

    refused("40x24 pixels, the second 40x40", flux, side(ctx, "sd15", 40, 40))
    refused("first latent has 1 pictures, the second 2", flux, side(ctx, "sd15", 40, 24, 2))
    refused("Give each model the VAE", flux, {**sd15, "vae": flux["vae"]})
    refused("latent is in the space", {**flux, "latent": sd15["latent"]}, sd15)
    refused("numbers from 0 to 1", flux, sd15, weights=(2.0,))
    noisy: Latent = flux["latent"].but(sigma=0.5)
    refused("Give them empty latents", {**flux, "latent": noisy}, sd15)
    wan = load_model(ctx, "wan")
    texts = [encode_text(ctx, wan.text_encoder, t) for t in ("a", "")]
    video = {
        "guider": guider(ctx, wan.model, *texts, "cfg", 2.0),
        "vae": wan.vae,
        "latent": empty_video_latent(ctx, wan.model, 48, 32, 5),
    }
    refused("pictures only", video, sd15)


def test_facts_and_needs_are_known_before_a_run(ctx: FakeDevice) -> None:
    p = SimpleNamespace(weights=(0.5,), steps=10)
    latent = facts_of("Latent", space="a", width=5, height=3, factor=8, count=2)
    model = facts_of("Guider", space="a", token_bytes=100, branches=2, patch=1)
    vae = facts_of("VAE", space="a", factor=8, pixel_bytes=10)
    given = {
        f"{name}{end}": value
        for name in ("first", "second")
        for end, value in (("", model), ("_vae", vae), ("_latent", latent))
    }
    facts = coop_sample.hooks["facts"](p, **given)
    assert (facts["first"].noise, facts["second"].width) == (0.0, 5)
    needs = coop_sample.hooks["peak"](p, **given)
    assert needs.activation == max(100 * 15 * 2 * 2, 10 * 40 * 24)
    assert needs.uses == (("first", 10), ("first_vae", 40), ("second", 10), ("second_vae", 40))
    with pytest.raises(UserError, match="space a"):
        coop_sample.hooks["facts"](p, **{**given, "first_vae": facts_of("VAE", space="b")})
    with pytest.raises(UserError, match="from 0 to 1"):
        coop_sample.hooks["facts"](SimpleNamespace(weights=(3.0,), steps=10), **given)
