"""DPM-Solver++ (2M): a two-step method in log-SNR that predicts the clean image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from backend.diffusion.solver import Past, SolverKind, Step

if TYPE_CHECKING:
    from torch import Tensor


def advance(step: Step) -> tuple[Tensor, Past]:
    """``x' = scale'/scale x - alpha' (e^-h - 1) D``, ``D = (1 + 1/2r) x0 - 1/2r x0_before``.

    arXiv:2211.01095 algorithm 2, with ``h`` the step in log-SNR and ``r`` the ratio of the last
    step to this one; written as the first-order step and the correction, which is where CFG++
    (``trend``) differs. Second order; the first step and the step to sigma 0 are first order.
    """
    estimate = step.estimate(step.x, step.sigma)
    x = step.path.move(estimate, step.target)
    if step.past and step.target != 0:
        before = step.past[0]
        now = step.path.log_snr(step.sigma)
        h = step.path.log_snr(step.target) - now
        ratio = (now - step.path.log_snr(before.sigma)) / h
        weight = -step.path.scales(step.target)[0] * math.expm1(-h) / (2 * ratio)
        x = x + weight * (estimate.trend - before.estimate.trend)
    return x, Past(step.sigma, step.x, estimate)


DPMPP_2M = SolverKind("dpmpp_2m", "DPM++ 2M", advance, order=2, memory=1, rank=20)
