"""Two trained transformers in different latent spaces, each told one half of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
import torch
from torch import Tensor

from backend.diffusion.coop import cooperate
from backend.diffusion.paths import FLOW, VP
from tests.backend.diffusion.trained_toys import (
    INKS,
    SHAPES,
    Scenes,
    Toy,
    decibels,
    looks,
    scenes,
    trained,
)

WANTED = tuple(product(SHAPES, INKS)) * 4
"""64 pictures: every shape in every colour, four times."""
STEPS, CFG = 30, 4.0
LEVELS = [*(1 - i / STEPS for i in range(STEPS)), 0.0]
Pair = tuple[Toy, Toy]


def scores(pixels: Tensor, wanted: Sequence[tuple[str, str]] = WANTED) -> tuple[float, ...]:
    """The shares of pictures with the wanted shape, the wanted colour, and both."""
    found = list(zip(looks(pixels), wanted, strict=True))
    shapes = [seen[0] == told[0] for seen, told in found]
    inks = [seen[1] == told[1] for seen, told in found]
    both = [shape and ink for shape, ink in zip(shapes, inks, strict=True)]
    return tuple(sum(each) / len(found) for each in (shapes, inks, both))


def together(
    toys: Pair, weight: float, wanted: Sequence[tuple[str, str]] = WANTED
) -> tuple[Tensor, Tensor]:
    """The pictures of both, as each has them."""
    one, two = toys
    told = [[words[toy.words is INKS] for words in wanted] for toy in toys]
    partners = one.partner(two, told[0], CFG, 1), two.partner(one, told[1], CFG, 1)
    made = cooperate(partners, LEVELS, [weight] * STEPS)
    return one.code.decode(made[0]), two.code.decode(made[1])


@pytest.fixture(scope="module")
def data() -> Scenes:
    torch.set_num_threads(1)
    return scenes(1000, seed=1)


@pytest.fixture(scope="module")
def begun(data: Scenes) -> Pair:
    """Toys that have hardly learnt anything."""
    return trained(data, True, 12), trained(data, False, 12)


def test_the_score_sees_what_was_drawn(data: Scenes) -> None:
    truth = [(SHAPES[s], INKS[i]) for s, i in zip(data.shapes, data.inks, strict=True)]
    assert scores(data.pixels, truth) == (1, 1, 1)
    other = [(SHAPES[s - 1], INKS[i]) for s, i in zip(data.shapes, data.inks, strict=True)]
    assert scores(data.pixels, other) == (0, 1, 0)


def test_spaces_differ_and_hold_the_picture(data: Scenes, begun: Pair) -> None:
    codes = [toy.code for toy in begun]
    shapes = [tuple(code.encode(data.pixels[:2]).shape) for code in codes]
    assert shapes == [(2, 16, 6, 6), (2, 8, 12, 12)]
    for code in codes:
        assert decibels(code.decode(code.encode(data.pixels)), data.pixels) > 30
        assert float(code.encode(data.pixels).std()) == pytest.approx(1, rel=0.05)


def test_a_toy_learns_in_its_own_noise(begun: Pair) -> None:
    """Both are asked at the same signal-to-noise ratio, each on its own path."""
    assert [toy.process.path for toy in begun] == [FLOW, VP]
    asked: list[list[float]] = [[], []]
    for toy, levels in zip(begun, asked, strict=True):
        toy.net.register_forward_pre_hook(
            lambda net, given, levels=levels: levels.append(float(given[1][0]) / 1000)
        )
    together(begun, 0.5, WANTED[:2])
    for toy in begun:
        toy.net._forward_pre_hooks.clear()
    first, second = asked
    assert first == pytest.approx(LEVELS[:-1], abs=1e-6)
    highest = 40 / 41
    # The second's level sigma is told as sigma / (1 + sigma), which is the first's share of noise.
    assert second == pytest.approx([min(level, highest) for level in first], abs=1e-6)


def test_a_toy_with_itself_is_that_toy(begun: Pair) -> None:
    toy = begun[0]
    alone = together((toy, toy), 0.0, WANTED[:4])[0]
    for made in together((toy, toy), 0.5, WANTED[:4]):
        assert decibels(made, alone) > 30


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_together_they_make_both_attributes() -> None:
    """Trained from nothing, which takes two to four minutes each on one core."""
    torch.set_num_threads(1)
    pictures = scenes(4000, seed=1)
    toys = trained(pictures, True, 1200), trained(pictures, False, 1200)
    of_shapes, of_inks = together(toys, 0.0)[0], together(toys, 1.0)[1]
    figures = {
        "shapes alone": scores(of_shapes),
        "colours alone": scores(of_inks),
        "mean of both pictures": scores((of_shapes + of_inks) / 2),
    }
    for name, made in zip(("first", "second"), together(toys, 0.5), strict=True):
        figures[f"together, {name}"] = scores(made)
        assert figures[f"together, {name}"][2] >= 0.75, figures
    print(figures)
    assert figures["shapes alone"][0] >= 0.9
    assert figures["colours alone"][1] >= 0.9
    assert max(both for name, (_, _, both) in figures.items() if "together" not in name) < 0.5
    alone = together((toys[0], toys[0]), 0.0)[0]
    for made in together((toys[0], toys[0]), 0.5):
        assert decibels(made, alone) > 30
