from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from backend.sdk import Conditioning, Latent, UserError, facts_of
from backend.values import Patch
from nodes.conditioning import encode_text, guider
from nodes.experts import expert_guider, expert_switch
from nodes.loaders import LoadedModel, link_facts, load_model
from nodes.sampling import noise, sample, sample_with_parts, schedule, solver
from nodes.video_latents import empty_video_latent
from tests.backend.models import tiny, tiny_wan
from tests.nodes.fake_device import FakeDevice


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    folders = {
        "pair": tiny_wan.write(tmp_path_factory.mktemp("pair"), boundary=0.8),
        "single": tiny_wan.write(tmp_path_factory.mktemp("single")),
        "coarse": tiny_wan.write(tmp_path_factory.mktemp("coarse"), coarse=True),
        "flux": tiny.write(tmp_path_factory.mktemp("flux")),
    }
    return FakeDevice(folders)


@pytest.fixture(scope="module")
def pair(ctx: FakeDevice) -> LoadedModel:
    return load_model(ctx, "pair")


@pytest.fixture(scope="module")
def texts(ctx: FakeDevice, pair: LoadedModel) -> tuple[Conditioning, Conditioning]:
    encoder = pair.text_encoder
    return encode_text(ctx, encoder, "a red circle"), encode_text(ctx, encoder, "")


@pytest.fixture(scope="module")
def empty(ctx: FakeDevice, pair: LoadedModel) -> Latent:
    return empty_video_latent(ctx, pair.model, 48, 32, 5)


def test_a_switched_model_samples_with_each_in_its_range(
    ctx: FakeDevice, pair: LoadedModel, texts: tuple[Conditioning, Conditioning], empty: Latent
) -> None:
    single = load_model(ctx, "single").model  # its network is the first of the pair

    def made(model: object) -> np.ndarray:
        return sample(ctx, model, texts[0], empty, texts[1], steps=6, seed=2).samples

    whole = made(pair.model)
    again = expert_switch(ctx, single, pair.model, 0.8)  # below it the pair's second is in charge
    assert np.array_equal(made(again), whole)
    assert np.array_equal(made(expert_switch(ctx, pair.model, pair.model, 0.4)), whole)
    assert np.array_equal(made(expert_switch(ctx, single, single, 0.4)), made(single))
    late = made(expert_switch(ctx, single, pair.model, 0.79))
    assert not np.allclose(late, made(single), atol=1e-3)


def test_three_experts_are_two_switches(ctx: FakeDevice, pair: LoadedModel) -> None:
    model, patch = load_model(ctx, "single").model, Patch("note")
    two = expert_switch(ctx, model, pair.model, 0.7).with_(patch)
    three = expert_switch(ctx, two, model, 0.3)
    assert [round(e.below, 2) for e in three.experts] == [float("inf"), 0.7, 0.3]
    assert [e.model.patches for e in three.experts] == [(patch,), (patch,), ()]
    assert three.patches == ()
    for boundary in (0.7, 0.8, 0.0):
        with pytest.raises(UserError, match="below that of the switch before"):
            expert_switch(ctx, two, model, boundary)


def test_models_that_do_not_go_together_are_refused(ctx: FakeDevice, pair: LoadedModel) -> None:
    with pytest.raises(UserError, match="first model is a wan, the second a flux"):
        expert_switch(ctx, pair.model, load_model(ctx, "flux").model)
    with pytest.raises(UserError, match="do not share their latents"):
        expert_switch(ctx, pair.model, load_model(ctx, "coarse").model)


def test_each_expert_has_its_own_cfg(
    ctx: FakeDevice, pair: LoadedModel, texts: tuple[Conditioning, Conditioning], empty: Latent
) -> None:
    def made(guide: object) -> np.ndarray:
        parts = (solver(ctx, "unipc"), schedule(ctx, steps=5), noise(ctx, 4))
        return sample_with_parts(ctx, guide, *parts, empty).samples

    plain = made(guider(ctx, pair.model, *texts, kind="cfg", cfg=3.0))
    assert np.array_equal(made(expert_guider(ctx, pair.model, *texts, scales=(3.0, 3.0))), plain)
    other = made(expert_guider(ctx, pair.model, *texts, scales=(3.0, 2.0)))
    assert not np.allclose(other, plain, atol=1e-3)
    with pytest.raises(UserError, match="3 scales, but the model has 2 experts"):
        made(expert_guider(ctx, pair.model, *texts, scales=(3.0, 2.0, 1.0)))
    with pytest.raises(UserError, match="no scale"):
        expert_guider(ctx, pair.model, *texts, scales=())


def test_facts_of_a_switch(ctx: FakeDevice) -> None:
    high, low = link_facts(ctx, "single")["model"], link_facts(ctx, "pair")["model"]
    settings = SimpleNamespace(boundary=0.5)
    found = expert_switch.hooks["facts"](settings, high=high, low=low)
    assert (found.space, found.bytes) == (high.space, max(high.bytes, low.bytes))
    assert expert_switch.hooks["facts"](settings, high=None, low=low) == facts_of("Model")
    flux = link_facts(ctx, "flux")["model"]
    with pytest.raises(UserError, match="first model is a wan, the second a flux"):
        expert_switch.hooks["facts"](settings, high=high, low=flux)
    coarse = link_facts(ctx, "coarse")["model"]
    with pytest.raises(UserError, match="do not share their latents"):
        expert_switch.hooks["facts"](settings, high=high, low=coarse)
    guide = expert_guider.hooks["facts"](settings, model=low, positive=None, negative=None)
    assert (guide.kind, guide.family) == ("cfg_experts", "wan")
