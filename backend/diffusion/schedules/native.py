"""The schedule that the model was made for."""

from __future__ import annotations

from backend.diffusion.process import Process
from backend.diffusion.schedule import ScheduleKind
from backend.values import Params


def place(steps: int, process: Process, tokens: int, params: Params) -> list[float]:
    """The family's own grid with the shift from the model's own scheduler settings."""
    return process.native(steps, tokens)


NATIVE = ScheduleKind("native", "The model's own", place, rank=0)
