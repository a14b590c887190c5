"""RF-Edit and RF-Solver's inversion, on a tiny Flux and on Primer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.sdk import Conditioning, Guider, Image, Latent, UserError, facts_of
from nodes.conditioning import encode_text, guider
from nodes.editing import rf_edit
from nodes.latents import vae_encode
from nodes.loaders import LoadedModel, load_model
from nodes.sampling import invert_latent, noise, sample_with_parts, schedule, solver
from tests.backend.models import tiny, tiny_sana
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(__file__).parents[2] / "resources/models/primer"


class Desk:
    """A model with a picture in latents, and texts of it."""

    def __init__(self, folder: Path, side: int = 32) -> None:
        torch.set_num_threads(1)
        self.ctx = FakeDevice({"model": folder})
        self.found: LoadedModel = load_model(self.ctx, "model")
        pixels = np.random.default_rng(2).random((1, side, side, 3), dtype=np.float32)
        self.latent = vae_encode(self.ctx, self.found.vae, Image(pixels))

    def text(self, words: str) -> Conditioning:
        return encode_text(self.ctx, self.found.text_encoder, words)

    def who(self, words: str, cfg: float = 2.0) -> Guider:
        return guider(self.ctx, self.found.model, self.text(words), self.text(""), "cfg", cfg)

    def edit(self, inject: int, depth: float = 0.5, words: str = "a blue dog") -> np.ndarray:
        who, source = self.who(words), self.text("a red cat")
        return rf_edit(self.ctx, who, source, self.latent, 4, inject, depth).samples


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tiny.write(tmp_path_factory.mktemp("model") / "model"))


def by_hand(desk: Desk) -> Latent:
    """Inversion and sampling as two nodes."""
    plain = guider(desk.ctx, desk.found.model, desk.text("a red cat"), None, "cfg", 1.0)
    plan = schedule(desk.ctx, steps=4)
    start = invert_latent(desk.ctx, plain, plan, desk.latent, solver="midpoint")
    rule = solver(desk.ctx, "midpoint")
    return sample_with_parts(desk.ctx, desk.who("a blue dog"), rule, plan, noise(desk.ctx), start)


def test_without_injection_it_is_inversion_and_sampling(desk: Desk) -> None:
    assert np.array_equal(desk.edit(0), by_hand(desk).samples)


def test_each_injected_step_and_layer_counts(desk: Desk) -> None:
    made = [desk.edit(0), desk.edit(1), desk.edit(4), desk.edit(4, 0.0)]
    for first, second in pairwise(made):
        assert np.abs(first - second).max() > 1e-6
    assert np.array_equal(desk.edit(4, 1.0), made[0])  # no layer lies below the last
    assert np.array_equal(desk.edit(99), made[2])
    assert np.array_equal(desk.edit(1), made[1])


def test_pictures_that_go_singly_have_their_own_values(desk: Desk) -> None:
    rng = np.random.default_rng(4)
    pixels = rng.random((2, 32, 32, 3), dtype=np.float32)
    both = vae_encode(desk.ctx, desk.found.vae, Image(pixels))
    who, source = desk.who("a blue dog"), desk.text("a red cat")
    whole = rf_edit(desk.ctx, who, source, both, 3, 2).samples
    desk.ctx.frugal = True
    try:
        apart = rf_edit(desk.ctx, who, source, both, 3, 2).samples
    finally:
        desk.ctx.frugal = False
    assert np.abs(apart - whole).max() < 1e-3 * np.abs(whole).max()


def test_a_mask_is_refused_before_anything_runs(desk: Desk) -> None:
    masked = desk.latent.but(mask=np.ones((1, *desk.latent.samples.shape[-2:]), np.float32))
    with pytest.raises(UserError, match="RF-Edit makes the whole picture anew"):
        rf_edit(desk.ctx, desk.who("a blue dog"), desk.text("a red cat"), masked)


def test_models_without_such_attention_say_so(tmp_path: Path) -> None:
    sana = Desk(tiny_sana.write(tmp_path / "sana"), 64)
    with pytest.raises(UserError, match="no attention among image tokens to remember"):
        sana.edit(2)
    assert np.isfinite(sana.edit(0)).all()


def test_facts_and_needs_before_the_run() -> None:
    latent = facts_of("Latent", space="a")
    who = facts_of("Guider", space="b", branches=2)
    facts, peak = rf_edit.hooks["facts"], rf_edit.hooks["peak"]
    with pytest.raises(UserError, match="space a"):
        facts(None, guider=who, source=None, latent=latent)

    class Told:
        solver, steps = "midpoint", 5

    assert peak(Told, guider=who, source=None, latent=latent).uses == (("guider", 20),)


def test_rf_solver_comes_back_closer_than_euler_at_equal_evaluations() -> None:
    """A smoke of the figure in docs/diffusion.md, which the slow suite measures on 300 scenes."""
    from backend.train.world import scenes

    desk = Desk(PRIMER)
    drawn = list(scenes(11, 3, "held"))
    pixels = np.stack([scene.pixels for scene in drawn]).astype(np.float32) / 255
    latent = vae_encode(desk.ctx, desk.found.vae, Image(pixels))
    own = guider(desk.ctx, desk.found.model, desk.text(drawn[0].caption), None, "cfg", 1.0)
    error = {}
    for kind, steps in (("euler", 20), ("midpoint", 10)):
        plan = schedule(desk.ctx, steps=steps)
        start = invert_latent(desk.ctx, own, plan, latent, solver=kind)
        back = sample_with_parts(
            desk.ctx, own, solver(desk.ctx, kind), plan, noise(desk.ctx), start
        )
        error[kind] = float(np.square(back.samples[0] - latent.samples[0]).mean())
    assert error["midpoint"] < error["euler"] / 3
