"""The explicit midpoint rule: RF-Solver's step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.solver import Past, SolverKind, Step, slope

if TYPE_CHECKING:
    from torch import Tensor


def advance(step: Step) -> tuple[Tensor, Past]:
    """``x' = x + (s' - s) d(x_m, s_m)`` with the slope ``d`` half a step ahead of Euler's.

    RF-Solver (arXiv:2411.04746 eq. 9) takes a second-order Taylor step whose derivative is the
    difference of the slopes here and half a step ahead; written out, that is the midpoint rule. In
    the coordinates in which Euler's step is straight; second order, two model calls a step, and
    the same upwards, where it inverts.
    """
    first = step.estimate(step.x, step.sigma)
    record = Past(step.sigma, step.x, first)
    middle = (step.sigma + step.target) / 2
    half = step.path.move(first, middle)
    second = step.estimate(half, middle)
    here, there = step.path.unit(step.sigma), step.path.unit(step.target)
    rise = (step.target - step.sigma) * slope(step.path, second, half, middle)
    return there * (step.x / here + rise), record


MIDPOINT = SolverKind(
    "midpoint", "RF-Solver (midpoint)", advance, order=2, calls=2, last=2, rank=12
)
