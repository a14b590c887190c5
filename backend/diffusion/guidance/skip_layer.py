"""Skip-layer guidance: away from what the model predicts without some of its blocks."""

from __future__ import annotations

from backend.diffusion.guidance.cfg import guide
from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.diffusion.schedule import number


def apply(call: Call) -> Estimate:
    """``v = v- + cfg (v+ - v-) + skip (v+ - v+')`` where ``v+'`` is the prediction for the
    positive conditioning with blocks left out: the term of role ``skip``, which carries that patch.

    As in Stable Diffusion 3.5's skip-layer guidance, and arXiv:2411.18664 (spatiotemporal skip
    guidance, eq. 7). Outside the range ``begin`` to ``end`` of the steps, and at ``skip`` 0, it is
    CFG, and the third prediction is not made.
    """
    cfg, skip = number(call.params, "cfg", 1.0), number(call.params, "skip", 0.0)
    begin, end = number(call.params, "begin", 0.0), number(call.params, "end", 1.0)
    positive = call.role("positive")
    wanted = [positive]
    if cfg != 1.0:
        wanted.append(call.role("negative"))
    skipping = skip != 0 and begin <= call.done < end
    if skipping:
        wanted.append(call.role("skip"))
    made = call.predict(wanted)
    guided = guide(made[1], made[0], cfg) if cfg != 1.0 else made[0]
    if skipping:
        guided = guided + skip * (made[0] - made[-1])
    return call.split(guided)


SKIP_LAYER = GuidanceKind(
    "skip_layer", "Skip layer", apply, branches=lambda terms: min(terms, 3), rank=40
)
