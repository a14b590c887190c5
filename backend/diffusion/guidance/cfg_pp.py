"""CFG++: guided denoising, unconditional re-noising; and its inversion."""

from __future__ import annotations

from backend.diffusion.errors import DiffusionError
from backend.diffusion.guidance.cfg import guide
from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.diffusion.schedule import number


def apply(call: Call) -> Estimate:
    """The clean part from the guided prediction, the noise from the unconditional one.

    arXiv:2406.08070 algorithm 2: ``x' = a' x0(eps_l) + s' eps_u``, ``eps_l = eps_u + l (eps_c -
    eps_u)``, ``0 <= l <= 1`` (``strength``); at 0 this is unconditional sampling. Higher-order
    corrections follow the unconditional clean part, as in the paper's DPM++ 2M form.
    """
    guided, free = _pair(call)
    return Estimate(guided.x0, free.eps, free.x0)


def apply_inverse(call: Call) -> Estimate:
    """The way back, for ascending noise levels: the two roles are swapped.

    arXiv:2406.08070, inversion: clean part from ``eps_u``, re-noising with ``eps_l``; with the
    predictions frozen it undoes the sampling step exactly.
    """
    guided, free = _pair(call)
    return Estimate(free.x0, guided.eps, free.x0)


def _pair(call: Call) -> tuple[Estimate, Estimate]:
    strength = number(call.params, "strength", 0.6)
    if not 0 <= strength <= 1:
        raise DiffusionError(f"The strength of CFG++ lies between 0 and 1, not {strength:g}.")
    positive, negative = call.predict([call.role("positive"), call.role("negative")])
    return call.split(guide(negative, positive, strength)), call.split(negative)


CFG_PP = GuidanceKind("cfg_pp", "CFG++", apply, inverse="cfg_pp_inverse", rank=40)
CFG_PP_INVERSE = GuidanceKind("cfg_pp_inverse", "CFG++ inversion", apply_inverse, rank=41)
