"""PLMS: slopes of the last four steps, weighted as Adams and Bashforth do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.solver import Past, SolverKind, Step, slope

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)
"""Of the newest slope and those before it, by how many there are."""


def advance(step: Step) -> tuple[Tensor, Past]:
    """Euler's step with the slope ``sum of w_i d_i`` in place of its own.

    arXiv:2202.09778 eq. 9 and 12: the weights are made for times in even distances, as the
    ``leading`` schedules of Stable Diffusion place them. The first step of a run takes the mean of
    the slopes at both ends and so asks the model twice, unless it leads to sigma 0.
    """
    estimate = step.estimate(step.x, step.sigma)
    euler = step.path.move(estimate, step.target)
    record = Past(step.sigma, step.x, estimate)
    here = slope(step.path, estimate, step.x, step.sigma)
    if step.past:
        before = [slope(step.path, p.estimate, p.x, p.sigma) for p in step.past]
        slopes = (here, *before[: len(WEIGHTS) - 1])
        mean = sum(w * d for w, d in zip(WEIGHTS[len(slopes) - 1], slopes, strict=True))
    elif step.target:
        ahead = step.estimate(euler, step.target)
        mean = (here + slope(step.path, ahead, euler, step.target)) / 2
    else:
        return euler, record
    weight = step.path.unit(step.target) * (step.target - step.sigma)
    return euler + weight * (mean - here), record


PNDM = SolverKind("pndm", "PLMS (PNDM)", advance, order=2, memory=3, rank=40)
