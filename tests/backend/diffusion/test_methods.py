"""What each method is for, measured in a toy world whose best denoiser is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from backend.diffusion.mix import semantic_mix
from backend.diffusion.sample import invert, sample
from backend.values import (
    Conditioning,
    Float32,
    Guider,
    Latent,
    Noise,
    Schedule,
    Solver,
    Term,
)
from tests.backend.diffusion.toy import (
    KINDS,
    SIZE,
    Halves,
    Toy,
    allow,
    latent,
    of_kind,
    prototype,
)

COUNT = 200
EULER = Solver("euler")
HALF_KINDS = [kind for kind in KINDS if kind[1] == "left"]
SQUARE_STRIPED, CIRCLE_PLAIN = 1, 2
STRIPED = (1, 3)


def wilson(hits: int, count: int) -> float:
    """The lower end of the 95 % Wilson interval of a share."""
    share, z = hits / count, 1.96
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - spread) / (1 + z * z / count)


def bind(left: tuple[int, ...] | None = None, right: tuple[int, ...] | None = None) -> Conditioning:
    """The condition that binds one half, both or none."""
    halves = [[which is None or i in which for i in range(4)] for which in (left, right)]
    return allow([*halves[0], *halves[1]])


def seen(*weighted: tuple[Conditioning, float]) -> list[tuple[int, int]]:
    toy = Halves([prototype(kind) for kind in HALF_KINDS], 0.3)
    terms = [Term("positive", condition, weight) for condition, weight in weighted]
    guider = Guider("compose", {}, None, (*terms, Term("negative", bind())))
    empty = Latent(np.zeros((COUNT, 1, SIZE, 2 * SIZE)), "toy")
    plan, noise = Schedule("native", steps=30), Noise("gaussian", seed=1)
    result = sample(toy, guider, EULER, plan, noise, empty)
    return toy.seen(torch.from_numpy(result.samples.copy()))


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_and_shows_both_attributes_that_no_condition_ever_joined(weight: float) -> None:
    left, right = bind(left=(CIRCLE_PLAIN,)), bind(right=(SQUARE_STRIPED,))
    found = seen((left, weight), (right, weight))
    assert wilson(found.count((CIRCLE_PLAIN, SQUARE_STRIPED)), COUNT) > 0.8
    one = seen((left, weight))
    assert one.count((CIRCLE_PLAIN, SQUARE_STRIPED)) < 0.5 * COUNT


def test_not_removes_an_attribute() -> None:
    striped = bind(left=STRIPED)
    without = sum(left not in STRIPED for left, _ in seen((striped, -3.0)))
    plain = sum(left not in STRIPED for left, _ in seen((striped, 0.0)))
    assert wilson(without, COUNT) > 0.9
    assert plain < 0.65 * COUNT


def test_and_with_not() -> None:
    square = bind(left=(0, SQUARE_STRIPED))
    found = seen((square, 2.0), (bind(left=STRIPED), -2.0))
    assert wilson(sum(left == 0 for left, _ in found), COUNT) > 0.9


def toy_of(spread: float) -> Toy:
    return Toy([prototype(kind) for kind in KINDS], spread)


def overlap(found: Float32, wanted: Float32) -> float:
    """Mean intersection over union of the inked pixels."""
    first, second = found > -0.5, wanted > -0.5
    both = (first & second).sum((1, 2))
    return float((both / (first | second).sum((1, 2))).mean())


def mixed(
    condition: Conditioning, layout: Float32, nu: float, k_min: float, k_max: float
) -> Float32:
    guider = Guider("none", {}, None, (Term("positive", condition),))
    plan = Schedule("native", steps=30, start=1 - k_max)
    edits = (semantic_mix(nu, k_min, k_max),)
    noise = Noise("gaussian", seed=2)
    given = latent(layout)
    return sample(toy_of(0.15), guider, EULER, plan, noise, given, edits=edits).samples[:, 0]


@pytest.mark.parametrize("shape", ["any", "circle"])
def test_semantic_mixing_keeps_the_layout_and_takes_the_content(shape: str) -> None:
    layout = np.stack([prototype(("square", p, "plain")) for p in ("left", "right") * 20])
    wanted = of_kind(lambda kind: kind[2] == "striped" and shape in ("any", kind[0]))
    result = mixed(wanted, layout, 0.5, 0.3, 0.6)
    assert overlap(result, layout) > 0.6
    odds = toy_of(0.15).posterior(
        torch.from_numpy(result[:, None].copy()), 0.0, torch.ones(len(layout), len(KINDS))
    )
    sure = (odds * torch.from_numpy(wanted.tensors["allowed"].copy())).sum(1)
    assert sure.mean() > 0.5
    assert overlap(mixed(wanted, layout, 1.0, 0.3, 1.0), layout) < 0.6


def psnr(first: Float32, second: Float32) -> float:
    """Peak signal-to-noise ratio in dB, of pictures in -1..1."""
    return float(10 * np.log10(4 / np.mean((first - second) ** 2)))


def test_the_layout_comes_back_with_nu_0() -> None:
    layout = np.stack([prototype(kind) for kind in KINDS])
    assert np.array_equal(mixed(of_kind(lambda kind: True), layout, 0.0, 0.0, 0.8), layout)


def come_back(kind: str, steps: int, **settings: float) -> float:
    """PSNR of pictures that were inverted and sampled again, each under its own condition."""
    toy = toy_of(0.5)
    rng = np.random.default_rng(0)
    pictures = np.stack([prototype(k) for k in KINDS])
    pictures = pictures + 0.5 * rng.standard_normal(pictures.shape, dtype=np.float32)
    own = Conditioning("toy", {"allowed": np.eye(len(KINDS))})
    terms = (Term("positive", own), Term("negative", of_kind(lambda k: True)))
    guider, plan = Guider(kind, settings, None, terms), Schedule("native", steps=steps)
    found = invert(toy, guider, plan, latent(pictures))
    back = sample(toy, guider, EULER, plan, Noise("none"), found)
    return psnr(back.samples[:, 0], pictures)


def test_cfg_pp_inverts_better_than_cfg() -> None:
    pp, cfg = come_back("cfg_pp", 50, strength=0.6), come_back("cfg", 50, cfg=7.5)
    assert pp > cfg + 1.0
    assert pp > 33
    assert come_back("cfg_pp", 100, strength=0.6) > pp + 3
