"""The schedule that the model was made for."""

from __future__ import annotations

from backend.diffusion.process import Process
from backend.diffusion.schedule import ScheduleKind, choose_kind
from backend.values import Params


def place(steps: int, process: Process, tokens: int, params: Params) -> list[float]:
    """The family's own grid with the shift and spacing of the model's own scheduler settings."""
    if process.spacing:
        return choose_kind(process.spacing).place(steps, process, tokens, {})
    return process.native(steps, tokens)


NATIVE = ScheduleKind("native", "The model's own", place, rank=0)
