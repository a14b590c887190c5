"""The transfer curve between linear light and sRGB (IEC 61966-2-1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend.values import Float32


def srgb_from_linear(light: Any) -> Float32:
    """Encode linear light: ``12.92 x`` up to 0.0031308, else ``1.055 x^(1/2.4) - 0.055``.

    Any shape, nominally 0..1; values above 1 follow the curve, negative ones the straight part.
    """
    x = np.asarray(light, dtype=np.float32)
    curve = 1.055 * np.maximum(x, np.float32(0.0031308)) ** np.float32(1 / 2.4) - 0.055
    return np.where(x <= 0.0031308, x * np.float32(12.92), curve).astype(np.float32)


def linear_from_srgb(code: Any) -> Float32:
    """Decode sRGB: ``x / 12.92`` up to 0.04045, else ``((x + 0.055) / 1.055)^2.4``."""
    x = np.asarray(code, dtype=np.float32)
    curve = ((np.maximum(x, np.float32(0.04045)) + 0.055) / 1.055) ** np.float32(2.4)
    return np.where(x <= 0.04045, x / np.float32(12.92), curve).astype(np.float32)
