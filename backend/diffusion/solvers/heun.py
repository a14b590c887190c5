"""Heun's method: Euler's step, then the mean of the slopes at both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.solver import Past, SolverKind, Step, slope

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
    change = slope(step.path, second, euler, step.target)
    change = change - slope(step.path, first, step.x, step.sigma)
    weight = step.path.unit(step.target) * (step.target - step.sigma) / 2
    return euler + weight * change, record


HEUN = SolverKind("heun", "Heun", advance, order=2, calls=2, rank=10)
