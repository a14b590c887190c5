"""Cutting a subject out of a plain background: from a heat map to alpha and clean colours.

The second half of Alfie (arXiv:2408.14826): thresholds on a heat map give a trimap,
GrabCut (Rother, Kolmogorov and Blake, 2004) decides where the trimap does not. The edge is measured
after that, so that no old background is left in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.media.pixels.batches import Check, unchecked
from backend.values import Float32

_PLAIN = 0.15
"""How far most of a frame's colours lie from their middle at most, for it to count as plain."""
LEVELS = (0.0, 1 / 3, 2 / 3, 1.0)
"""Background, maybe background, maybe subject, subject: how a trimap is shown."""


@dataclass(frozen=True)
class Cut:
    """How a subject is cut out.

    ``sure``, ``maybe`` and ``doubtful`` are heights of the heat map from which a place is the
    subject, likely the subject, and likely background; ``frame`` is the fraction of each side that
    is background in any case. ``holes``: where that frame has one colour, what looks like it is
    not the subject to begin with, also inside it. ``edge`` is how many pixels on either side of
    the outline are measured anew, 0 for a hard edge.
    """

    sure: float = 0.8
    maybe: float = 0.3
    doubtful: float = 0.1
    frame: float = 0.0625
    holes: bool = True
    iterations: int = 5
    edge: int = 2


def trimap(heat: Float32, cut: Cut) -> Float32:
    """Heat maps ``[..., height, width]``, 0..1, as the levels of ``LEVELS``."""
    marks = sum(
        (heat >= height).astype(np.float32) / 3 for height in (cut.doubtful, cut.maybe, cut.sure)
    )
    return np.asarray(marks, np.float32)


def cut_out(pixels: Float32, marks: Float32, cut: Cut, check: Check = unchecked) -> Float32:
    """One picture ``[height, width, 3]``, sRGB, and its trimap as RGBA ``[height, width, 4]``."""
    seeds = _seeds(pixels, marks, cut)
    inside = _grab(pixels, seeds, cut.iterations)
    check()
    if not inside.any() or inside.all():
        return np.dstack([pixels, inside.astype(np.float32)])
    return clean_edge(pixels, inside, cut.edge) if cut.edge else np.dstack([pixels, inside])


def clean_edge(pixels: Float32, inside: Float32, reach: int) -> Float32:
    """RGBA with a soft edge without the old background's colour.

    Within ``reach`` pixels of the outline the subject's colour ``F`` and the background's ``B`` are
    those of the nearest surroundings, and a pixel ``I = a F + (1 - a) B`` gives
    ``a = (I - B) (F - B) / |F - B|^2``; its colour becomes ``F``.
    """
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach - 1, 2 * reach - 1))
    mask = np.asarray(inside, np.float32)
    core: Float32 = cv2.erode(mask, kernel)
    far: Float32 = 1 - cv2.dilate(mask, kernel)
    core = np.where(_lonely(mask, core, reach), mask, core)
    near_f, near_b = (_nearest(pixels, where, reach) for where in (core, far))
    axis = near_f - near_b
    length = (axis * axis).sum(-1)
    share = ((pixels - near_b) * axis).sum(-1) / np.maximum(length, 1e-6)
    band = (core == 0) & (far == 0)
    told = band & (length > 4e-3)
    alpha = np.where(told, np.clip(share, 0, 1), inside).astype(np.float32)
    colors = np.where(told[..., None], near_f, pixels)
    return np.dstack([colors, alpha]).astype(np.float32)


def _seeds(pixels: Float32, marks: Float32, cut: Cut) -> Float32:
    """GrabCut's marks: 0 background, 1 subject, 2 likely background, 3 likely subject."""
    height, width = marks.shape
    rows, columns = max(round(cut.frame * height), 1), max(round(cut.frame * width), 1)
    middle = np.zeros((height, width), bool)
    middle[rows : height - rows, columns : width - columns] = True
    frame = pixels[~middle]
    ground = np.median(frame, 0)
    spread = float(np.percentile(np.linalg.norm(frame - ground, axis=-1), 90))
    alike = np.linalg.norm(pixels - ground, axis=-1) < max(2 * spread, 0.1)
    level = np.rint(marks * 3).astype(int)
    seeds = np.choose(level, [0, 2, 3, 1])
    if cut.holes and spread < _PLAIN:
        seeds = np.where(alike & (level > 0), 2, seeds)
    return np.where(middle, seeds, 0).astype(np.uint8)


def _grab(pixels: Float32, seeds: Float32, iterations: int) -> Float32:
    """1.0 where GrabCut finds the subject."""
    import cv2

    likely = np.isin(seeds, (1, 3))
    if not likely.any():
        return np.zeros(seeds.shape, np.float32)
    if likely.all():
        return np.ones(seeds.shape, np.float32)
    codes = np.rint(np.clip(pixels[..., ::-1], 0, 1) * 255).astype(np.uint8)
    marks = np.array(seeds, np.uint8)
    cv2.setRNGSeed(0)  # its clusters begin at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(
        np.ascontiguousarray(codes), marks, None, *models, iterations, cv2.GC_INIT_WITH_MASK
    )
    return np.isin(marks, (1, 3)).astype(np.float32)


def _lonely(mask: Float32, core: Float32, reach: int) -> Float32:
    """Where a thin part of the mask has no core near it."""
    import cv2

    kernel = np.ones((4 * reach + 1, 4 * reach + 1), np.uint8)
    return np.asarray((mask > 0) & (cv2.dilate(core, kernel) == 0))


def _nearest(pixels: Float32, where: Float32, reach: int) -> Float32:
    """The mean colour of the nearest marked pixels, weighted by nearness."""
    import cv2

    weights = where.astype(np.float32)
    total, amount = np.zeros_like(pixels), np.zeros_like(weights)
    for sigma, trust in ((reach, 1.0), (4 * reach, 1e-3), (32 * reach, 1e-6)):
        blurred = cv2.GaussianBlur(weights, (0, 0), sigma)
        total += trust * cv2.GaussianBlur(pixels * weights[..., None], (0, 0), sigma)
        amount += trust * blurred
    return np.asarray(total / np.maximum(amount, 1e-12)[..., None], np.float32)
