"""Pictures to the tensors that VAEs take, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backend.values import Float32, Image

if TYPE_CHECKING:
    from torch import Tensor


def to_tensor(image: Image) -> Tensor:
    """``[batch, 3, height, width]`` in -1..1, sRGB. Grey is repeated; alpha is left out."""
    import torch

    shown = np.ascontiguousarray(colours(image) * 2 - 1)
    return torch.from_numpy(shown.transpose(0, 3, 1, 2).copy())


def colours(image: Image) -> Float32:
    """``[batch, height, width, 3]`` in sRGB. Grey is repeated; alpha is left out."""
    colour = image.pixels[..., :3] if image.channels >= 3 else image.pixels[..., :1].repeat(3, -1)
    return _to_srgb(colour) if image.space == "linear" else colour


def to_image(tensor: Tensor, wide: bool = False) -> Image:
    """The sRGB picture of a ``[batch, 3, height, width]`` tensor in about -1..1, clipped to 0..1
    unless ``wide``."""
    pixels = tensor.float().cpu() / 2 + 0.5
    if not wide:
        pixels = pixels.clamp(0, 1)
    return Image(pixels.permute(0, 2, 3, 1).contiguous().numpy())


def _to_srgb(linear: Float32) -> Float32:
    """The sRGB transfer curve (IEC 61966-2-1)."""
    safe = np.clip(linear, 0, None)
    curved = np.where(safe <= 0.0031308, safe * 12.92, 1.055 * safe ** (1 / 2.4) - 0.055)
    return curved.astype(np.float32)
