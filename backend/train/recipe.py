"""The numbers of Primer's training: sizes, lengths and seeds, all in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class BankRecipe:
    """How many scenes training draws, and how many lie in one file."""

    scenes: int = 60_000
    shard: int = 2_000


@dataclass(frozen=True)
class VaeRecipe:
    """The VAE's widths and its training. Lengths in steps, crop in pixels."""

    widths: tuple[int, ...] = (24, 48, 96, 96)
    latent_channels: int = 16
    groups: int = 8
    steps: int = 4_500
    batch: int = 16
    crop: int = 64
    rate: float = 1.5e-3
    warmup: int = 200
    kl: float = 2e-4
    edge: float = 0.5
    ema: float = 0.998
    checkpoint_every: int = 250


@dataclass(frozen=True)
class FlowRecipe:
    """The text encoders', the transformer's sizes and their training. Lengths in steps."""

    text_width: int = 128
    text_layers: int = 3
    text_heads: int = 4
    pooled_width: int = 64
    pooled_layers: int = 1
    double_blocks: int = 2
    single_blocks: int = 3
    heads: int = 4
    head_width: int = 32
    rope: tuple[int, int, int] = (8, 12, 12)
    tokens: int = 32
    reading_steps: int = 300
    reading_rate: float = 3e-3
    scenes: int = 40_000
    compiled: bool = True
    steps: int = 8_000
    batch: int = 64
    rate: float = 2e-3
    muon_rate: float = 2.5e-3
    warmup: int = 300
    hold: float = 0.4
    dropout: float = 0.1
    garnished: float = 0.04
    partial: float = 0.06
    time_mean: float = 0.6
    time_spread: float = 1.1
    ema: float = 0.999
    checkpoint_every: int = 250


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what training makes."""

    seed: int = 1
    bank: BankRecipe = field(default_factory=BankRecipe)
    vae: VaeRecipe = field(default_factory=VaeRecipe)
    flow: FlowRecipe = field(default_factory=FlowRecipe)


def rate_share(step: int, warmup: int, steps: int, hold: float = 0.0) -> float:
    """The share 0..1 of the learning rate at a step.

    Linear up, level until the share ``hold`` of all steps, then a cosine down to 0.
    """
    if step < warmup:
        return (step + 1) / warmup
    fall = max(warmup, round(hold * steps))
    if step < fall:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - fall) / max(1, steps - fall)))
