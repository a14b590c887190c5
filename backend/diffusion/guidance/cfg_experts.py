"""Classifier-free guidance with a scale of its own for each expert."""

from __future__ import annotations

from backend.diffusion.errors import DiffusionError
from backend.diffusion.experts import in_charge
from backend.diffusion.guidance.cfg import guide
from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.values import Params


def apply(call: Call) -> Estimate:
    """CFG (arXiv:2207.12598 eq. 6) by the entry of ``scales`` that belongs to the expert in charge.

    ``scales`` run from high noise to low; where there are fewer than experts, the last one holds
    for the rest. At 1 the negative conditioning is not asked.

    Raises:
        DiffusionError: there are no scales, or more than experts.
    """
    scales = scales_of(call.params)
    experts = len(call.process.handovers) + 1
    if len(scales) > experts:
        raise DiffusionError(
            f"There are {len(scales)} scales, but the model has {experts} "
            f"expert{'s' if experts > 1 else ''}. Give at most one scale for each."
        )
    scale = scales[min(in_charge(call.process.handovers, call.sigma), len(scales) - 1)]
    if scale == 1.0:
        (positive,) = call.predict([call.role("positive")])
        return call.split(positive)
    positive, negative = call.predict([call.role("positive"), call.role("negative")])
    return call.split(guide(negative, positive, scale))


def scales_of(params: Params) -> tuple[float, ...]:
    """The setting ``scales``.

    Raises:
        DiffusionError: it is missing, or holds something that is no number.
    """
    given = params.get("scales")
    found = given if isinstance(given, tuple) else ()
    numbers = tuple(
        float(v) for v in found if isinstance(v, int | float) and not isinstance(v, bool)
    )
    if not numbers or len(numbers) != len(found):
        raise DiffusionError("This guidance needs one number in scales for each expert.")
    return numbers


CFG_EXPERTS = GuidanceKind("cfg_experts", "CFG for each expert", apply, rank=15)
