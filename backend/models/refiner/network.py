"""The network of a refiner: bidirectional blocks between a causal model and a text space.

A causal model's state of a word knows only the words before it. As in LI-DiT ("Exploring the Role
of Large Language Models in Prompt Encoding for Diffusion Models", arXiv:2406.11831) blocks that
look both ways mend this. Its gate by the time step is left out: a conditioning is made once for
all steps. As in "Decoder-Only LLMs are Better Controllers for Diffusion Models" (LLMDiff-Adapter,
arXiv:2502.04412) language model and denoiser stay frozen, the states of several layers go in, and
only what lies between learns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from backend.models.refiner.file import Settings

if TYPE_CHECKING:
    from torch import Tensor


class Refiner(nn.Module):
    """From states of a language model to a sequence and a pooled vector of a text space."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        self.norm = nn.LayerNorm(settings.taken)
        self.enter = nn.Linear(settings.taken, width)
        self.places = nn.Parameter(torch.randn(settings.reads, width) * 0.5)
        self.slots = nn.Parameter(torch.randn(settings.tokens, width) * 0.5)
        self.layers = nn.ModuleList(Block(width, settings.heads) for _ in range(settings.blocks))
        self.leave = nn.LayerNorm(width)
        self.sequence = nn.Linear(width, settings.sequence)
        self.pooled = nn.Linear(width, settings.pooled)

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """``states`` ``[n, words, taken]`` and ``mask`` bool ``[n, words]`` (words at most
        ``reads``) to ``[n, tokens, sequence]`` and ``[n, pooled]``."""
        count, words = mask.shape
        told = self.enter(self.norm(states)) * mask[..., None]
        # Each slot begins with the word of its own number, so that it has the order to start from.
        near = functional.pad(told, (0, 0, 0, max(0, len(self.slots) - words)))
        slots = self.slots + near[:, : len(self.slots)]
        x = torch.cat([slots, told + self.places[:words]], 1)
        seen = torch.cat([mask.new_ones(count, len(self.slots)), mask], 1)[:, None, None]
        for block in self.layers:
            x = block(x, seen)
        x = self.leave(x[:, : len(self.slots)])
        return self.sequence(x), self.pooled(x.mean(1))


class Block(nn.Module):
    """Attention in both directions and a gated layer, each after a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.into = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """``x`` ``[n, tokens, width]``; ``seen`` says which tokens may be looked at."""
        parts = self.into(self.first(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        # Written out: on a CPU the backward pass of the fused one is slow for texts this short.
        found = scores.masked_fill(~seen, -torch.inf).softmax(-1).to(value.dtype) @ value
        x = x + self.out(found.transpose(1, 2).flatten(2))
        gate, value = self.wide(self.second(x)).chunk(2, -1)
        more: Tensor = self.narrow(functional.silu(gate) * value)
        return x + more
