"""Classifier-free guidance in a part of the run only."""

from __future__ import annotations

from backend.diffusion.guidance.cfg import guide
from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.diffusion.schedule import number


def apply(call: Call) -> Estimate:
    """CFG while ``begin <= done < end``; elsewhere the positive prediction alone.

    arXiv:2404.07724, with the interval given as fractions of the steps instead of noise
    levels, so that one setting suits every model. Steps outside cost one evaluation, not two.
    """
    begin, end = number(call.params, "begin", 0.2), number(call.params, "end", 0.8)
    if not begin <= call.done < end:
        (positive,) = call.predict([call.role("positive")])
        return call.split(positive)
    positive, negative = call.predict([call.role("positive"), call.role("negative")])
    return call.split(guide(negative, positive, number(call.params, "cfg", 1.0)))


CFG_INTERVAL = GuidanceKind("cfg_interval", "CFG in an interval", apply, simple=True, rank=20)
