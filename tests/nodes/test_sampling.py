from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backend.models.family import describe
from backend.sdk import (
    Cancelled,
    Conditioning,
    Guider,
    Image,
    Latent,
    Mask,
    Peak,
    UserError,
    facts_of,
)
from nodes.conditioning import (
    cfg_pp_guider,
    compose_conditions,
    encode_text,
    guider,
    skip_layer_guider,
)
from nodes.latents import empty_latent, inpaint_mask, vae_encode
from nodes.loaders import LoadedModel, load_model
from nodes.sampling import (
    SCHEDULES,
    SOLVERS,
    invert_latent,
    noise,
    sample,
    sample_with_parts,
    schedule,
    semantic_mix,
    solver,
)
from tests.backend.models import tiny, tiny_qwen, tiny_sana
from tests.nodes.fake_device import FakeDevice


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    return FakeDevice({"primer": tiny.write(tmp_path_factory.mktemp("flux"))})


@pytest.fixture(scope="module")
def loaded(ctx: FakeDevice) -> LoadedModel:
    return load_model(ctx, "primer")


@pytest.fixture(scope="module")
def texts(ctx: FakeDevice, loaded: LoadedModel) -> tuple[Conditioning, Conditioning]:
    encoder = loaded.text_encoder
    return encode_text(ctx, encoder, "a red circle"), encode_text(ctx, encoder, "")


@pytest.fixture(scope="module")
def plain(loaded: LoadedModel, texts: tuple[Conditioning, Conditioning], ctx: FakeDevice) -> Guider:
    return guider(ctx, loaded.model, *texts, kind="cfg", cfg=3.0)


@pytest.fixture(scope="module")
def encoded(ctx: FakeDevice, loaded: LoadedModel) -> Latent:
    rng = np.random.default_rng(2)
    return vae_encode(ctx, loaded.vae, Image(rng.random((1, 24, 40, 3), dtype=np.float32)))


def test_sample_tells_progress_and_previews(
    ctx: FakeDevice, loaded: LoadedModel, texts: tuple[Conditioning, Conditioning]
) -> None:
    ctx.done.clear()
    ctx.previews.clear()
    latent = empty_latent(ctx, loaded.model, 40, 24, 2)
    result = sample(ctx, loaded.model, texts[0], latent, texts[1], steps=4, cfg=3.0, seed=5)
    assert result.samples.shape == latent.samples.shape
    assert (result.sigma, result.space) == (0.0, latent.space)
    assert ctx.done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {p.pixels.shape for p in ctx.previews} == {(2, 12, 20, 3)}


def test_sample_equals_its_parts(
    ctx: FakeDevice, loaded: LoadedModel, texts: tuple[Conditioning, Conditioning], plain: Guider
) -> None:
    latent = empty_latent(ctx, loaded.model, 40, 24)
    whole = sample(ctx, loaded.model, texts[0], latent, texts[1], steps=5, cfg=3.0, seed=5)
    parts = sample_with_parts(
        ctx, plain, solver(ctx), schedule(ctx, steps=5), noise(ctx, seed=5), latent
    )
    assert np.array_equal(whole.samples, parts.samples)


@pytest.mark.parametrize("kind", SOLVERS)
@pytest.mark.parametrize("levels", SCHEDULES)
def test_every_solver_runs_with_every_schedule(
    ctx: FakeDevice, loaded: LoadedModel, plain: Guider, kind: str, levels: str
) -> None:
    latent = empty_latent(ctx, loaded.model, 16, 16)
    result = sample_with_parts(
        ctx, plain, solver(ctx, kind), schedule(ctx, levels, steps=6), noise(ctx, 1), latent
    )
    assert np.isfinite(result.samples).all()
    assert result.samples.std() > 0.1


def test_denoise_0_returns_the_latent(
    ctx: FakeDevice, loaded: LoadedModel, texts: tuple[Conditioning, Conditioning], encoded: Latent
) -> None:
    same = sample(ctx, loaded.model, texts[0], encoded, texts[1], denoise=0.0)
    assert np.array_equal(same.samples, encoded.samples)


def test_a_mask_keeps_the_rest_exactly(
    ctx: FakeDevice, loaded: LoadedModel, texts: tuple[Conditioning, Conditioning], encoded: Latent
) -> None:
    mask = np.zeros((1, 24, 40), np.float32)
    mask[:, :, 20:] = 1
    marked = inpaint_mask(ctx, encoded, Mask(mask))
    result = sample(ctx, loaded.model, texts[0], marked, texts[1], steps=4, denoise=0.9)
    assert np.array_equal(result.samples[..., :10], encoded.samples[..., :10])
    assert not np.allclose(result.samples[..., 10:], encoded.samples[..., 10:])


def test_cancel_is_seen_before_every_model_call(
    ctx: FakeDevice, loaded: LoadedModel, plain: Guider
) -> None:
    stopping = FakeDevice(ctx.folders, cancel_at=3)
    latent = empty_latent(ctx, loaded.model, 16, 16)
    with pytest.raises(Cancelled):
        sample_with_parts(stopping, plain, solver(ctx), schedule(ctx, steps=20), noise(ctx), latent)
    assert len(stopping.done) < 3


def test_a_run_in_two_parts_equals_one(ctx: FakeDevice, loaded: LoadedModel, plain: Guider) -> None:
    latent = empty_latent(ctx, loaded.model, 16, 16)
    whole = sample_with_parts(
        ctx, plain, solver(ctx), schedule(ctx, steps=8), noise(ctx, 3), latent
    )
    half = sample_with_parts(
        ctx, plain, solver(ctx), schedule(ctx, steps=8, leave=0.5), noise(ctx, 3), latent
    )
    assert half.sigma > 0.2
    rest = sample_with_parts(ctx, plain, solver(ctx), schedule(ctx, steps=8), noise(ctx, 99), half)
    assert np.allclose(rest.samples, whole.samples, atol=1e-5)


def test_semantic_mix_gives_the_layout_back_and_plain_sampling(
    ctx: FakeDevice, plain: Guider, encoded: Latent
) -> None:
    back = semantic_mix(ctx, plain, encoded, nu=0.0, k_min=0.0, k_max=0.6, steps=5)
    assert np.array_equal(back.samples, encoded.samples)
    free = semantic_mix(ctx, plain, encoded, nu=1.0, k_min=0.3, k_max=1.0, steps=5, seed=4)
    empty = encoded.but(samples=np.zeros_like(encoded.samples))
    want = sample_with_parts(ctx, plain, solver(ctx), schedule(ctx, steps=5), noise(ctx, 4), empty)
    assert np.array_equal(free.samples, want.samples)


def test_invert_comes_back_with_cfg_pp(
    ctx: FakeDevice, loaded: LoadedModel, texts: tuple[Conditioning, Conditioning], encoded: Latent
) -> None:
    pp = cfg_pp_guider(ctx, loaded.model, *texts, strength=0.2)
    errors = []
    for steps in (10, 80):
        plan = schedule(ctx, steps=steps)
        found = invert_latent(ctx, pp, plan, encoded)
        assert found.sigma == 1.0
        back = sample_with_parts(ctx, pp, solver(ctx), plan, noise(ctx), found)
        errors.append(float(np.abs(back.samples - encoded.samples).mean()))
    assert errors[1] < errors[0] / 2


def test_composition_of_one_is_cfg(
    ctx: FakeDevice, loaded: LoadedModel, texts: tuple[Conditioning, Conditioning], plain: Guider
) -> None:
    latent = empty_latent(ctx, loaded.model, 16, 16)
    one = compose_conditions(ctx, loaded.model, texts[1], texts[0], weights=(3.0,))
    parts = (solver(ctx), schedule(ctx, steps=4), noise(ctx, 2), latent)
    composed = sample_with_parts(ctx, one, *parts)
    assert np.array_equal(composed.samples, sample_with_parts(ctx, plain, *parts).samples)


def test_mismatches_are_explained(
    ctx: FakeDevice, loaded: LoadedModel, texts: tuple[Conditioning, Conditioning]
) -> None:
    latent = empty_latent(ctx, loaded.model, 16, 16)
    alien = Conditioning("sdxl", texts[0].tensors)
    with pytest.raises(UserError, match="encoded for sdxl"):
        sample(ctx, loaded.model, alien, latent)
    with pytest.raises(UserError, match="in the space sdxl"):
        sample(ctx, loaded.model, texts[0], latent.but(space="sdxl"))
    with pytest.raises(UserError, match="multiples of 2"):
        sample(ctx, loaded.model, texts[0], latent.but(samples=np.zeros((1, 4, 8, 7))))
    nobody = Guider("none")
    with pytest.raises(UserError, match="no model"):
        sample_with_parts(ctx, nobody, solver(ctx), schedule(ctx), noise(ctx), latent)


def test_peak_grows_with_size_batch_and_guidance(ctx: FakeDevice) -> None:
    known = load_model.hooks["facts"](SimpleNamespace(model="primer", lookup=ctx))["model"]
    p = SimpleNamespace(cfg=3.0, guidance="cfg", solver="euler", steps=10, denoise=1.0)

    def peak(width: int, count: int, negative: object) -> int:
        latent = facts_of("Latent", width=width, height=16, count=count)
        told = sample.hooks["peak"](p, model=known, positive=None, latent=latent, negative=negative)
        assert told.uses == (("model", 10),)
        return told.activation

    base = peak(16, 1, None)
    assert base > 0
    assert peak(32, 1, None) == 2 * base
    assert peak(16, 3, None) == 3 * base
    assert peak(16, 1, facts_of("Conditioning")) == 2 * base


@pytest.mark.parametrize(
    ("settings", "calls"),
    [
        ({}, 28),
        ({"solver": "heun"}, 2 * 28 - 1),  # the step to 0 is Euler's
        ({"denoise": 0.5}, 14),
        ({"denoise": 0.0}, 0),
        ({"steps": None}, 1),  # not known, so once at least
    ],
)
def test_passes_are_the_calls_that_the_solver_makes(settings: dict[str, Any], calls: int) -> None:
    given = {"cfg": 3.0, "guidance": "cfg", "solver": "euler", "steps": 28, "denoise": 1.0}
    p = SimpleNamespace(**{**given, **settings})
    told = sample.hooks["peak"](p, model=None, positive=None, latent=None)
    assert told.uses == (("model", calls),)
    assert told.activation is None


def test_a_sampler_of_parts_knows_its_guider_and_schedule() -> None:
    model = facts_of("Model", family="flux", patch=2, token_bytes=1000)
    said, other = facts_of("Conditioning"), facts_of("Conditioning")
    p = SimpleNamespace(kind="cfg", skip=2.0, layers=())
    guided = guider.hooks["facts"](p, model=model, positive=said, negative=other)
    plain = guider.hooks["facts"](p, model=model, positive=said)
    skipped = skip_layer_guider.hooks["facts"](p, model=model, positive=said, negative=other)
    several = compose_conditions.hooks["facts"](
        p, model=model, negative=other, conditions=(said, said, said)
    )
    branches = [guided.branches, plain.branches, skipped.branches, several.branches]
    assert branches == [2, 1, 3, 4]
    levels = SimpleNamespace(kind="karras", steps=20, denoise=0.75, leave=0.25, sigmas=())
    taken = schedule.hooks["facts"](levels)
    assert taken.taken == 10
    latent = facts_of("Latent", width=32, height=16, count=3)
    told = sample_with_parts.hooks["peak"](
        None, guider=guided, solver=facts_of("Solver", kind="heun"), schedule=taken, latent=latent,
        noise=None,
    )  # fmt: skip
    assert told == Peak(1000 * 16 * 8 * 3 * 2, (("guider", 19),))


@pytest.mark.parametrize(
    ("write", "made_for"),
    [
        (tiny_sana.write, {"solver": "dpmpp_2m", "guidance": "cfg"}),
        (tiny_qwen.write, {"solver": "euler", "guidance": "cfg_token_norm"}),
    ],
)
def test_native_is_what_the_model_was_made_for(
    write: Callable[[Path], Path], made_for: dict[str, str], tmp_path: Path
) -> None:
    ctx = FakeDevice({"mine": write(tmp_path / "mine")})
    found = load_model(ctx, "mine")
    texts = {
        "positive": encode_text(ctx, found.text_encoder, "a red cat"),
        "negative": encode_text(ctx, found.text_encoder, "ugly day"),
    }
    side = 4 * describe(found.model).geometry.multiple
    latent = empty_latent(ctx, found.model, side, side)

    def run(**settings: str) -> np.ndarray:
        given = {"steps": 4, "cfg": 4.0, **settings}
        return sample(ctx, found.model, latent=latent, **texts, **given).samples

    assert np.array_equal(run(), run(**made_for))
    other = {"solver": "heun", "guidance": "cfg"}
    assert not np.array_equal(run(), run(**other))
