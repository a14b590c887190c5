"""Blend modes: how a source colour meets a backdrop colour before coverage is considered.

All but ``add``, ``subtract`` are the functions ``B(Cb, Cs)`` of W3C Compositing and Blending
Level 1, section 9 (https://www.w3.org/TR/compositing-1/#blending). Modes that are plain
arithmetic work on values outside 0..1 too; soft light, colour dodge and colour burn are defined
on 0..1 only, and what they are given is clamped to it.
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
]


def blend_colors(backdrop: Float32, source: Float32, mode: BlendMode) -> Float32:
    """``B(Cb, Cs)`` on opaque colours of equal shape."""
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
}
