"""In which precision weights are held and computed with: the one rule, by device."""

from __future__ import annotations

from backend.models.card import Card


def compute_dtype(device: str, card: Card, part: str) -> str:
    """``float32`` on the CPU and for parts that a card keeps whole, ``bfloat16`` on CUDA."""
    if part in card.full_precision or not device.startswith("cuda"):
        return "float32"
    return "bfloat16"
