"""Prompt weights on Primer, judged by what its pictures show."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from backend.train.caption import parse
from backend.train.scorer import judge
from backend.train.vision import Sight, look
from nodes.latents import empty_latent, vae_decode
from nodes.sampling import sample
from tests.backend.models.test_primer_smoke import made

CAPTION = "a red circle on the left and a blue square on the right, on a white background"
SEEDS = (1, 2)


@cache
def seen(text: str, seed: int) -> Sight:
    bench = made()
    start = empty_latent(bench.ctx, bench.loaded.model, 128, 128)
    done = sample(
        bench.ctx, bench.loaded.model, bench.text(text), start, bench.empty, 16, 3.0, seed
    )
    pixels = vae_decode(bench.ctx, bench.loaded.vae, done).pixels[0]
    return look(np.rint(pixels * 255).astype(np.uint8))


def colours(text: str, seed: int) -> dict[str | None, str | None]:
    """The colour that is seen at each place."""
    return {found.place: found.colour for found in seen(text, seed).objects}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weight", [1.0, 1.5])
def test_a_higher_weight_keeps_the_scene(weight: float, seed: int) -> None:
    sight = seen(CAPTION.replace("red", f"(red:{weight})"), seed)
    assert judge(sight, parse(CAPTION)).scene


@pytest.mark.parametrize("seed", SEEDS)
def test_without_its_weight_a_colour_is_gone(seed: int) -> None:
    assert colours(CAPTION, seed) == {"left": "red", "right": "blue"}
    found = colours(CAPTION.replace("red", "(red:0)"), seed)
    assert found["left"] != "red"
    assert found["right"] == "blue"


@pytest.mark.parametrize("seed", SEEDS)
def test_without_its_weight_an_object_is_gone(seed: int) -> None:
    found = colours(CAPTION.replace("a blue square", "(a blue square:0)"), seed)
    assert found.get("left") == "red"
    assert "blue" not in found.values()


@pytest.mark.parametrize("seed", SEEDS)
def test_an_early_change_of_text_changes_the_picture_and_a_late_one_does_not(seed: int) -> None:
    def at(when: float) -> dict[str | None, str | None]:
        return colours(CAPTION.replace("red", f"[red:green:{when}]"), seed)

    assert at(0.1)["left"] == "green"
    assert at(0.95)["left"] == "red"
