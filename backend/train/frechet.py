"""How far two sets of pictures lie apart: a Fréchet distance of plain features.

The formula is that of the FID (arXiv:1706.08500, eq. 6); the features are colours and edges by
cells of the picture instead of a network's, so the numbers compare with one another alone.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.train.scene import Bytes

Floats = NDArray[np.float64]

CELLS = 4
"""Cells a side over which features are averaged."""

KINDS = 8
"""Features of one cell."""


def features(pictures: Bytes) -> Floats:
    """Features ``[n, 128]`` of pictures uint8 ``[n, h, w, 3]``.

    Of each of 4x4 cells the mean colour, the strength of edges in four directions, and that of
    what is smaller than an edge (the Laplacian).
    """
    return np.stack([_of_one(picture) for picture in pictures])


def _of_one(picture: Bytes) -> Floats:
    values = picture.astype(np.float32) / 255
    grey = values.mean(2)
    dx, dy = (cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    angle = (np.arctan2(dy, dx) % np.pi) / np.pi * 4
    strength = np.hypot(dx, dy)
    maps = [*values.transpose(2, 0, 1)]
    maps += [strength * (angle.astype(int) % 4 == way) for way in range(4)]
    maps.append(np.abs(cv2.Laplacian(grey, cv2.CV_32F)))
    small = [cv2.resize(m, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for m in maps]
    return np.asarray(small, np.float64).reshape(-1)


def distance(truth: Floats, found: Floats) -> float:
    """``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`` of features ``[n, 128]``, each in units of
    the deviation that its kind has in ``truth``. 0 for equal sets; few pictures make it larger."""
    unit = np.repeat(truth.reshape(len(truth), KINDS, -1).std((0, 2)), CELLS**2)
    truth, found = truth / unit, found / unit
    first, second = (np.cov(each, rowvar=False) for each in (truth, found))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    apart = np.square(truth.mean(0) - found.mean(0)).sum()
    return float(apart + np.trace(first) + np.trace(second) - 2 * cross)
