"""Noise: per sample, from CPU generators, the same on every device and in every batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend.diffusion.errors import DiffusionError
from backend.values import Noise

if TYPE_CHECKING:
    from torch import Tensor

_MASK = 2**64 - 1


def sample_seed(seed: int, index: int) -> int:
    """The seed of sample ``index`` of a batch: ``seed`` itself for the first, mixed for the rest.

    The mix is SplitMix64 of ``seed + index * 0x9E3779B97F4A7C15``, cut to 63 bits, so sample ``i``
    of a batch equals the one sample of a run with the seed ``sample_seed(seed, i)``, and batches
    with neighbouring seeds share no sample.
    """
    if index == 0:
        return seed
    z = (seed + index * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) & (2**63 - 1)


def gaussian(seed: int, shape: Sequence[int]) -> Tensor:
    """Standard normal float32 noise of a batch, on the CPU, each sample from its own generator.

    The first sample is what ``torch.randn`` gives with a generator seeded by ``seed``.
    """
    import torch

    samples = []
    for index in range(shape[0]):
        generator = torch.Generator("cpu").manual_seed(sample_seed(seed, index))
        samples.append(torch.randn(tuple(shape[1:]), generator=generator, dtype=torch.float32))
    return torch.stack(samples)


def draw(noise: Noise, shape: Sequence[int]) -> Tensor:
    """The noise that a ``Noise`` value describes; ``none`` is zeros.

    Raises:
        DiffusionError: the kind is unknown.
    """
    import torch

    if noise.kind == "gaussian":
        return gaussian(noise.seed, shape)
    if noise.kind == "none":
        return torch.zeros(tuple(shape), dtype=torch.float32)
    raise DiffusionError(f"There is no noise {noise.kind!r}. Choose gaussian or none.")
