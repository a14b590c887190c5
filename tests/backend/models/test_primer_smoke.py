"""The papers' methods run through Primer: what holds whatever Primer has learnt."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import backend
from backend.sdk import Conditioning, Guider, Image, Latent, Mask
from nodes.conditioning import cfg_pp_guider, compose_conditions, encode_text, guider
from nodes.latents import empty_latent, inpaint_mask, vae_encode
from nodes.loaders import LoadedModel, load_model
from nodes.sampling import (
    invert_latent,
    noise,
    sample,
    sample_with_parts,
    schedule,
    semantic_mix,
    solver,
)
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(backend.__file__).parent.parent / "resources/models/primer"
SIZE, STEPS = 64, 4


class Bench:
    """Primer behind a fake context, with two texts and a picture."""

    def __init__(self) -> None:
        self.ctx = FakeDevice({"primer": PRIMER})
        self.loaded: LoadedModel = load_model(self.ctx, "primer")
        self.empty = self.text("")
        self.red = self.text("a red circle on the left, on a white background")
        y, x = np.mgrid[:SIZE, :SIZE] / SIZE
        pixels = np.stack([x, y, (np.hypot(x - 0.5, y - 0.5) < 0.3) * 1.0], -1)
        self.photo = vae_encode(self.ctx, self.loaded.vae, Image(pixels[None].astype(np.float32)))

    def text(self, words: str) -> Conditioning:
        return encode_text(self.ctx, self.loaded.text_encoder, words)

    def cfg(self) -> Guider:
        return guider(self.ctx, self.loaded.model, self.red, self.empty, "cfg", 3.5)

    def run(self, who: Guider, latent: Latent | None = None) -> np.ndarray:
        start = latent or empty_latent(self.ctx, self.loaded.model, SIZE, SIZE)
        plan = schedule(self.ctx, steps=STEPS)
        done = sample_with_parts(
            self.ctx, who, solver(self.ctx), plan, noise(self.ctx, seed=3), start
        )
        assert np.isfinite(done.samples).all()
        return done.samples


@cache
def made() -> Bench:
    return Bench()


@pytest.fixture
def bench() -> Bench:
    return made()


def far(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).mean())


def test_image_to_image_keeps_more_the_lower_denoise_is(bench: Bench) -> None:
    def at(denoise: float) -> np.ndarray:
        given = bench.photo
        return sample(bench.ctx, bench.loaded.model, bench.red, given, bench.empty, 8, 3.5, 3,
                      denoise=denoise).samples  # fmt: skip

    assert np.array_equal(at(0.0), bench.photo.samples)
    kept = [far(at(strength), bench.photo.samples) for strength in (0.125, 0.5, 1.0)]
    assert 0 < kept[0] < kept[1] < kept[2]
    fresh, model = empty_latent(bench.ctx, bench.loaded.model, SIZE, SIZE), bench.loaded.model
    alone = sample(bench.ctx, model, bench.red, fresh, bench.empty, 8, 3.5, 3)
    assert np.array_equal(at(1.0), alone.samples)


def test_in_paint_keeps_what_is_not_masked(bench: Bench) -> None:
    mask = np.zeros((1, SIZE, SIZE), np.float32)
    mask[:, :, SIZE // 2 :] = 1
    given = inpaint_mask(bench.ctx, bench.photo, Mask(mask))
    result, half = bench.run(bench.cfg(), given), bench.photo.samples.shape[-1] // 2
    assert np.array_equal(result[..., :half], bench.photo.samples[..., :half])
    assert far(result[..., half:], bench.photo.samples[..., half:]) > 0.01


def test_semantic_mix_meets_its_ends(bench: Bench) -> None:
    def mix(nu: float, k_min: float, k_max: float) -> np.ndarray:
        return semantic_mix(bench.ctx, bench.cfg(), bench.photo, nu, k_min, k_max, STEPS, 3).samples

    assert np.array_equal(mix(1.0, 0.3, 1.0), bench.run(bench.cfg()))
    assert far(mix(0.0, 0.0, 1.0), bench.photo.samples) < 1e-5
    layouts = [far(mix(nu, 0.0, 1.0), bench.photo.samples) for nu in (0.2, 0.6, 1.0)]
    assert layouts[0] < layouts[1] < layouts[2]


def test_a_composition_of_one_is_cfg_and_a_weight_of_0_is_no_condition(bench: Bench) -> None:
    blue = bench.text("a blue square on the right, on a white background")

    def compose(conditions: tuple[Conditioning, ...], weights: tuple[float, ...]) -> np.ndarray:
        return bench.run(compose_conditions(bench.ctx, bench.loaded.model, bench.empty, *conditions,
                                            weights=weights))  # fmt: skip

    alone = compose((bench.red,), (3.5,))
    assert np.array_equal(alone, bench.run(bench.cfg()))
    assert far(compose((bench.red, blue), (3.5, 0.0)), alone) < 1e-4
    both, without = compose((bench.red, blue), (3.5, 3.5)), compose((bench.red, blue), (3.5, -3.5))
    assert far(both, alone) > 1e-3
    assert far(both, without) > 1e-3


def test_cfg_pp_is_unconditional_at_0_and_inverts(bench: Bench) -> None:
    def plus(strength: float) -> Guider:
        return cfg_pp_guider(bench.ctx, bench.loaded.model, bench.red, bench.empty, strength)

    free = guider(bench.ctx, bench.loaded.model, bench.empty, None, "none")
    unguided = bench.run(free)
    assert far(bench.run(plus(0.0)), unguided) < 1e-4
    moved = [far(bench.run(plus(strength)), unguided) for strength in (0.1, 0.6)]
    assert 0 < moved[0] < moved[1]

    plan = schedule(bench.ctx, steps=STEPS)
    start = invert_latent(bench.ctx, plus(0.2), plan, bench.photo)
    assert start.sigma == 1.0
    assert np.isfinite(start.samples).all()
    back = bench.run(plus(0.2), start)
    assert far(back, bench.run(plus(0.2), start)) == 0
    assert far(back, bench.photo.samples) < far(bench.run(plus(0.2)), bench.photo.samples)
