"""Two models in one run, on toys whose best denoisers are known exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from backend.diffusion.coop import Partner, cooperate, matched, weights_of
from backend.diffusion.errors import DiffusionError
from backend.diffusion.noise import gaussian
from backend.diffusion.paths import FLOW, VE, VP, Estimate, Path
from backend.diffusion.process import Process
from tests.backend.diffusion.toy import KINDS, SIZE, Kind, prototype

COUNT = 40
LEVELS = [*(1 - i / 20 for i in range(20)), 0.0]
PATHS = st.sampled_from([FLOW, VE, VP])


@given(PATHS, PATHS, st.floats(1e-3, 0.999))
def test_matched_levels_have_the_same_signal_to_noise_ratio(
    source: Path, target: Path, sigma: float
) -> None:
    other = matched(sigma, source, target, math.inf)
    assert target.log_snr(other) == pytest.approx(source.log_snr(sigma), abs=1e-6)
    assert matched(other, target, source, math.inf) == pytest.approx(sigma, rel=1e-6)


def test_levels_meet_at_both_ends() -> None:
    assert matched(0.0, FLOW, VE, 14.6) == 0.0
    assert matched(1.0, FLOW, VE, 14.6) == 14.6  # no finite level of the other is pure noise
    assert matched(0.5, FLOW, VE, 14.6) == pytest.approx(1.0)
    assert FLOW.level(1e6) == VE.level(math.inf) == 0.0


def test_weights_go_through_their_points() -> None:
    assert weights_of([0.3], 4) == [0.3] * 4
    assert weights_of([0, 1], 5) == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert weights_of([0, 1, 0], 5) == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert weights_of([0.2, 0.9], 1) == [0.2]
    for wrong in ([], [1.2], [0.5, -0.1], [math.nan]):
        with pytest.raises(DiffusionError, match="numbers from 0 to 1"):
            weights_of(wrong, 4)


class Exact:
    """Knows every kind of picture in the space that ``code`` makes of pixels, and is told which
    kinds it may draw."""

    def __init__(self, path: Path, code: Any, back: Any, allowed: Sequence[bool]) -> None:
        self.process = Process(path, "x0", ends=None if path is FLOW else (20.0, 0.02))
        self.code, self.back = code, back
        self.means = code(torch.from_numpy(np.stack([prototype(k) for k in KINDS]))[:, None])
        self.allowed = torch.tensor(allowed).float()
        self.asked: list[float] = []

    def __call__(self, x: Tensor, sigma: float, step: int, steps: int) -> Estimate:
        self.asked.append(sigma)
        alpha, scale = self.process.path.scales(sigma)
        spread = 0.1 * self.means.std()
        gap = torch.cdist(x.flatten(1), alpha * self.means.flatten(1)) ** 2
        odds = self.allowed.log() - gap / (2 * ((alpha * spread) ** 2 + scale**2))
        x0 = torch.einsum("bk,kchw->bchw", odds.softmax(1), self.means)
        return Estimate(x0, (x - alpha * x0) / scale, x0)

    def partner(self, other: Exact, seed: int = 1) -> Partner:
        noise = gaussian(seed, (COUNT, *self.means.shape[1:]))
        return Partner(self.process, self, lambda z: other.code(self.back(z)), noise, SIZE)


def flat(allowed: Sequence[bool], path: Path = FLOW) -> Exact:
    """In the space of the pixels themselves."""
    return Exact(path, lambda pixels: pixels, lambda latent: latent, allowed)


def deep(allowed: Sequence[bool], path: Path = VE) -> Exact:
    """In a space of four channels and half the side, turned round and scaled."""
    return Exact(
        path,
        lambda pixels: -0.6 * pixel_unshuffle(pixels, 2),
        lambda latent: pixel_shuffle(latent / -0.6, 2),
        allowed,
    )


def drawn(pixels: Tensor) -> list[Kind]:
    """The kinds that pictures are nearest to."""
    means = torch.from_numpy(np.stack([prototype(kind) for kind in KINDS])).flatten(1)
    return [KINDS[k] for k in torch.cdist(pixels.flatten(1), means).argmin(1).tolist()]


@dataclass(frozen=True)
class Scores:
    shape: float
    texture: float
    both: float


def scores(pixels: Tensor) -> Scores:
    found = drawn(pixels)
    shape = [kind[0] == "circle" for kind in found]
    texture = [kind[2] == "striped" for kind in found]
    both = [s and t for s, t in zip(shape, texture, strict=True)]
    return Scores(*(sum(each) / COUNT for each in (shape, texture, both)))


CIRCLES = [kind[0] == "circle" for kind in KINDS]
STRIPES = [kind[2] == "striped" for kind in KINDS]


@pytest.mark.parametrize("path", [FLOW, VE, VP])
def test_each_model_gives_its_attribute(path: Path) -> None:
    """One is told the shape alone, the other, in another space, the texture alone."""
    shapes, textures = flat(CIRCLES), deep(STRIPES, path)
    partners = shapes.partner(textures), textures.partner(shapes, seed=2)
    one, two = cooperate(partners, LEVELS, [0.5] * 20)
    assert scores(one).both >= 0.75
    assert scores(textures.back(two)).both >= 0.75
    alone = cooperate(partners, LEVELS, [0.0] * 20)[0]
    assert scores(alone).shape == 1
    assert 0.2 < scores(alone).texture < 0.8
    other = cooperate(partners, LEVELS, [1.0] * 20)[0]
    assert scores(other).texture == 1
    assert 0.2 < scores(other).shape < 0.8


@pytest.mark.parametrize(("weight", "circles"), [(0.2, True), (0.8, False)])
def test_the_larger_weight_has_its_way(weight: float, circles: bool) -> None:
    """Where one wants circles, and the other squares."""
    first, second = flat(CIRCLES), deep([not circle for circle in CIRCLES])
    partners = first.partner(second), second.partner(first, seed=2)
    one, two = cooperate(partners, LEVELS, [weight] * 20)
    for made in (one, second.back(two)):
        share = scores(made).shape
        assert share >= 0.75 if circles else share <= 0.25


def test_a_model_with_itself_is_that_model() -> None:
    model = flat(CIRCLES)
    partner = model.partner(model)
    alone = cooperate((partner, partner), LEVELS, [0.0] * 20)[0]
    for weights in ([0.5] * 20, [1.0] * 20, weights_of([0, 1], 20)):
        for made in cooperate((partner, partner), LEVELS, weights):
            assert torch.allclose(made, alone, atol=1e-4)


def test_a_model_without_weight_is_not_asked() -> None:
    shapes, textures = flat(CIRCLES), deep(STRIPES)
    partners = shapes.partner(textures), textures.partner(shapes)
    seen: list[tuple[int, list[bool]]] = []
    cooperate(
        partners,
        LEVELS,
        [0.0] * 12 + [1.0] * 8,
        told=lambda done, clean: seen.append((done, [c is not None for c in clean])),
    )
    assert shapes.asked == LEVELS[:12]
    assert textures.asked == pytest.approx([s / (1 - s) for s in LEVELS[12:20]])
    assert seen == [(i + 1, [i < 12, i >= 12]) for i in range(20)]


def test_who_comes_later_goes_on_from_what_there_is() -> None:
    """The shapes are settled by then, so the texture's model ends the same picture."""
    shapes, anything = flat(CIRCLES), deep([True] * len(KINDS))
    partners = shapes.partner(anything), anything.partner(shapes, seed=5)
    one, two = cooperate(partners, LEVELS, [0.0] * 16 + [1.0] * 4)
    assert scores(one).shape > 0.95
    assert torch.allclose(anything.back(two), one, atol=1e-5)


def test_a_cancel_is_heard_before_each_step() -> None:
    model = flat(CIRCLES)
    partner = model.partner(model)

    def check() -> None:
        if len(model.asked) >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cooperate((partner, partner), LEVELS, [0.5] * 20, check)
    assert len(model.asked) == 6


def test_no_step_is_said() -> None:
    model = flat(CIRCLES)
    with pytest.raises(DiffusionError, match="no step"):
        cooperate((model.partner(model),) * 2, [1.0], [])
