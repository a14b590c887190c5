"""Colours of an enlarged picture: its coarse part is that of the small one."""

from __future__ import annotations

import numpy as np

from backend.media.bands import Check, bands, by_rows, unchecked
from backend.values import Float32

_KERNEL = np.array([1, 2, 1], np.float32) / 4

_ROWS = 64
"""Rows of a band at least: at both sides of it others are computed that do not count."""


def coarse(pixels: Float32, levels: int, check: Check = unchecked) -> Float32:
    """What is left of a picture ``[h, w, c]`` when the details of so many wavelet levels are taken
    away: the a-trous transform by the kernel (1, 2, 1) / 4, whose holes double at each level."""
    import cv2

    found = np.ascontiguousarray(pixels, np.float32)
    for level in range(levels):
        reach = 2**level
        kernel = np.zeros(2 * reach + 1, np.float32)
        kernel[::reach] = _KERNEL
        given, found = found, np.empty_like(found)
        for rows in bands(len(given), given[:1].size, least=_ROWS):
            check()
            first, end = max(rows.start - reach, 0), rows.stop + reach
            part = cv2.sepFilter2D(
                given[first:end], -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE
            ).reshape(-1, *pixels.shape[1:])
            found[rows] = part[rows.start - first : rows.stop - first]
    return found


def recoloured(made: Float32, given: Float32, levels: int, check: Check = unchecked) -> Float32:
    """The details of ``made`` over the coarse part of ``given``, both ``[h, w, c]``, 0..1 (the
    wavelet colour fix of StableSR, arXiv:2305.07015 section 3.4, in DiT4SR too)."""
    lost = by_rows(check, np.subtract, given, made)
    far = coarse(lost, levels, check)  # the transform is linear
    return by_rows(check, lambda new, more: np.clip(new + more, 0, 1), made, far)
