"""Euler's method, which for a noise-predicting model is DDIM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.solver import Past, SolverKind, Step

if TYPE_CHECKING:
    from torch import Tensor


def advance(step: Step) -> tuple[Tensor, Past]:
    """``x' = alpha' x0 + scale' eps``; in flow form ``x' = x + (s' - s) v``.

    arXiv:2010.02502 eq. 12 with eta 0; arXiv:2206.00364 algorithm 1 without churn. First order,
    and the only solver that also runs upwards in sigma (inversion).
    """
    estimate = step.estimate(step.x, step.sigma)
    return step.path.move(estimate, step.target), Past(step.sigma, step.x, estimate)


EULER = SolverKind("euler", "Euler", advance, order=1, rank=0)
