"""Exponential schedule: even in log sigma."""

from __future__ import annotations

import math

from backend.diffusion.process import Process
from backend.diffusion.schedule import ScheduleKind
from backend.values import Params


def place(steps: int, process: Process, tokens: int, params: Params) -> list[float]:
    """``sigma_i = exp(log max + i/(n-1) (log min - log max))``."""
    high, low = (math.log(s) for s in process.reach(steps, tokens))
    return [math.exp(high + i / max(steps - 1, 1) * (low - high)) for i in range(steps)]


EXPONENTIAL = ScheduleKind("exponential", "Exponential", place, rank=30)
