"""Layers laid over each other: the one way in which a stack becomes a picture."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from backend.media.pixels.batches import Check, by_rows, seal, unchecked
from backend.media.pixels.composite import over, overlap
from backend.values import Float32, Image, Layer, Layers


def flatten(stack: Layers, check: Check = unchecked) -> Image:
    """The picture ``[1, height, width, 4]`` of a stack: its visible layers, from the bottom up.

    W3C Compositing and Blending Level 1, on straight sRGB values as paint programs do: with
    backdrop ``Cb, ab`` and a layer ``Cs``, ``as = alpha * opacity``,
    ``Cs' = (1 - ab) Cs + ab B(Cb, Cs)``, ``ao = as + ab (1 - as)``,
    ``Co = (as Cs' + ab (1 - as) Cb) / ao``. The canvas begins transparent. ``add`` is
    ``B = min(1, Cb + Cs)``. Where nothing covers, colours are 0.
    """
    return Image(laid(stack.layers, stack.width, stack.height, check=check)[np.newaxis])


def laid(
    layers: Iterable[Layer],
    width: int,
    height: int,
    x: int = 0,
    y: int = 0,
    check: Check = unchecked,
) -> Float32:
    """The visible ones of some layers on a canvas whose top left corner is at ``x``, ``y``;
    read-only ``[height, width, 4]``."""
    canvas = np.zeros((height, width, 4), np.float32)
    for layer in layers:
        check()
        if layer.visible and layer.opacity:
            _lay(canvas, layer, layer.x - x, layer.y - y, check)
    return seal(canvas)


def _lay(canvas: Float32, layer: Layer, x: int, y: int, check: Check) -> None:
    columns, own_columns = overlap(canvas.shape[1], layer.width, x)
    rows, own_rows = overlap(canvas.shape[0], layer.height, y)
    area = canvas[rows, columns]
    if not area.size:
        return

    def band(top: Float32, below: Float32) -> Float32:
        covered = np.clip(top[..., 3:] * np.float32(layer.opacity), 0, 1)
        return over(top[..., :3], covered, below, layer.mode, clip=True)

    area[:] = by_rows(check, band, layer.pixels[own_rows, own_columns], area)
