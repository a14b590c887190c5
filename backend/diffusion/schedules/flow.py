"""Flow shift with a factor of one's own choice."""

from __future__ import annotations

import math

from backend.diffusion.errors import DiffusionError
from backend.diffusion.process import Process
from backend.diffusion.schedule import ScheduleKind, number
from backend.diffusion.shift import Shift
from backend.values import Params


def place(steps: int, process: Process, tokens: int, params: Params) -> list[float]:
    """The model's grid under ``t' = a t / (1 + (a - 1) t)`` (arXiv:2403.03206 eq. 23).

    ``shift`` is the factor ``a``. With ``trained_tokens`` above 0 it is the factor at so many
    image tokens, and grows as ``a sqrt(m / n)`` for ``m`` tokens instead of ``n`` (the same paper;
    Lumina-T2X, arXiv:2405.05945, shifts time so for sizes it was not trained with). With
    ``dynamic`` true it grows as ``a = exp(mu)``, ``mu`` linear in the token count from
    ``base_shift`` at 256 tokens to ``max_shift`` at 4096.

    Raises:
        DiffusionError: the model is no flow model, the factor is not above 0, or it is to grow in
            both ways.
    """
    if process.path.name != "flow":
        raise DiffusionError(
            "A flow shift suits flow models only. Choose the schedule 'native' or 'karras' here."
        )
    trained = number(params, "trained_tokens", 0)
    if trained < 0 or (trained and params.get("dynamic")):
        raise DiffusionError(
            "A flow shift grows either from 'trained_tokens' (a number above 0) or by 'dynamic'. "
            "Set one of them."
        )
    if params.get("dynamic"):
        base, top = number(params, "base_shift", 0.5), number(params, "max_shift", 1.15)
        shift = Shift("dynamic", base=base, top=top)
    else:
        grown = math.sqrt(tokens / trained) if trained else 1.0
        shift = Shift("static", number(params, "shift", 3.0) * grown)
    if shift.factor(tokens) <= 0:
        raise DiffusionError(f"A flow shift must be above 0, not {shift.factor(tokens):g}.")
    return shift.apply(process.grid(steps), tokens)


FLOW_SHIFT = ScheduleKind("flow", "Flow shift", place, rank=10)
