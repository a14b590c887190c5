"""Textures: how much darker ink lies on each pixel of an object."""

from __future__ import annotations

import numpy as np

from backend.train.shapes import Array

_BORDER = 2.5  # the outline stays free of ink, so that a texture never eats the shape
_STRIPE = 8.0
_DOT_SPACING = 9.0
_DOT_RADIUS = 2.8


def _striped(y: Array, x: Array) -> Array:
    phase = np.abs((y / _STRIPE) % 1.0 - 0.5) * _STRIPE
    lines: Array = np.clip(_STRIPE / 4 - phase + 0.5, 0, 1).astype(np.float32)
    return lines


def _dotted(y: Array, x: Array) -> Array:
    dy = (y / _DOT_SPACING + 0.5) % 1.0 - 0.5
    dx = (x / _DOT_SPACING + 0.5) % 1.0 - 0.5
    dots: Array = np.clip(_DOT_RADIUS - np.hypot(dy, dx) * _DOT_SPACING + 0.5, 0, 1)
    return dots.astype(np.float32)


def ink(texture: str, y: Array, x: Array, distance: Array) -> Array:
    """Share of dark ink on each pixel, 0..1.

    ``y`` and ``x`` are pixel offsets from the object's centre, ``distance`` the signed distance
    to its outline in pixels; all three have one shape.
    """
    if texture == "plain":
        return np.zeros_like(distance)
    pattern = _striped(y, x) if texture == "striped" else _dotted(y, x)
    inked: Array = (pattern * np.clip(-distance - _BORDER, 0, 1)).astype(np.float32)
    return inked
