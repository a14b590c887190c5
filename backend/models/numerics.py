"""In which precision weights are held and computed with: the one rule, by device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.models.card import Card

if TYPE_CHECKING:
    from torch import dtype


def compute_dtype(device: str, card: Card, part: str) -> str:
    """``float32`` on the CPU and for parts that a card keeps whole, ``bfloat16`` on CUDA."""
    if part in card.full_precision or not device.startswith("cuda"):
        return "float32"
    return "bfloat16"


def why_dtype(device: str) -> str:
    """Why models compute in what they compute in on a device, for people."""
    if device.startswith("cuda"):
        return (
            "bfloat16, half the memory of float32 and its range; what a family needs in full stays "
            "float32"
        )
    return "float32, which CPUs are fastest in; weights stay as they are stored"


def dtype_of(network: Any) -> dtype:
    """What a network of diffusers computes in: the precision of its first weight with a point that
    is not kept in float32. ``network.dtype`` says the same, but walks through all modules first."""
    kept = getattr(network, "_keep_in_fp32_modules", None) or ()
    for name, weight in network.named_parameters():
        if weight.is_floating_point() and not any(each in name for each in kept):
            found: dtype = weight.dtype
            return found
    found = network.dtype
    return found
