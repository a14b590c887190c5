"""Cutting a subject out of a plain background."""

import cv2
import numpy as np
import pytest

from backend.media.pixels.cutout import LEVELS, Cut, clean_edge, cut_out, trimap

GROUND, INK = np.array([0.9, 0.8, 0.7], np.float32), np.array([0.1, 0.2, 0.8], np.float32)


def ring(outer=22.0, inner=9.0, side=96):
    """A soft-edged ring: its true alpha, and a picture of it on the ground with a little noise."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    away = np.hypot(y - side / 2 + 0.5, x - side / 2 + 0.5)
    alpha = np.clip(outer - away + 0.5, 0, 1) * np.clip(away - inner + 0.5, 0, 1)
    noise = np.random.default_rng(0).normal(0, 0.01, (side, side, 3)).astype(np.float32)
    pixels = alpha[..., None] * INK + (1 - alpha[..., None]) * GROUND + noise
    return alpha, np.clip(pixels, 0, 1).astype(np.float32)


def heat(alpha):
    """What a coarse attention map says of a subject: a blur of it, its hole filled."""
    rough = cv2.resize(cv2.GaussianBlur(alpha, (0, 0), 12), (8, 8), interpolation=cv2.INTER_AREA)
    low, high = rough.min(), rough.max()
    scaled = ((rough - low) / (high - low)).astype(np.float32)
    return np.clip(cv2.resize(scaled, alpha.shape[::-1]), 0, 1)


def overlap(a, b):
    return np.minimum(a, b).sum() / np.maximum(a, b).sum()


def test_a_trimap_has_four_levels():
    row = np.array([[0.05, 0.1, 0.29, 0.3, 0.79, 0.8, 1.0]], np.float32)
    wanted = [LEVELS[i] for i in (0, 1, 1, 2, 2, 3, 3)]
    assert trimap(row, Cut())[0] == pytest.approx(wanted)


def test_a_subject_is_found_with_its_hole_and_a_soft_edge():
    alpha, pixels = ring()
    made = cut_out(pixels, trimap(heat(alpha), Cut()), Cut())
    assert overlap(made[..., 3], alpha) > 0.97
    band = (alpha > 0.02) & (alpha < 0.98)
    assert np.abs(made[..., 3] - alpha)[band].mean() < 0.06
    # No old background is left along the edge: laid over black it stays the ink's colour.
    assert np.abs(made[..., :3] - INK)[made[..., 3] > 0.05].mean() < 0.03


def test_a_hole_is_filled_where_one_says_so():
    alpha, pixels = ring()
    marks = trimap(heat(alpha), Cut())
    filled = cut_out(pixels, marks, Cut(holes=False))[..., 3]
    assert filled[40:56, 40:56].mean() > 0.9


def test_a_hard_edge_keeps_the_colours_as_they_are():
    alpha, pixels = ring()
    made = cut_out(pixels, trimap(heat(alpha), Cut()), Cut(edge=0))
    assert np.array_equal(made[..., :3], pixels)
    assert set(np.unique(made[..., 3])) == {0.0, 1.0}


def test_the_same_picture_is_cut_the_same_way_again():
    alpha, pixels = ring()
    marks = trimap(heat(alpha), Cut())
    assert np.array_equal(cut_out(pixels, marks, Cut()), cut_out(pixels, marks, Cut()))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("side", [1, 2, 5, 40])
def test_marks_of_one_kind_and_tiny_pictures_do_no_harm(level, side):
    pixels = np.random.default_rng(1).random((side, side + 1, 3), np.float32)
    made = cut_out(pixels, np.full((side, side + 1), level, np.float32), Cut(edge=3))
    assert made.shape == (side, side + 1, 4)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert 0 <= made[..., 3].min() <= made[..., 3].max() <= 1


def test_a_subject_without_contrast_keeps_its_hard_edge():
    inside = np.zeros((20, 20), np.float32)
    inside[5:15, 5:15] = 1
    made = clean_edge(np.full((20, 20, 3), 0.5, np.float32), inside, 2)
    assert np.array_equal(made[..., 3], inside)
