"""No guidance: the model as it is."""

from __future__ import annotations

from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate


def apply(call: Call) -> Estimate:
    """The prediction for the positive conditioning; a negative one is not asked."""
    (positive,) = call.predict([call.role("positive")])
    return call.split(positive)


NONE = GuidanceKind("none", "None", apply, simple=True, branches=lambda terms: 1, rank=0)
