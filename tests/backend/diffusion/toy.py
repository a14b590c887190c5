"""A toy world whose best denoiser is known exactly: pictures of shapes with textures.

The data are a mixture of Gaussians around 16x16 prototypes (shape x place x texture); a condition
is the set of prototypes that it allows, so the denoiser is the posterior mean and nothing has to
be trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.values import Conditioning, Float32, Latent

SIZE = 16
SHAPES, PLACES, TEXTURES = ("square", "circle"), ("left", "right"), ("plain", "striped")
Kind = tuple[str, str, str]
KINDS: tuple[Kind, ...] = tuple(product(SHAPES, PLACES, TEXTURES))


def cover(shape: str, place: str) -> Float32:
    """The pixels of a shape, 0 or 1."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    away = (y - 8, x - (5 if place == "left" else 11))
    inside = np.maximum(*np.abs(away)) < 4.0 if shape == "square" else np.hypot(*away) < 4.6
    return np.asarray(inside, np.float32)


def prototype(kind: Kind) -> Float32:
    """The picture of a kind: -1 ground, +1 ink, stripes of 0."""
    shape, place, texture = kind
    ink = np.ones((SIZE, SIZE), np.float32)
    if texture == "striped":
        ink[::2] = 0.0
    mask = cover(shape, place)
    return np.asarray(mask * ink - (1 - mask), np.float32)


class Toy:
    """The exact denoiser of the mixture, with velocity output on the flow path."""

    def __init__(self, means: Sequence[Float32], spread: float) -> None:
        self.process = Process(FLOW, "velocity")
        self.means = torch.from_numpy(np.stack(means)).flatten(1)
        self.spread = spread

    def tokens(self, shape: Sequence[int]) -> int:
        return int(shape[-1] * shape[-2])

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> Tensor:
        sets = [torch.from_numpy(c.tensors["allowed"].copy()) for c in conditionings]
        return torch.cat([s.expand(count, -1) for s in sets])

    def posterior(self, x: Tensor, sigma: float, allowed: Tensor) -> Tensor:
        """The probability of each prototype, ``[batch, prototypes]``."""
        alpha, scale = FLOW.scales(sigma)
        variance = (alpha * self.spread) ** 2 + scale**2
        distance = torch.cdist(x.flatten(1), alpha * self.means) ** 2
        return torch.softmax(torch.log(allowed) - distance / (2 * variance), 1)

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        alpha, scale = FLOW.scales(sigma)
        mean = (self.posterior(x, sigma, prepared) @ self.means).reshape(x.shape)
        gain = self.spread**2 * alpha / ((alpha * self.spread) ** 2 + scale**2)
        x0 = mean + gain * (x - alpha * mean)
        return (x - x0) / sigma if sigma > 0 else -x0


def allow(flags: Sequence[bool]) -> Conditioning:
    """The condition that permits the flagged prototypes."""
    return Conditioning("toy", {"allowed": np.array([flags], np.float32)})


def of_kind(test: Callable[[Kind], bool]) -> Conditioning:
    """The condition of all kinds that pass a test."""
    return allow([test(kind) for kind in KINDS])


def latent(pictures: Float32) -> Latent:
    """Pictures ``[batch, h, w]`` as a latent."""
    return Latent(pictures[:, None], "toy")


class Halves:
    """Two independent toys side by side: a condition may bind either half, or none.

    No condition ever binds both, so a joint one exists only as a composition.
    """

    def __init__(self, means: Sequence[Float32], spread: float) -> None:
        self.process = Process(FLOW, "velocity")
        self.half = Toy(means, spread)
        self.kinds = len(means)

    def tokens(self, shape: Sequence[int]) -> int:
        return int(shape[-1] * shape[-2])

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> Tensor:
        return self.half.prepare(conditionings, count)

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        left, right = x.chunk(2, -1)
        return torch.cat(
            [
                self.half(left.contiguous(), sigma, prepared[:, : self.kinds]),
                self.half(right.contiguous(), sigma, prepared[:, self.kinds :]),
            ],
            -1,
        )

    def seen(self, x: Tensor) -> list[tuple[int, int]]:
        """The kinds in both halves of clean pictures."""
        everything = torch.ones(len(x), self.kinds)
        halves = [
            self.half.posterior(part.contiguous(), 0.0, everything).argmax(1).tolist()
            for part in x.chunk(2, -1)
        ]
        return list(zip(*halves, strict=True))
