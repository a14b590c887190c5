"""A denoiser whose every answer is known: the data is one Gaussian for each conditioning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.diffusion.paths import FLOW, Path, Prediction
from backend.diffusion.process import Process
from backend.values import Conditioning, Guider, Term

DEVIATION = 0.6


class GaussianDenoiser:
    """Data ``N(mean, DEVIATION^2)`` per element; the conditioning's ``mean`` is ``[1 or b]``."""

    def __init__(self, path: Path = FLOW, prediction: Prediction = "velocity", **process: Any):
        self.process = Process(path, prediction, **process)
        self.calls: list[tuple[int, float]] = []

    def tokens(self, shape: Sequence[int]) -> int:
        return int(shape[-2] * shape[-1])

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> Tensor:
        means = [torch.from_numpy(c.tensors["mean"].copy()).expand(count) for c in conditionings]
        return torch.cat(means)

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        self.calls.append((x.shape[0], sigma))
        return predict(self.process, x, sigma, prepared.to(x).reshape(-1, *[1] * (x.ndim - 1)))


def posterior(path: Path, x: Tensor, sigma: float, mean: Tensor | float) -> Tensor:
    """The mean of the clean part, given ``x``."""
    alpha, scale = path.scales(sigma)
    gain = DEVIATION**2 * alpha / (alpha**2 * DEVIATION**2 + scale**2)
    return mean + gain * (x - alpha * mean)


def predict(process: Process, x: Tensor, sigma: float, mean: Tensor | float) -> Tensor:
    """The exact answer in the process's parametrisation."""
    alpha, scale = process.path.scales(sigma)
    x0 = posterior(process.path, x, sigma, mean)
    if process.prediction == "x0":
        return x0
    eps = (x - alpha * x0) / scale if scale else torch.zeros_like(x)
    if process.prediction == "epsilon":
        return eps
    if process.prediction == "velocity":
        return eps - x0
    norm = float(np.hypot(alpha, scale))
    return (alpha * eps - scale * x0) / norm


def solution(path: Path, x: Tensor, begin: float, end: float, mean: float) -> Tensor:
    """The exact end of the sampling equation: the same quantile of the Gaussian at both ends."""

    def spread(sigma: float) -> float:
        alpha, scale = path.scales(sigma)
        return float(np.hypot(alpha * DEVIATION, scale))

    quantile = (x - path.scales(begin)[0] * mean) / spread(begin)
    return path.scales(end)[0] * mean + spread(end) * quantile


def condition(*means: float) -> Conditioning:
    return Conditioning("gauss", {"mean": np.array(means, np.float32)})


def guider(kind: str, *means: float, **params: float) -> Guider:
    """A guider over a positive and, if given, a negative mean."""
    roles = ("positive", "negative")
    terms = [Term(role, condition(mean)) for role, mean in zip(roles, means, strict=False)]
    return Guider(kind, params, None, tuple(terms))
