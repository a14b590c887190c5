"""The Fréchet distance: nothing between equals, larger for what differs more."""

from __future__ import annotations

import numpy as np
import pytest

from backend.train.frechet import distance, features
from backend.train.world import scenes


def drawn(seed: int, count: int, objects: int) -> np.ndarray:
    return np.stack([s.pixels for s in scenes(seed, count, "any", objects)])


def test_equal_sets_do_not_differ_and_other_scenes_do() -> None:
    truth = features(drawn(1, 300, 2))
    assert truth.shape == (300, 128)
    assert distance(truth, truth) == pytest.approx(0, abs=1e-4)
    same, other = (distance(truth, features(drawn(2, 150, n))) for n in (2, 3))
    assert 0 < 2 * same < other


def test_blurred_pictures_are_further_off() -> None:
    import cv2

    pictures = drawn(3, 150, 2)
    truth = features(drawn(1, 300, 2))
    sizes = [distance(truth, features(np.stack([cv2.blur(p, (n, n)) for p in pictures])))
             for n in (1, 3, 7)]  # fmt: skip
    assert sizes == sorted(sizes)
    assert sizes[2] > 1.5 * sizes[0]


def test_for_normal_features_it_is_the_formula() -> None:
    """Two normal distributions with diagonal covariances: the distance by hand."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(1, 9), 16)
    truth = rng.normal(size=(20_000, 128)) * kinds
    found = truth * 2 + 3 * kinds
    expected = 128 * (3**2 + (2 - 1) ** 2)
    assert distance(truth, found) == pytest.approx(expected, rel=0.02)
