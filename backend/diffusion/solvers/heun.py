"""Heun's method: Euler's step, then the mean of the slopes at both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.paths import Estimate
from backend.diffusion.solver import Past, SolverKind, Step

if TYPE_CHECKING:
    from torch import Tensor


def advance(step: Step) -> tuple[Tensor, Past]:
    """``x' = x_e + (s' - s)/2 (d(x_e, s') - d(x, s))`` with Euler's ``x_e`` and the slope ``d``.

    arXiv:2206.00364 algorithm 1 without churn, written as Euler and a correction, in the
    coordinates in which Euler's step is straight. Second order, two model calls a step; the step
    to sigma 0 is Euler's.
    """
    first = step.estimate(step.x, step.sigma)
    euler = step.path.move(first, step.target)
    record = Past(step.sigma, step.x, first)
    if step.target == 0:
        return euler, record
    second = step.estimate(euler, step.target)
    change = _slope(step, second, euler, step.target) - _slope(step, first, step.x, step.sigma)
    weight = step.path.unit(step.target) * (step.target - step.sigma) / 2
    return euler + weight * change, record


def _slope(step: Step, estimate: Estimate, x: Tensor, sigma: float) -> Tensor:
    """The path's slope at a point, from the estimate's trend and the noise that fits to it."""
    if estimate.trend is estimate.x0:
        return step.path.slope(estimate.x0, estimate.eps)
    alpha, scale = step.path.scales(sigma)
    eps = estimate.eps if scale == 0 else (x - alpha * estimate.trend) / scale
    return step.path.slope(estimate.trend, eps)


HEUN = SolverKind("heun", "Heun", advance, order=2, calls=2, rank=10)
