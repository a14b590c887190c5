"""Beta schedule: levels at the quantiles of a beta distribution, dense at both ends."""

from __future__ import annotations

import math

from backend.diffusion.errors import DiffusionError
from backend.diffusion.process import Process
from backend.diffusion.schedule import ScheduleKind, number
from backend.values import Params


def place(steps: int, process: Process, tokens: int, params: Params) -> list[float]:
    """``sigma_i = min + (max - min) * B^-1(1 - i/(n-1); alpha, beta)``.

    arXiv:2407.12173, ``alpha = beta = 0.6`` by default.

    Raises:
        DiffusionError: ``alpha`` or ``beta`` is not above 0.
    """
    alpha, beta = number(params, "alpha", 0.6), number(params, "beta", 0.6)
    if alpha <= 0 or beta <= 0:
        raise DiffusionError("alpha and beta of a beta schedule must be above 0.")
    high, low = process.reach(steps, tokens)
    return [
        low + (high - low) * quantile(1 - i / max(steps - 1, 1), alpha, beta) for i in range(steps)
    ]


def quantile(p: float, alpha: float, beta: float) -> float:
    """The value below which a beta(alpha, beta) variable falls with probability ``p``."""
    if p <= 0 or p >= 1:
        return min(max(p, 0.0), 1.0)
    low, high = 0.0, 1.0
    for _ in range(80):  # halving: 80 rounds leave less than a float can tell apart
        middle = (low + high) / 2
        low, high = (middle, high) if cumulative(middle, alpha, beta) < p else (low, middle)
    return (low + high) / 2


def cumulative(x: float, alpha: float, beta: float) -> float:
    """The regularised incomplete beta function, by Lentz's continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (alpha + 1) / (alpha + beta + 2):  # the fraction converges fast below this only
        return 1.0 - cumulative(1.0 - x, beta, alpha)
    front = math.exp(
        math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta)
        + alpha * math.log(x) + beta * math.log1p(-x)
    )  # fmt: skip
    tiny = 1e-300
    c, d = 1.0, 1.0 / max(1.0 - (alpha + beta) * x / (alpha + 1), tiny)
    total = d
    for m in range(1, 300):
        even = m * (beta - m) * x / ((alpha + 2 * m - 1) * (alpha + 2 * m))
        odd = -(alpha + m) * (alpha + beta + m) * x / ((alpha + 2 * m) * (alpha + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _away(1.0 + term * d, tiny)
            c = _away(1.0 + term / c, tiny)
            total *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return front * total / alpha


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


BETA = ScheduleKind("beta", "Beta", place, rank=40)
