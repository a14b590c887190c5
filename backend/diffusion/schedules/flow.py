"""Flow shift with a factor of one's own choice."""

from __future__ import annotations

from backend.diffusion.errors import DiffusionError
from backend.diffusion.process import Process
from backend.diffusion.schedule import ScheduleKind, number
from backend.diffusion.shift import Shift
from backend.values import Params


def place(steps: int, process: Process, tokens: int, params: Params) -> list[float]:
    """The model's grid under ``t' = a t / (1 + (a - 1) t)`` (arXiv:2403.03206 eq. 23).

    ``shift`` is the factor ``a``. With ``dynamic`` true the factor grows with the image instead:
    ``a = exp(mu)``, ``mu`` linear in the token count from ``base_shift`` at 256 tokens to
    ``max_shift`` at 4096.

    Raises:
        DiffusionError: the model is no flow model, or the factor is not above 0.
    """
    if process.path.name != "flow":
        raise DiffusionError(
            "A flow shift suits flow models only. Choose the schedule 'native' or 'karras' here."
        )
    if params.get("dynamic"):
        base, top = number(params, "base_shift", 0.5), number(params, "max_shift", 1.15)
        shift = Shift("dynamic", base=base, top=top)
    else:
        shift = Shift("static", number(params, "shift", 3.0))
    if shift.factor(tokens) <= 0:
        raise DiffusionError(f"A flow shift must be above 0, not {shift.factor(tokens):g}.")
    return shift.apply(process.grid(steps), tokens)


FLOW_SHIFT = ScheduleKind("flow", "Flow shift", place, rank=10)
