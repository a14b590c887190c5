"""Blend modes: how a source colour meets a backdrop colour before coverage is considered.

All but ``add``, ``subtract`` are the functions ``B(Cb, Cs)`` of W3C Compositing and Blending
Level 1, section 9 (https://www.w3.org/TR/compositing-1/#blending). Modes that are plain
arithmetic work on values outside 0..1 too; soft light, colour dodge, colour burn and the four that
look at all channels together (hue, saturation, color, luminosity) are defined on 0..1 only, and
what they are given is clamped to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from backend.values import Float32

BlendMode = Literal[
    "normal",
    "multiply",
    "screen",
    "overlay",
    "soft light",
    "hard light",
    "darken",
    "lighten",
    "add",
    "subtract",
    "difference",
    "color dodge",
    "color burn",
    "exclusion",
    "hue",
    "saturation",
    "color",
    "luminosity",
]

_LUM = np.array([0.3, 0.59, 0.11], np.float32)
"""Weights of red, green and blue in the specification's ``Lum``."""


def blend_colors(backdrop: Float32, source: Float32, mode: BlendMode) -> Float32:
    """``B(Cb, Cs)`` on opaque colours of equal shape ``[..., 1 or 3]``."""
    return _MODES[mode](backdrop, source)


def _multiply(b: Float32, s: Float32) -> Float32:
    return b * s


def _screen(b: Float32, s: Float32) -> Float32:
    return b + s - b * s


def _hard_light(b: Float32, s: Float32) -> Float32:
    return np.where(s <= 0.5, _multiply(b, 2 * s), _screen(b, 2 * s - 1))


def _soft_light(b: Float32, s: Float32) -> Float32:
    b, s = np.clip(b, 0, 1), np.clip(s, 0, 1)
    bend = np.where(b <= 0.25, ((16 * b - 12) * b + 4) * b, np.sqrt(b))
    return np.where(s <= 0.5, b - (1 - 2 * s) * b * (1 - b), b + (2 * s - 1) * (bend - b))


def _color_dodge(b: Float32, s: Float32) -> Float32:
    b, s = np.clip(b, 0, 1), np.clip(s, 0, 1)
    rest = 1 - s
    bright = np.minimum(1, b / np.where(rest > 0, rest, 1))
    return np.where(b == 0, 0, np.where(rest > 0, bright, 1)).astype(np.float32)


def _color_burn(b: Float32, s: Float32) -> Float32:
    b, s = np.clip(b, 0, 1), np.clip(s, 0, 1)
    dark = 1 - np.minimum(1, (1 - b) / np.where(s > 0, s, 1))
    return np.where(b == 1, 1, np.where(s > 0, dark, 0)).astype(np.float32)


def _exclusion(b: Float32, s: Float32) -> Float32:
    return b + s - 2 * b * s


def _hue(b: Float32, s: Float32) -> Float32:
    b, s = np.clip(b, 0, 1), np.clip(s, 0, 1)
    return _set_lum(_set_sat(s, _sat(b)), _lum(b))


def _saturation(b: Float32, s: Float32) -> Float32:
    b, s = np.clip(b, 0, 1), np.clip(s, 0, 1)
    return _set_lum(_set_sat(b, _sat(s)), _lum(b))


def _color(b: Float32, s: Float32) -> Float32:
    b, s = np.clip(b, 0, 1), np.clip(s, 0, 1)
    return _set_lum(s, _lum(b))


def _luminosity(b: Float32, s: Float32) -> Float32:
    return _color(s, b)


def _lum(c: Float32) -> Float32:
    """``Lum(C) = 0.3 R + 0.59 G + 0.11 B``, ``[..., 1]``; a grey is its own."""
    if c.shape[-1] == 1:
        return c
    return np.asarray((c * _LUM).sum(-1, keepdims=True), np.float32)


def _sat(c: Float32) -> Float32:
    """``Sat(C) = max(C) - min(C)``."""
    return np.asarray(c.max(-1, keepdims=True) - c.min(-1, keepdims=True))


def _set_sat(c: Float32, wanted: Float32) -> Float32:
    """``SetSat``: the least channel at 0, the largest at ``wanted``, the middle in proportion."""
    reach = _sat(c)
    spread = (c - c.min(-1, keepdims=True)) * wanted / np.where(reach > 0, reach, 1)
    return np.where(reach > 0, spread, 0).astype(np.float32)


def _set_lum(c: Float32, wanted: Float32) -> Float32:
    """``ClipColor(C + (wanted - Lum(C)))``: moved, then drawn towards grey into 0..1."""
    moved = c + (wanted - _lum(c))
    lum, low, high = _lum(moved), moved.min(-1, keepdims=True), moved.max(-1, keepdims=True)
    under, above = low < 0, high > 1
    raised = lum + (moved - lum) * lum / np.where(under, lum - low, 1)
    moved = np.where(under, raised, moved)
    lowered = lum + (moved - lum) * (1 - lum) / np.where(above, high - lum, 1)
    return np.clip(np.where(above, lowered, moved), 0, 1).astype(np.float32)


_MODES: Mapping[BlendMode, Callable[[Float32, Float32], Float32]] = {
    "normal": lambda b, s: s,
    "multiply": _multiply,
    "screen": _screen,
    "overlay": lambda b, s: _hard_light(s, b),
    "soft light": _soft_light,
    "hard light": _hard_light,
    "darken": np.minimum,
    "lighten": np.maximum,
    "add": lambda b, s: b + s,
    "subtract": lambda b, s: b - s,
    "difference": lambda b, s: np.abs(b - s),
    "color dodge": _color_dodge,
    "color burn": _color_burn,
    "exclusion": _exclusion,
    "hue": _hue,
    "saturation": _saturation,
    "color": _color,
    "luminosity": _luminosity,
}
