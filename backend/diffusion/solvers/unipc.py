"""UniPC: a predictor of second order and a corrector that reuses the next model call."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from backend.diffusion.solver import Past, SolverKind, Step

if TYPE_CHECKING:
    from torch import Tensor


def advance(step: Step) -> tuple[Tensor, Past]:
    """UniPC-2 with ``B(h) = e^h - 1`` (bh2), predicting the clean image.

    arXiv:2302.04867 in its data prediction form. The model is called once, at the predicted
    point; that call first corrects the point (UniC), then predicts the next (UniP). The first
    step and the last one are of order 1. An edit made to the predicted point stays: the
    correction is added to it.
    """
    estimate = step.estimate(step.x, step.sigma)
    x = step.x
    if step.past and step.past[0].ahead is not None:
        change = _corrected(step, estimate.trend) - step.past[0].ahead
        x = x + change
        scale = step.path.scales(step.sigma)[1]
        # The same clean part seen from the corrected point: only the noise takes up the move.
        estimate = replace(estimate, eps=estimate.eps + change / scale)
    ahead = step.path.move(estimate, step.target)
    if step.past and step.target != 0 and not step.last:
        before = step.past[0]
        here = step.path.log_snr(step.sigma)
        h = step.path.log_snr(step.target) - here
        ratio = (step.path.log_snr(before.sigma) - here) / h
        weight = -step.path.scales(step.target)[0] * math.expm1(-h) / (2 * ratio)
        ahead = ahead + weight * (before.estimate.trend - estimate.trend)
    return ahead, Past(step.sigma, x, estimate, ahead)


def _corrected(step: Step, trend: Tensor) -> Tensor:
    """UniC: the point at ``step.sigma`` again, now with what the model says there."""
    last = step.past[0]
    last_snr = step.path.log_snr(last.sigma)
    h = step.path.log_snr(step.sigma) - last_snr
    growth = math.expm1(-h)
    change = trend - last.estimate.trend
    if len(step.past) == 1:
        blend = 0.5 * change
    else:
        before = step.past[1]
        ratio = (step.path.log_snr(before.sigma) - last_snr) / h
        old, new = _weights(h, ratio)
        blend = new * change + old / ratio * (before.estimate.trend - last.estimate.trend)
    weight = -step.path.scales(step.sigma)[0] * growth
    return step.path.move(last.estimate, step.sigma) + weight * blend


def _weights(h: float, ratio: float) -> tuple[float, float]:
    """Solve the two order conditions for the older and the newer difference."""
    growth = math.expm1(-h)
    phi = growth / -h - 1.0
    first = phi / growth
    second = 2.0 * (phi / -h - 0.5) / growth
    old = (second - first) / (ratio - 1.0)
    return old, first - old


UNIPC = SolverKind("unipc", "UniPC", advance, order=2, memory=2, rank=30)
