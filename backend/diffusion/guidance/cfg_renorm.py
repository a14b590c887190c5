"""CFG whose result is no longer than the unguided prediction: CFG-Renorm, with CFG-Trunc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.guidance.cfg import guide
from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.diffusion.schedule import number

if TYPE_CHECKING:
    from torch import Tensor


def renorm(guided: Tensor, positive: Tensor, limit: float) -> Tensor:
    """``guided`` scaled, per sample, to at most ``limit`` times the norm of ``positive``."""
    most = limit * positive.flatten(1).norm(dim=1)
    factor = (most / guided.flatten(1).norm(dim=1).clamp_min(1e-12)).clamp_max(1.0)
    scaled: Tensor = guided * factor.reshape(-1, *[1] * (guided.ndim - 1))
    return scaled


def apply(call: Call) -> Estimate:
    """Guide by ``cfg``, then scale down to ``limit`` (1 by default) times the positive's norm.

    arXiv:2503.21758, CFG-Renorm: high ``cfg`` without its burnt colours. Its CFG-Trunc, guidance
    in a part of the run only, is ``begin <= done < end`` (0 and 1 by default); outside it the
    positive prediction stands alone and costs one evaluation.
    """
    begin, end = number(call.params, "begin", 0.0), number(call.params, "end", 1.0)
    if not begin <= call.done < end:
        (positive,) = call.predict([call.role("positive")])
        return call.split(positive)
    positive, negative = call.predict([call.role("positive"), call.role("negative")])
    guided = guide(negative, positive, number(call.params, "cfg", 1.0))
    return call.split(renorm(guided, positive, number(call.params, "limit", 1.0)))


CFG_RENORM = GuidanceKind("cfg_renorm", "CFG-Renorm", apply, simple=True, rank=25)
