"""CFG-Zero*: guidance with an optimised scale and a zero start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.diffusion.schedule import number

if TYPE_CHECKING:
    from torch import Tensor


def optimal_scale(positive: Tensor, negative: Tensor) -> Tensor:
    """``s* = <positive, negative> / |negative|^2`` per sample, ``[b, 1, 1, 1]``."""
    flat_positive, flat_negative = positive.flatten(1), negative.flatten(1)
    dot = (flat_positive * flat_negative).sum(1)
    norm = (flat_negative * flat_negative).sum(1).clamp_min(1e-8)
    return (dot / norm).reshape(-1, *[1] * (positive.ndim - 1))


def apply(call: Call) -> Estimate:
    """``v = s* negative + cfg (positive - s* negative)``, and no motion in the first steps.

    arXiv:2503.18886 (optimised scale and zero-init); ``zero_steps`` (1 by default) steps are taken
    with velocity 0, where an undertrained guided velocity is worse than none. Made for flow
    models; a noise predictor gets the optimised scale and no zero start, which means nothing there.
    """
    positive, negative = call.predict([call.role("positive"), call.role("negative")])
    scaled = negative * optimal_scale(positive, negative)
    guided = scaled + number(call.params, "cfg", 1.0) * (positive - scaled)
    zero = call.step < number(call.params, "zero_steps", 1.0)
    if zero and call.process.prediction == "velocity":
        guided = guided * 0.0
    return call.split(guided)


CFG_ZERO = GuidanceKind("cfg_zero", "CFG-Zero*", apply, simple=True, rank=30)
