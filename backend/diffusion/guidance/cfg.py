"""Classifier-free guidance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.diffusion.schedule import number

if TYPE_CHECKING:
    from torch import Tensor


def guide(negative: Tensor, positive: Tensor, cfg: float) -> Tensor:
    """``negative + cfg (positive - negative)``, arXiv:2207.12598 eq. 6 with ``cfg = 1 + w``."""
    return negative + cfg * (positive - negative)


def apply(call: Call) -> Estimate:
    """Guide by ``cfg``; at 1 the negative conditioning has no weight and is not asked."""
    cfg = number(call.params, "cfg", 1.0)
    if cfg == 1.0:
        (positive,) = call.predict([call.role("positive")])
        return call.split(positive)
    positive, negative = call.predict([call.role("positive"), call.role("negative")])
    return call.split(guide(negative, positive, cfg))


CFG = GuidanceKind("cfg", "CFG", apply, simple=True, rank=10)
