"""The papers' methods on the trained Primer, scored by the world that knows the truth.

Slow: it samples a few hundred pictures. `pytest -m slow tests/backend/models` prints the figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.diffusion.paths import FLOW, split
from backend.diffusion.schedule import sigmas
from backend.models.family import family_of
from backend.sdk import Conditioning, Guider, Image, Latent
from backend.train import scene as scenery
from backend.train.caption import Facts, ObjectFacts, parse, write
from backend.train.palette import BACKGROUNDS, COLOURS, PLACES, SHAPES
from backend.train.scene import Bytes, Scene, render
from backend.train.scorer import score
from backend.train.tasks.edits import draw_edit, untouched
from backend.train.vision import look
from backend.train.world import draw_spec, held_pairs, scenes
from backend.values import Schedule
from nodes.conditioning import cfg_pp_guider, compose_conditions, encode_text, guider
from nodes.editing import rf_edit
from nodes.latents import empty_latent, vae_decode, vae_encode
from nodes.loaders import LoadedModel, load_model
from nodes.sampling import (
    invert_latent,
    noise,
    sample_with_parts,
    schedule,
    semantic_mix,
    solver,
)
from tests.nodes.fake_device import FakeDevice

pytestmark = pytest.mark.slow
PRIMER = Path(__file__).parents[3] / "resources/models/primer"
COUNT = 50


class Studio:
    """Primer behind a fake context."""

    def __init__(self) -> None:
        self.ctx = FakeDevice({"primer": PRIMER})
        self.loaded: LoadedModel = load_model(self.ctx, "primer")
        self.empty = self.text("")

    def text(self, words: str) -> Conditioning:
        return encode_text(self.ctx, self.loaded.text_encoder, words)

    def texts(self, words: Sequence[str]) -> Conditioning:
        """One conditioning with an entry per text."""
        single = [self.text(each) for each in words]
        names = single[0].tensors
        joined = {n: np.concatenate([s.tensors[n] for s in single]) for n in names}
        return Conditioning(single[0].space, joined, single[0].params)

    def sample(self, who: Guider, count: int, seed: int = 1, steps: int = 28) -> Bytes:
        latent = empty_latent(self.ctx, self.loaded.model, 0, 0, count)
        plan, start = schedule(self.ctx, steps=steps), noise(self.ctx, seed=seed)
        done = sample_with_parts(self.ctx, who, solver(self.ctx), plan, start, latent)
        return self.decode(done)

    def decode(self, latent: Latent) -> Bytes:
        pixels = vae_decode(self.ctx, self.loaded.vae, latent).pixels
        return np.asarray(np.rint(pixels * 255), np.uint8)

    def encode(self, pictures: Sequence[Scene]) -> Latent:
        pixels = np.stack([scene.pixels for scene in pictures]).astype(np.float32) / 255
        return vae_encode(self.ctx, self.loaded.vae, Image(pixels))


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


def wilson(hits: int, count: int) -> float:
    """The lower end of the 95 % Wilson interval of a share."""
    share, z = hits / count, 1.96
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - spread) / (1 + z * z / count)


def draw(rng: np.random.Generator, names: Iterable[str]) -> str:
    """One of some names."""
    return str(rng.choice(list(names)))


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    error = np.mean((first.astype(np.float64) - second) ** 2)
    return float(10 * np.log10(255**2 / error))


def test_the_vae_keeps_pictures_and_scales_latents(studio: Studio) -> None:
    pictures = list(scenes(9, 64, "held"))
    latent = studio.encode(pictures)
    back = studio.decode(latent)
    mean = float(np.mean([psnr(b, s.pixels) for b, s in zip(back, pictures, strict=True)]))
    print(f"VAE {mean:.1f} dB, latent std {latent.samples.std():.3f}")
    assert mean > 32
    assert abs(latent.samples.std() - 1) < 0.05


def held_facts(count: int) -> list[Facts]:
    """Two objects, left and right, of pairs that training never drew together."""
    pairs = held_pairs()
    picks = np.random.default_rng(4).choice(len(pairs), count, replace=False)
    return [
        Facts(tuple(ObjectFacts(*kind, place=place)
                    for kind, place in zip(pairs[i], ("left", "right"), strict=True)))
        for i in picks
    ]  # fmt: skip


def test_and_joins_what_two_captions_leave_open(studio: Studio) -> None:
    """One caption says the place, the other the background.

    Primer's captions name every object of a picture, so "a red circle" also says "and nothing
    else": two captions of one object each have no picture in common, and their composition gives
    none (0 of 50). A conjunction is asked of what captions leave open instead.
    """
    rng = np.random.default_rng(4)
    facts = [
        Facts(
            (ObjectFacts(draw(rng, SHAPES), draw(rng, COLOURS), place=draw(rng, PLACES)),),
            draw(rng, BACKGROUNDS),
        )
        for _ in range(COUNT)
    ]
    placed = studio.texts([write(Facts(f.objects)) for f in facts])
    grounded = studio.texts(
        [write(Facts((replace(f.objects[0], place=None),), f.background)) for f in facts]
    )

    def both_right(weights: tuple[float, float]) -> int:
        who = compose_conditions(
            studio.ctx, studio.loaded.model, studio.empty, placed, grounded, weights=weights
        )
        judged = [
            {v.kind: v.right for v in score(picture, wanted).verdicts}
            for picture, wanted in zip(studio.sample(who, COUNT), facts, strict=True)
        ]
        return sum(v["place"] and v["background"] for v in judged)

    found = {weights: both_right(weights) for weights in ((2.0, 2.0), (2.0, 0.0), (0.0, 2.0))}
    print(f"AND of place and background, of {COUNT}:", found)
    assert wilson(found[2.0, 2.0], COUNT) > 0.8
    assert max(found[2.0, 0.0], found[0.0, 2.0]) < 0.5 * COUNT


def test_not_removes_what_the_prompt_asked_for(studio: Studio) -> None:
    facts = held_facts(2 * COUNT)
    both = studio.texts([write(f) for f in facts])
    second = studio.texts([write(Facts((f.objects[1],))) for f in facts])
    who = compose_conditions(
        studio.ctx, studio.loaded.model, studio.empty, both, second, weights=(3.5, -3.5)
    )
    pictures = studio.sample(who, len(facts))
    gone = kept = 0
    for picture, wanted in zip(pictures, facts, strict=True):
        seen = {(o.shape, o.colour) for o in look(picture).objects}
        first, second_object = wanted.objects
        gone += (second_object.shape, second_object.colour) not in seen
        kept += (first.shape, first.colour) in seen
    print(f"NOT removed {gone}/{len(facts)}, the rest kept {kept}/{len(facts)}")
    assert wilson(gone, len(facts)) > 0.9
    assert kept > 0.5 * len(facts)


def ddim_inversion(studio: Studio, own: Conditioning, latent: Latent, cfg: float,
                   steps: int) -> Latent:  # fmt: skip
    """DDIM inversion under CFG as diffusers' DDIMInverseScheduler
    builds it: the model is told the level that the step goes to, not the one it is at.
    """
    model = studio.loaded.model
    denoiser = family_of(model).denoiser(model, studio.ctx.load, "cpu")
    prepared = denoiser.prepare([own, studio.empty], latent.count)
    levels = sigmas(Schedule("native", steps=steps), denoiser.process,
                    denoiser.tokens(latent.samples.shape))  # fmt: skip
    x = torch.from_numpy(latent.samples.copy())
    with torch.no_grad():
        for here, there in pairwise(levels[::-1]):
            positive, negative = denoiser(x.repeat(2, 1, 1, 1), there, prepared).chunk(2)
            x = x + (there - here) * (negative + cfg * (positive - negative))
    return latent.but(samples=x.numpy(), sigma=1.0)


def test_cfg_pp_inverts_5_db_better_than_ddim_under_cfg(studio: Studio) -> None:
    """The row's claim against DDIM inversion with CFG 7.5. Weft's own inversion asks the model at
    the level where the latent is, which helps CFG too, so that gap is smaller; both are printed,
    and the smaller one has a threshold of its own (see docs/diffusion.md)."""
    pictures = list(scenes(11, 16, "any"))
    latent, own = studio.encode(pictures), studio.texts([s.caption for s in pictures])
    reference = studio.decode(latent)
    model, plan = studio.loaded.model, schedule(studio.ctx, steps=50)
    plus = cfg_pp_guider(studio.ctx, model, own, studio.empty, 0.6)
    plain = guider(studio.ctx, model, own, studio.empty, "cfg", 7.5)
    starts = {
        "cfg++": (plus, invert_latent(studio.ctx, plus, plan, latent)),
        "cfg 7.5": (plain, invert_latent(studio.ctx, plain, plan, latent)),
        "ddim cfg 7.5": (plain, ddim_inversion(studio, own, latent, 7.5, 50)),
    }
    found = {}
    for name, (who, start) in starts.items():
        back = sample_with_parts(
            studio.ctx, who, solver(studio.ctx), plan, noise(studio.ctx), start
        )
        found[name] = psnr(studio.decode(back), reference)
    print("inversion", {k: f"{v:.1f} dB" for k, v in found.items()})
    assert found["cfg++"] >= found["ddim cfg 7.5"] + 5
    assert found["cfg++"] > found["cfg 7.5"]


def test_rf_solver_comes_back_20_db_closer_than_euler(studio: Studio) -> None:
    """RF-Solver's row: 30 evaluations each way, under the caption and without guidance."""
    pictures = list(scenes(12, 300, "held"))
    latent, own = studio.encode(pictures), studio.texts([s.caption for s in pictures])
    who = guider(studio.ctx, studio.loaded.model, own, None, "cfg", 1.0)
    reference, found = studio.decode(latent), {}
    for kind, steps in (("euler", 30), ("midpoint", 15), ("euler", 60), ("midpoint", 30)):
        plan = schedule(studio.ctx, steps=steps)
        start = invert_latent(studio.ctx, who, plan, latent, solver=kind)
        rule = solver(studio.ctx, kind)
        back = sample_with_parts(studio.ctx, who, rule, plan, noise(studio.ctx), start)
        found[kind, steps] = psnr(studio.decode(back), reference)
    print("RF-Solver", {f"{k} {n}": f"{v:.1f} dB" for (k, n), v in found.items()})
    assert found["midpoint", 15] > max(35, found["euler", 30] + 5)
    assert found["midpoint", 30] > max(35, found["euler", 60] + 6)


def test_rf_edit_keeps_what_is_not_asked_for(studio: Studio) -> None:
    """RF-Edit's row: recoloured objects, and all around them; more injection keeps more."""
    drawn = [draw_edit(21, i, "held", "recolour") for i in range(COUNT)]
    before = np.stack([scenery.picture(each.before) for each in drawn]).astype(np.float32) / 255
    latent = vae_encode(studio.ctx, studio.loaded.vae, Image(before))
    reference = studio.decode(latent)
    source, target = (
        studio.texts([write(spec.facts) for spec in specs])
        for specs in ([e.before for e in drawn], [e.after for e in drawn])
    )
    who = guider(studio.ctx, studio.loaded.model, target, studio.empty, "cfg", 2.0)
    right, kept = [], []
    for inject in (0, 2, 8):
        made = studio.decode(rf_edit(studio.ctx, who, source, latent, 15, inject))
        right.append(sum(score(p, e.after.facts).scene for p, e in zip(made, drawn, strict=True)))
        gaps = [
            psnr(m[untouched(e)], r[untouched(e)])
            for m, r, e in zip(made, reference, drawn, strict=True)
        ]
        kept.append(float(np.mean(gaps)))
    print("RF-Edit, injected 0, 2, 8:", right, [f"{k:.1f} dB" for k in kept])
    assert kept[1] > 28
    assert kept[0] < kept[1] < kept[2]
    assert wilson(right[1], COUNT) > 0.6


def test_cfg_pp_undoes_its_own_step_at_frozen_predictions() -> None:
    rng = np.random.default_rng(0)
    x, free, guided = (torch.from_numpy(rng.standard_normal((2, 4, 8, 8))) for _ in range(3))
    for high, low in ((1.0, 0.97), (0.6, 0.4), (0.1, 0.02)):
        down = (
            split(FLOW, "velocity", x, high, guided).x0,
            split(FLOW, "velocity", x, high, free).eps,
        )
        y = FLOW.noisy(*down, low)
        up = split(FLOW, "velocity", y, low, free).x0, split(FLOW, "velocity", y, low, guided).eps
        assert (FLOW.noisy(*up, high) - x).abs().max() < 1e-5


def test_cfg_pp_clips_less_at_the_same_accuracy(studio: Studio) -> None:
    captions = [write(f) for f in held_facts(COUNT)]
    own, model = studio.texts(captions), studio.loaded.model
    facts = [parse(c) for c in captions]
    found = {}
    for name, who in (
        ("cfg++", cfg_pp_guider(studio.ctx, model, own, studio.empty, 0.6)),
        ("cfg 7.5", guider(studio.ctx, model, own, studio.empty, "cfg", 7.5)),
    ):
        pictures = studio.sample(who, COUNT)
        right = sum(score(p, f).scene for p, f in zip(pictures, facts, strict=True))
        found[name] = (right, float(((pictures == 0) | (pictures == 255)).mean()))
    print("clipped", found)
    assert found["cfg++"][0] >= found["cfg 7.5"][0] - 0.05 * COUNT
    assert found["cfg++"][1] < found["cfg 7.5"][1]


def test_semantic_mix_keeps_the_layout_and_takes_the_content(studio: Studio) -> None:
    """At the paper's guidance of 7.5; `k_min` 0.6 and `k_max` 0.7 were chosen on other pictures
    (Primer settles colours early, so the paper's 0.3 and 0.6 keep the layout's own)."""
    layouts = [render(draw_spec(22, i, "any", 1)) for i in range(COUNT)]
    rng = np.random.default_rng(0)
    wanted = []
    for scene in layouts:
        colour = rng.choice([c for c in COLOURS if c != scene.spec.items[0].colour])
        wanted.append(ObjectFacts(draw(rng, SHAPES), str(colour)))
    words = [write(Facts((w,), s.spec.background)) for w, s in zip(wanted, layouts, strict=True)]
    who = guider(studio.ctx, studio.loaded.model, studio.texts(words), studio.empty, "cfg", 7.5)
    mixed = studio.decode(semantic_mix(studio.ctx, who, studio.encode(layouts), 0.5, 0.6, 0.7))
    overlaps, took = [], 0
    for picture, scene, want in zip(mixed, layouts, wanted, strict=True):
        ground = np.array(scene.spec.ground, np.float32)
        inked = np.abs(picture - ground).max(-1) > 60
        layout = scene.objects[0].mask > 0.5
        overlaps.append((inked & layout).sum() / max((inked | layout).sum(), 1))
        took += any(o.colour == want.colour for o in look(picture).objects)
    print(f"mix IoU {np.mean(overlaps):.2f}, colour taken {took}/{len(layouts)}")
    assert np.mean(overlaps) > 0.6
    assert took > 0.5 * len(layouts)
