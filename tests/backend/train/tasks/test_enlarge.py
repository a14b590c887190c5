"""Pairs to enlarge: the same from the same seed, worse by what they went through."""

from __future__ import annotations

import numpy as np

from backend.train.tasks.enlarge import Wear, draw_pair, enlarged, example, worn


def off(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(float) - second).mean())


def test_a_pair_is_a_scene_and_a_quarter_of_it() -> None:
    pair = draw_pair(3, 1, "held")
    assert pair.whole.shape == (128, 128, 3)
    assert pair.small.shape == (32, 32, 3)
    assert pair.small.dtype == np.uint8
    again, other = draw_pair(3, 1, "held"), draw_pair(3, 2, "held")
    assert np.array_equal(pair.small, again.small)
    assert pair.caption == again.caption
    assert not np.array_equal(pair.small, other.small)


def test_enlarged_it_looks_like_the_scene_but_not_as_sharp() -> None:
    for index in range(6):
        pair = draw_pair(4, index)
        grown = enlarged(pair.small)
        assert grown.shape == pair.whole.shape
        assert 0.5 < off(grown, pair.whole) < 25
        assert off(grown, pair.whole) < off(np.roll(grown, 24, 1), pair.whole)


def test_each_wear_makes_it_worse() -> None:
    whole = draw_pair(5, 1).whole
    rng = np.random.default_rng

    def left(wear: Wear) -> float:
        return off(enlarged(worn(whole, wear, rng(1))), whole)

    least = left(Wear(0.0, 0.0, 95))
    assert all(left(w) > least for w in (Wear(3, 0, 95), Wear(0, 8, 95), Wear(0, 0, 20)))


def test_an_example_shows_the_small_picture_in_the_size_of_the_scene() -> None:
    made = example(6, 1)
    (beside,) = made.references
    assert beside.shape == made.pixels.shape
    assert np.array_equal(beside, enlarged(draw_pair(6, 1).small))
